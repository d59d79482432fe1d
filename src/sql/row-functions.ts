/**
 * Functions that give rows, in the select list, in ORDER BY, in GROUP BY.
 *
 * While an expression is bound, such a call is stood for by a column numbered from ROW_FUNCTIONS on. The calls are made when groups and
 * windows are there, before DISTINCT, ORDER BY and LIMIT: each row times what they give for it. Calls that stand in no other are made side by
 * side, the shorter ones filled up with nulls; a call with others in its arguments is made over the rows of those, again side by side with its
 * equals. Those that GROUP BY names are made before the rows are grouped, those that a window is ordered or partitioned by before it is computed.
 */
import { EvertError, notSupported } from "../base/errors.ts";
import { text } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { columnsOf, mapChildren } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import { fieldsOf, type TableFunction, type TableResolution } from "../plan/table-functions.ts";
import type { RowFunctionSink } from "./place.ts";
import { presentRecord } from "./records.ts";
import { isRowFunctionValue, ROW_FUNCTIONS, SUBQUERIES } from "./stand-ins.ts";
import { planOf } from "./table-calls.ts";

/** Columns that a call may give: column j of call i is stood for by ROW_FUNCTIONS + COLUMNS * i + j. */
const COLUMNS = 8;

const NOTHING: Expr = { kind: "const", value: null, type: text };

interface Call {
  readonly key: string;
  readonly fn: TableFunction;
  readonly resolution: TableResolution;
  readonly args: readonly Expr[];
  /** How deep calls stand in its arguments. */
  readonly level: number;
}

export class RowFunctions implements RowFunctionSink {
  private readonly calls: Call[] = [];

  add(resolution: TableResolution, args: readonly Expr[], position: number | undefined): Expr {
    const { fn } = resolution;
    if (typeof fn !== "string")
      throw notSupported("a function of one's own that gives rows, elsewhere than in FROM", position);
    const key = JSON.stringify([fn, args.map(exprKey)]);
    const known = this.calls.findIndex((c) => c.key === key);
    const level = Math.max(-1, ...this.named(args).map((i) => this.calls[i]!.level)) + 1;
    const index = known >= 0 ? known : this.calls.push({ key, fn, resolution, args, level }) - 1;
    const columns = resolution.columns.map(({ name, type }, j) => {
      const expr: Expr = { kind: "column", index: ROW_FUNCTIONS + COLUMNS * index + j, type, nullable: true };
      return { name: name ?? fn, expr };
    });
    // Those of several columns give a key first, which is null only where they give no more rows.
    return columns.length === 1 ? columns[0]!.expr : presentRecord(columns, columns[0]!.expr);
  }

  /** The calls that the expressions name, those in the arguments of others included. `over`: what becomes of an expression before. */
  private called(exprs: readonly Expr[], over: (expr: Expr) => Expr): number[] {
    const found = new Set<number>();
    const add = (of: readonly Expr[]): void => {
      for (const i of this.named(of.map(over))) {
        if (found.has(i)) continue;
        found.add(i);
        add(this.calls[i]!.args);
      }
    };
    add(exprs);
    return [...found].sort((a, b) => a - b);
  }

  private named(exprs: readonly Expr[]): number[] {
    return exprs
      .flatMap((e) => [...columnsOf(e)])
      .filter((c) => c >= ROW_FUNCTIONS && c < SUBQUERIES)
      .map((c) => Math.floor((c - ROW_FUNCTIONS) / COLUMNS));
  }

  /** Arguments of the calls that the expressions name, but in the parts that are keys: what is evaluated before they are made. */
  arguments(exprs: readonly Expr[], keys: readonly Expr[] = []): Expr[] {
    const known = new Set(keys.map(exprKey));
    const unkeyed = (expr: Expr): Expr => (known.has(exprKey(expr)) ? NOTHING : mapChildren(expr, unkeyed));
    return this.called(exprs, unkeyed).flatMap((i) => this.calls[i]!.args);
  }

  /** The rows with those of the calls that the expressions name, and what makes an expression one over them. `over`: of expressions over the input. */
  finish(
    input: Plan,
    exprs: readonly Expr[],
    over: (expr: Expr) => Expr,
  ): { plan: Plan; over: (expr: Expr) => Expr } {
    const called = this.called(exprs, over);
    const at = new Map<number, number>();
    let plan = input;
    const placed = (expr: Expr): Expr => {
      if (expr.kind !== "column") return mapChildren(expr, placed);
      const column = isRowFunctionValue(expr) ? at.get(expr.index) : undefined;
      return column === undefined ? expr : build.column(plan, column);
    };
    const deepest = Math.max(-1, ...called.map((i) => this.calls[i]!.level));
    for (let level = 0; level <= deepest; level++) {
      const calls = called.filter((i) => this.calls[i]!.level === level);
      const width = plan.schema.fields.length;
      const made = calls.map((i) => ({
        ...this.calls[i]!,
        args: this.calls[i]!.args.map((e) => placed(over(e))),
      }));
      plan = sideBySide(plan, made);
      let column = width;
      for (const call of calls) {
        const count = this.calls[call]!.resolution.columns.length;
        for (let j = 0; j < count; j++) at.set(ROW_FUNCTIONS + COLUMNS * call + j, column++);
      }
    }
    return { plan, over: (expr) => placed(over(expr)) };
  }
}

function namesOf({ fn, resolution }: Call): string[] {
  return resolution.columns.map((c) => c.name ?? fn);
}

function sideBySide(input: Plan, calls: readonly Call[]): Plan {
  const [only] = calls;
  if (calls.length === 1) return planOf(input, only!.resolution, only!.args, namesOf(only!), false);
  return build.tableFunction(input, {
    fn: "rows_from",
    args: calls.flatMap((c) => c.args),
    parts: calls.map((c) => ({ fn: c.fn, args: c.args.length, columns: c.resolution.columns.length })),
    columns: calls.flatMap((c) => fieldsOf(c.resolution, namesOf(c))),
    ordinality: null,
    outer: false,
  });
}

const LATERAL_HINT = "You might be able to move the set-returning function into a LATERAL FROM item.";

/** Of a place where such a function has no business, in PostgreSQL's words. */
export function refusedRows(
  message: string,
  hint: string | undefined,
  position: number | undefined,
): EvertError {
  return new EvertError("feature_not_supported", message, { hint, position });
}

/** Stands where the rows of a function could not be counted: in a branch that may not be taken, in the arguments of an aggregate. */
export function refusingRows(message: string): RowFunctionSink {
  return {
    add: (_resolution, _args, position) => {
      throw refusedRows(message, LATERAL_HINT, position);
    },
  };
}
