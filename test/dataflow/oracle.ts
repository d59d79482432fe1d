/**
 * The naive answer: evaluates a plan from scratch over rows as JavaScript values, nested loops throughout. Shares only the exact scalar
 * functions with the circuit.
 */

import { EvertError } from "../../src/base/errors.ts";
import type { SqlType } from "../../src/batch/types.ts";
import { isSmallNumeric } from "../../src/batch/types.ts";
import { ratioToDouble } from "../../src/dataflow/aggregates/exact-sum.ts";
import {
  addDecimals,
  compareDecimals,
  type Decimal,
  decimal,
  decimalFromText,
  decimalToText,
  divideDecimals,
  ZERO,
} from "../../src/dataflow/kernels/decimal.ts";
import { takeFault, toThrowable } from "../../src/dataflow/kernels/errors.ts";
import { evaluateExpr, fromDatum, toDatum } from "../../src/dataflow/kernels/evaluate.ts";
import { statementGuard } from "../../src/dataflow/kernels/guard.ts";
import { hasRowsFor, routineRows } from "../../src/dataflow/kernels/routine-rows.ts";
import { rowsOf } from "../../src/dataflow/kernels/table-functions.ts";
import { callUser, datumFromJs, jsRow, ofView } from "../../src/dataflow/kernels/user-function.ts";
import type { Datum, Expr } from "../../src/plan/expression.ts";
import { typeOf } from "../../src/plan/inspect.ts";
import type { Aggregate, OrderItem, Plan } from "../../src/plan/plan.ts";
import { windowValues } from "./window-oracle.ts";

export type Row = readonly Datum[];

/** A row and the commit it belongs to. */
export interface Record {
  readonly row: Row;
  readonly commit: number;
}

export interface Facts {
  stream(id: number): readonly Record[];
  /** Current rows of a table as of a commit, that commit included. */
  table(id: number, commit: number): readonly Row[];
  view(id: number): Plan;
  /** What recursions have found in the iteration before, by their ids. */
  readonly found?: ReadonlyMap<number, readonly Record[]>;
  /** The commit everything is evaluated as of. */
  readonly now: number;
}

export interface Answer {
  readonly rows: Row[];
  /** SQLSTATE and message of each row that failed. */
  readonly errors: string[];
}

/** A random plan multiplied its rows beyond what a naive evaluation can hold: such a world says nothing and is left out. */
export class WorldTooLarge extends Error {
  constructor() {
    super("the world's answer is too large for the oracle");
    this.name = "WorldTooLarge";
  }
}

const ROWS_MAX = 100_000;
let rowsLeft = ROWS_MAX;

function spend(rows: number): void {
  rowsLeft -= rows;
  if (rowsLeft < 0) throw new WorldTooLarge();
}

/** Runs a property's body; a world too large for the oracle counts as no counterexample. */
export function within(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof WorldTooLarge)) throw error;
  }
}

/** @throws WorldTooLarge */
export function answer(plan: Plan, facts: Facts): Answer {
  rowsLeft = ROWS_MAX;
  const errors: string[] = [];
  const rows = evaluate(plan, facts, errors).map((r) => r.row);
  return { rows, errors: errors.sort() };
}

function evaluate(plan: Plan, facts: Facts, errors: string[]): Record[] {
  switch (plan.kind) {
    case "source":
      if (plan.relation === "stream") return [...facts.stream(plan.id)];
      if (plan.relation === "table")
        return facts.table(plan.id, facts.now).map((row) => ({ row, commit: 0 }));
      return evaluate(facts.view(plan.id), facts, errors);
    case "values":
      return plan.rows.map((row) => ({ row, commit: 0 }));
    case "filter":
      return evaluate(plan.input, facts, errors).filter(
        (r) => attempt(errors, () => evaluateOn(plan.predicate, r.row, plan.input)) === true,
      );
    case "project":
      return evaluate(plan.input, facts, errors).flatMap((r) => {
        const row = attempt(errors, () => plan.exprs.map((e) => evaluateOn(e, r.row, plan.input)));
        return row === FAILED ? [] : [{ row, commit: r.commit }];
      });
    case "mapFunction":
      return evaluate(plan.input, facts, errors).flatMap((r) => {
        const made = attempt(errors, () => {
          const rows = plan.fn.rows.map((shape) => jsRow(shape, r.row, typesOf(plan.input)));
          const result = callUser(statementGuard, ofView, plan.fn.call, rows);
          raise();
          const elements = plan.flat ? [...(result as Iterable<unknown>)] : [result];
          return elements.map((element) =>
            plan.schema.fields.map((f) => {
              const datum = datumFromJs((element as { [name: string]: unknown })[f.name], f.type);
              raise();
              return datum;
            }),
          );
        });
        return made === FAILED ? [] : made.map((row) => ({ row, commit: r.commit }));
      });
    case "series":
      return evaluate(plan.input, facts, errors).flatMap((r) => {
        const bounds = attempt(errors, () =>
          [plan.start, plan.stop, plan.step].map((e) => evaluateOn(e, r.row, plan.input)),
        );
        if (bounds === FAILED || bounds.includes(null)) return [];
        const [start, stop, step] = bounds.map((b) => BigInt(b as number)) as [bigint, bigint, bigint];
        if (step === 0n) {
          errors.push("22023 step size cannot equal zero");
          return [];
        }
        const int4 = typeOf(plan.start).name === "int4";
        const out: Record[] = [];
        for (let v = start; step > 0n ? v <= stop : v >= stop; v += step) {
          spend(1);
          out.push({ row: [...r.row, int4 ? Number(v) : v], commit: r.commit });
        }
        return out;
      });
    case "window": {
      const types = typesOf(plan.input);
      const rows = evaluate(plan.input, facts, errors).map((r) => r.row);
      const means = {
        evaluate: (expr: Expr, row: Row) => evaluateOn(expr, row, plan.input),
        aggregate: (a: Aggregate, of: readonly Row[]) => aggregate(a, of, plan.input, errors),
        compare: (a: Row, b: Row) => compareRows(a, b, plan.order, types, false),
      };
      return partitions(rows, plan.partition, plan.order, types).flatMap((sorted) =>
        sorted.flatMap((row, i) => {
          spend(1);
          const values = attempt(errors, () => windowValues(plan, sorted, i, means));
          return values === FAILED ? [] : [{ row: [...row, ...values], commit: 0 }];
        }),
      );
    }
    case "tableFunction":
      return evaluate(plan.input, facts, errors).flatMap((r) => {
        const args = attempt(errors, () => plan.args.map((e) => evaluateOn(e, r.row, plan.input)));
        if (args === FAILED) return [];
        const types = plan.args.map(typeOf);
        const made = attempt(errors, () => {
          const values = args.map((a, i) => fromDatum(a, types[i]!));
          const { fn } = plan;
          if (typeof fn !== "string" && !hasRowsFor(fn, values)) return [];
          const columns = plan.columns.map((c) => c.type);
          const rowsFor =
            typeof fn === "string" ? rowsOf(fn, types, plan.parts, columns) : routineRows(fn, statementGuard);
          const rows = [...rowsFor(values)];
          raise();
          return rows;
        });
        if (made === FAILED) return [];
        const numbered = made.map((row, i) => [
          ...row.map((v, c) => toDatum(v, plan.columns[c]!.type)),
          ...(plan.ordinality ? [BigInt(i + 1)] : []),
        ]);
        const nothing = plan.schema.fields.slice(plan.input.schema.fields.length).map(() => null);
        const shown: Datum[][] = numbered.length === 0 && plan.outer ? [nothing] : numbered;
        spend(shown.length);
        return shown.map((row) => ({ row: [...r.row, ...row], commit: r.commit }));
      });
    case "recursive": {
      const nameOf = (row: Row): string =>
        row.map((d, i) => canonicalText(d, plan.schema.fields[i]!.type)).join("|");
      const seen = new Set<string>();
      const fresh = (rows: Record[]): Record[] =>
        plan.all
          ? rows
          : rows.filter(({ row }) => !seen.has(nameOf(row)) && seen.add(nameOf(row)) !== undefined);
      const all: Record[] = [];
      for (let found = fresh(evaluate(plan.base, facts, errors)); found.length > 0; ) {
        spend(found.length);
        all.push(...found);
        const within = { ...facts, found: new Map([...(facts.found ?? []), [plan.id, found]]) };
        found = fresh(evaluate(plan.step, within, errors));
      }
      return all;
    }
    case "recursiveRef":
      return [...facts.found!.get(plan.id)!];
    case "temporal":
    case "apply":
      throw new Error(`the oracle does not know ${plan.kind}`);
    case "join": {
      const left = evaluate(plan.left, facts, errors);
      const right = evaluate(plan.right, facts, errors);
      const types = plan.leftKeys.map((k) => plan.left.schema.fields[k]!.type);
      const meets = (l: Record, r: Record): boolean =>
        plan.leftKeys.every((k, i) => {
          const [a, b] = [l.row[k]!, r.row[plan.rightKeys[i]!]!];
          return equalKeys(a, b, types[i]!) || (plan.nullSafe[i]! && a === null && b === null);
        });
      const alone = new Set(right);
      const rows = left.flatMap((l) => {
        const matches = right.filter((r) => meets(l, r));
        for (const r of matches) alone.delete(r);
        if (matches.length === 0 && plan.type !== "inner")
          return [{ row: [...l.row, ...plan.right.schema.fields.map(() => null)], commit: 0 }];
        spend(matches.length);
        return matches.map((r) => ({ row: [...l.row, ...r.row], commit: 0 }));
      });
      if (plan.type !== "full") return rows;
      const nothing = plan.left.schema.fields.map(() => null);
      return [...rows, ...[...alone].map((r) => ({ row: [...nothing, ...r.row], commit: 0 }))];
    }
    case "asOfJoin": {
      const nothing = plan.right.schema.fields.map(() => null);
      const types = plan.leftKeys.map((k) => plan.left.schema.fields[k]!.type);
      return evaluate(plan.left, facts, errors).flatMap((l) => {
        const right = evaluate(plan.right, { ...facts, now: l.commit }, []);
        const match = right.find((r) =>
          plan.leftKeys.every((k, i) => equalKeys(l.row[k]!, r.row[plan.rightKeys[i]!]!, types[i]!)),
        );
        if (match === undefined)
          return plan.type === "left" ? [{ row: [...l.row, ...nothing], commit: l.commit }] : [];
        return [{ row: [...l.row, ...match.row], commit: l.commit }];
      });
    }
    case "group": {
      const groups = new Map<string, { key: Row; rows: Row[] }>();
      if (plan.keys.length === 0) groups.set("", { key: [], rows: [] });
      for (const { row } of evaluate(plan.input, facts, errors)) {
        // All of a row's keys and arguments are computed together: one that fails takes the row out.
        const key = attempt(errors, () => {
          const values = plan.keys.map((e) => evaluateOn(e, row, plan.input));
          for (const a of plan.aggregates) argumentOf(a, row, plan.input);
          return values;
        });
        if (key === FAILED) continue;
        const name =
          plan.keys.length === 0 ? "" : key.map((d, i) => canonicalText(d, typeOf(plan.keys[i]!))).join("|");
        const group = groups.get(name) ?? { key, rows: [] };
        groups.set(name, group);
        group.rows.push(row);
      }
      return [...groups.values()].flatMap(({ key, rows }) => {
        const results = attempt(errors, () =>
          plan.aggregates.map((a) => aggregate(a, rows, plan.input, errors)),
        );
        return results === FAILED ? [] : [{ row: [...key, ...results], commit: 0 }];
      });
    }
    case "distinct": {
      const seen = new Map<string, Record>();
      for (const r of evaluate(plan.input, facts, errors)) {
        const name = r.row.map((d, i) => canonicalText(d, plan.schema.fields[i]!.type)).join("|");
        if (!seen.has(name)) seen.set(name, r);
      }
      return [...seen.values()];
    }
    case "union":
      return plan.inputs.flatMap((input) => evaluate(input, facts, errors));
    case "setOperation": {
      const nameOf = (row: Row): string =>
        row.map((d, i) => canonicalText(d, plan.schema.fields[i]!.type)).join("|");
      const counts = new Map<string, number>();
      for (const r of evaluate(plan.right, facts, errors))
        counts.set(nameOf(r.row), (counts.get(nameOf(r.row)) ?? 0) + 1);
      const seen = new Set<string>();
      return evaluate(plan.left, facts, errors).filter((r) => {
        const name = nameOf(r.row);
        const right = counts.get(name) ?? 0;
        if (!plan.all) {
          if (seen.has(name)) return false;
          seen.add(name);
          return right > 0 === (plan.op === "intersect");
        }
        counts.set(name, right - 1);
        return right > 0 === (plan.op === "intersect");
      });
    }
    case "topK": {
      const types = typesOf(plan);
      const rows = evaluate(plan.input, facts, errors).map((r) => r.row);
      const { offset, limit, ties, order } = plan;
      return partitions(rows, plan.partition, order, types).flatMap((sorted) => {
        let end = limit === null ? sorted.length : offset + limit;
        const isPeer = (a: Row, b: Row) => compareRows(a, b, order, types, false) === 0;
        while (ties && limit !== 0 && end < sorted.length && isPeer(sorted[end - 1]!, sorted[end]!)) end++;
        return sorted.slice(offset, end).map((row) => ({ row, commit: 0 }));
      });
    }
  }
}

/** Rows by partition, each in order, the order's ties settled by the remaining columns. */
function partitions(
  rows: readonly Row[],
  partition: readonly number[],
  order: readonly OrderItem[],
  types: readonly SqlType[],
): Row[][] {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const name = partition.map((c) => canonicalText(row[c]!, types[c]!)).join("|");
    const own = found.get(name) ?? [];
    found.set(name, own);
    own.push(row);
  }
  const listed = new Set([...partition, ...order.map((o) => o.column)]);
  const rest = types.flatMap((_, column): OrderItem[] =>
    listed.has(column) ? [] : [{ column, descending: false, nullsFirst: false }],
  );
  return [...found.values()].map((own) => own.sort((a, b) => compareRows(a, b, [...order, ...rest], types)));
}

const FAILED = Symbol("failed");

function attempt<T>(errors: string[], compute: () => T): T | typeof FAILED {
  try {
    return compute();
  } catch (thrown) {
    if (!(thrown instanceof EvertError)) throw thrown;
    errors.push(`${thrown.sqlstate} ${thrown.message}`);
    return FAILED;
  }
}

function raise(): void {
  const error = takeFault();
  if (error !== null) throw toThrowable(error);
}

function typesOf(plan: Plan): SqlType[] {
  return plan.schema.fields.map((f) => f.type);
}

function evaluateOn(expr: Expr, row: Row, input: Plan): Datum {
  return evaluateExpr(expr, row, { columns: typesOf(input) });
}

/** undefined: the row does not count. */
function argumentOf(a: Aggregate, row: Row, input: Plan): Datum | undefined {
  if (a.filter !== null && evaluateOn(a.filter, row, input) !== true) return undefined;
  if (a.arg === null) return true;
  return evaluateOn(a.arg, row, input) ?? undefined;
}

function aggregate(a: Aggregate, rows: readonly Row[], input: Plan, errors: string[]): Datum {
  if (a.fn === "reduce") return fold(a, rows, input, errors);
  const args = rows.map((row) => argumentOf(a, row, input)).filter((d) => d !== undefined) as Exclude<
    Datum,
    null
  >[];
  if (a.fn === "count") return BigInt(args.length);
  if (args.length === 0) return null;
  const type = typeOf(a.arg!);
  if (a.fn === "min" || a.fn === "max") {
    const sign = a.fn === "min" ? 1 : -1;
    return args.reduce((best, d) => {
      const c = compareDatums(d, best, type) * sign;
      return c < 0 || (c === 0 && String(d) < String(best)) ? d : best;
    });
  }
  if (a.fn !== "sum" && a.fn !== "avg") throw new Error(`${a.fn} is judged by PostgreSQL`);
  if (type.name === "float8") return floatResult(a.fn, args as number[]);
  const total = args.map((d) => asDecimal(d, type)).reduce(addDecimals, ZERO);
  const result = a.fn === "sum" ? total : divideDecimals(total, decimal(BigInt(args.length), 0));
  switch (a.type.name) {
    case "int8": {
      if (total.unscaled >= 2n ** 63n || total.unscaled < -(2n ** 63n))
        throw new EvertError("numeric_value_out_of_range", "bigint out of range");
      return total.unscaled;
    }
    case "float8":
      return a.fn === "sum"
        ? Number(decimalToText(total))
        : ratioToDouble(total.unscaled, 10n ** BigInt(total.scale) * BigInt(args.length));
    default:
      return decimalToText(result);
  }
}

function fold(a: Aggregate, rows: readonly Row[], input: Plan, errors: string[]): Datum {
  const { reducer } = a;
  let value = structuredClone(reducer!.initial);
  for (const row of rows) {
    if (a.filter !== null && evaluateOn(a.filter, row, input) !== true) continue;
    const args = reducer!.add.rows.map((shape) => jsRow(shape, row, typesOf(input)));
    const next = callUser(statementGuard, ofView, reducer!.add.call, [value, ...args]);
    const error = takeFault();
    if (error !== null) errors.push(`${error.sqlstate} ${error.message}`);
    else value = next;
  }
  const datum = datumFromJs(value, a.type);
  raise();
  return datum;
}

/** Exact rational sum, rounded once; -0 if there was nothing else to sum. */
function floatResult(fn: "sum" | "avg", args: readonly number[]): number {
  if (fn === "sum" && args.every((x) => Object.is(x, -0))) return -0;
  const special = args.filter((x) => !Number.isFinite(x)).reduce((s, x) => s + x, 0);
  if (special !== 0) return special;
  let units = 0n;
  for (const x of args) units += exactUnits(x);
  const value = ratioToDouble(units, (1n << 1074n) * (fn === "sum" ? 1n : BigInt(args.length)));
  if (!Number.isFinite(value))
    throw new EvertError("numeric_value_out_of_range", "value out of range: overflow");
  return value;
}

/** A double in units of 2^-1074, by its decimal-free definition. */
export function exactUnits(x: number): bigint {
  let units = 0n;
  let scale = 1074;
  let rest = Math.abs(x);
  while (rest !== Math.trunc(rest)) {
    rest *= 2;
    scale--;
  }
  units = BigInt(rest) << BigInt(scale);
  return x < 0 ? -units : units;
}

function asDecimal(d: Datum, type: SqlType): Decimal {
  if (type.name !== "numeric") return decimal(BigInt(d as number), 0);
  return isSmallNumeric(type) ? decimal(d as bigint, type.scale ?? 0) : decimalFromText(d as string);
}

function equalKeys(a: Datum, b: Datum, type: SqlType): boolean {
  return a !== null && b !== null && compareDatums(a, b, type) === 0;
}

export function compareDatums(a: Exclude<Datum, null>, b: Exclude<Datum, null>, type: SqlType): number {
  if (type.name === "numeric") return compareDecimals(asDecimal(a, type), asDecimal(b, type));
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (typeof a === "number" && (Number.isNaN(a) || Number.isNaN(b as number)))
    return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b as number) ? 1 : 0);
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareRows(
  a: Row,
  b: Row,
  order: readonly OrderItem[],
  types: readonly SqlType[],
  printed = true,
): number {
  for (const { column, descending, nullsFirst } of order) {
    const x = a[column]!;
    const y = b[column]!;
    if (x === null || y === null) {
      if (x === y) continue;
      return (x === null) === nullsFirst ? -1 : 1;
    }
    const d = compareDatums(x, y, types[column]!);
    if (d !== 0) return descending ? -d : d;
  }
  for (const [i, type] of printed ? types.entries() : []) {
    if (type.name === "numeric" && typeof a[i] === "string" && typeof b[i] === "string" && a[i] !== b[i])
      return a[i] < b[i] ? -1 : 1;
  }
  return 0;
}

/** Equal texts for equal values: display scale and the sign of zero do not count. */
export function canonicalText(d: Datum, type: SqlType): string {
  if (d === null) return "null";
  if (type.name === "numeric" && typeof d === "string") return !d.includes(".") ? d : d.replace(/\.?0+$/, "");
  if (type.name === "float8") return String((d as number) + 0);
  return typeof d === "string" ? JSON.stringify(d) : String(d);
}
