/**
 * Which rows of a source an index gives, in a query that runs once: a view reads all of its sources' rows, for ever.
 *
 * A filter's conjuncts that compare a column with a constant narrow what is read; the filter itself stays, so what is read may be more than it
 * lets through, never less. Errors are data: only conjuncts before the first that may fail count, so that rows fail as they would without an index.
 *
 * A top-k whose order is an index's, and below which nothing else decides, reads its first rows alone, and those tied with the last of them.
 */
import { parseArray } from "../batch/format/array.ts";
import { datumFromText } from "../batch/text-form.ts";
import { isSmallNumeric, type SqlType } from "../batch/types.ts";
import * as build from "./build.ts";
import type { Datum, Expr } from "./expression.ts";
import { functionInfo } from "./functions.ts";
import { conjuncts, inputsOf, isFallible } from "./inspect.ts";
import { withInputs } from "./nodes.ts";
import type { KeyBound, KeyRange, Lookup, OrderItem, Plan, PlanIndex, Query, SourcePlan } from "./plan.ts";

/** Stretches at most: a longer list is better met by a scan. */
const RANGES_MAX = 1024;

export type IndexesOf = (sourceId: number) => readonly PlanIndex[];

/** The query with its sources read through indexes where one helps. */
export function withLookups(query: Query, indexesOf: IndexesOf): Query {
  const plan = rewritten(query.plan, indexesOf);
  return plan === query.plan ? query : Object.freeze({ ...query, plan });
}

function rewritten(plan: Plan, indexesOf: IndexesOf): Plan {
  if (plan.kind === "asOfJoin") {
    // Its right side is fed from the log.
    const left = rewritten(plan.left, indexesOf);
    return left === plan.left ? plan : withInputs(plan, [left, plan.right]);
  }
  const chain = plan.kind === "filter" || plan.kind === "topK" ? chainOf(plan) : null;
  if (chain !== null) {
    const lookup = lookupOf(chain, indexesOf(chain.source.id));
    return lookup === null ? plan : throughChain(plan, build.lookup(chain.source, lookup));
  }
  const inputs = inputsOf(plan);
  const next = inputs.map((input) => rewritten(input, indexesOf));
  return next.every((p, i) => p === inputs[i]) ? plan : withInputs(plan, next);
}

// ---- what stands over a source ------------------------------------------------------------------------------------

/** Plain columns, filters and at most one top-k over a source. */
interface Chain {
  readonly source: SourcePlan;
  /** Over the source's columns, those that count; `all`: nothing else decides which rows come through. */
  readonly conditions: readonly Expr[];
  readonly all: boolean;
  readonly top: { readonly order: readonly OrderItem[]; readonly rows: number } | null;
  /** Something in it chooses among the rows it is given, or may fail for one: what stands above must not take any away from it. */
  readonly closed: boolean;
}

function chainOf(plan: Plan): Chain | null {
  if (plan.kind === "source") {
    if (plan.relation === "stream" || plan.lookup !== undefined) return null;
    return { source: plan, conditions: [], all: true, top: null, closed: false };
  }
  if (plan.kind !== "filter" && plan.kind !== "project" && plan.kind !== "topK") return null;
  const below = chainOf(plan.input);
  if (below === null || below.closed) return null;
  if (plan.kind === "project") {
    // What is computed is nobody's column; what may fail must meet every row.
    return plan.exprs.some(isFallible) ? null : below;
  }
  const columns = sourceColumns(plan.input);
  if (plan.kind === "topK") {
    if (plan.limit === null && plan.offset === 0) return below;
    if (plan.partition.length > 0 || plan.limit === null) return { ...below, closed: true };
    const order = plan.order.map((o) => ({ ...o, column: columns[o.column]! }));
    return { ...below, top: { order, rows: plan.limit + plan.offset }, closed: true };
  }
  const parts = conjuncts(plan.predicate);
  const fallible = parts.findIndex(isFallible);
  const safe = fallible < 0 ? parts : parts.slice(0, fallible);
  const moved = safe.map((part) => overSource(part, columns));
  return {
    ...below,
    conditions: [...below.conditions, ...moved.filter((e) => e !== null)],
    all: below.all && fallible < 0 && moved.every((e) => e !== null),
    closed: fallible >= 0,
  };
}

/** Per column of the plan, the source's; -1: computed. */
function sourceColumns(plan: Plan): number[] {
  if (plan.kind === "project") {
    const below = sourceColumns(plan.input);
    return plan.exprs.map((e) => (e.kind === "column" ? below[e.index]! : -1));
  }
  if (plan.kind === "filter") return sourceColumns(plan.input);
  return plan.schema.fields.map((_, i) => i);
}

/** The condition over the source's columns, or null where it reads something computed. */
function overSource(expr: Expr, columns: readonly number[]): Expr | null {
  const move = (e: Expr): Expr | null => {
    if (e.kind === "column") {
      const index = columns[e.index]!;
      return index < 0 ? null : { ...e, index };
    }
    if (e.kind === "const") return e;
    if (e.kind === "call" || e.kind === "or" || e.kind === "and") {
      const args = e.args.map(move);
      return args.every((a) => a !== null) ? { ...e, args } : null;
    }
    if (e.kind === "isNull") {
      const arg = move(e.arg);
      return arg === null ? null : { ...e, arg };
    }
    return null;
  };
  return move(expr);
}

function throughChain(plan: Plan, source: Plan): Plan {
  return plan.kind === "source" ? source : withInputs(plan, [throughChain(inputsOf(plan)[0]!, source)]);
}

// ---- conditions ---------------------------------------------------------------------------------------------------

/** What a condition says of one column. */
type Term =
  | {
      readonly kind: "in";
      readonly column: number;
      readonly type: SqlType;
      readonly values: readonly Datum[];
    }
  | { readonly kind: "range"; readonly column: number; readonly op: Op; readonly value: Datum };

type Op = "<" | "<=" | ">" | ">=";

const flipped: Readonly<Record<string, string>> = { "<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=" };

function termOf(expr: Expr): Term | null {
  if (expr.kind === "isNull") {
    const { arg } = expr;
    return arg.kind !== "column" ? null : { kind: "in", column: arg.index, type: arg.type, values: [null] };
  }
  if (expr.kind === "or") {
    const terms = expr.args.map(termOf);
    const [first] = terms;
    if (first?.kind !== "in") return null;
    const values: Datum[] = [];
    for (const term of terms) {
      if (term?.kind !== "in" || term.column !== first.column) return null;
      values.push(...term.values);
    }
    // A row is read once: equal values must be found equal here.
    const distinct = [...new Set(values)];
    return distinct.length > 1 && !isPlain(first.type) ? null : { ...first, values: distinct };
  }
  if (expr.kind !== "call" || expr.args.length !== 2) return null;
  if (expr.fn === "any_eq") return listed(expr.args[0]!, expr.args[1]!);
  const { op } = functionInfo(expr.fn);
  if (op === null || flipped[op] === undefined) return null;
  return compared(expr.args[0]!, op, expr.args[1]!) ?? compared(expr.args[1]!, flipped[op], expr.args[0]!);
}

/** x = ANY (constants). */
function listed(left: Expr, list: Expr): Term | null {
  const column = columnOf(left);
  if (column === null || list.kind !== "const" || typeof list.value !== "string") return null;
  const { items } = parseArray(list.value);
  const { element } = list.type;
  if (element === undefined || items.length > RANGES_MAX) return null;
  const values = new Set<Datum>();
  for (const item of items) {
    // A null equals nothing.
    if (item === null) continue;
    const value = asOf(datumFromText(element, item), element, column.type);
    if (value === undefined) return null;
    if (mayHold(column.type, value)) values.add(value);
  }
  if (values.size > 1 && !isPlain(column.type)) return null;
  return { kind: "in", column: column.index, type: column.type, values: [...values] };
}

function compared(left: Expr, op: string, right: Expr): Term | null {
  if (right.kind !== "const" || right.value === null) return null;
  const column = columnOf(left);
  if (column === null) return null;
  const value = asOf(right.value, right.type, column.type);
  if (value === undefined) return null;
  const values = mayHold(column.type, value) ? [value] : [];
  if (op === "=") return { kind: "in", column: column.index, type: column.type, values };
  return { kind: "range", column: column.index, op: op as Op, value };
}

/** Types of which equal values are the same datum, or are made so by asOf. */
function isPlain({ name }: SqlType): boolean {
  return !["bpchar", "interval", "jsonb"].includes(name);
}

const integers = ["int2", "int4", "int8"];

/** The column, also under a cast that changes neither its values nor their order. */
function columnOf(expr: Expr): { readonly index: number; readonly type: SqlType } | null {
  if (expr.kind === "column") return expr;
  if (expr.kind !== "call" || expr.args.length !== 1) return null;
  const arg = expr.args[0]!;
  const info = functionInfo(expr.fn);
  if (arg.kind !== "column" || info.names.length > 0 || info.op !== null) return null;
  const [from, to] = [arg.type.name, expr.type.name];
  const widens = integers.indexOf(from) >= 0 && integers.indexOf(from) <= integers.indexOf(to);
  return widens || (from === "varchar" && to === "text") ? arg : null;
}

/** The constant as the column's rows hold it; undefined: it cannot be said as such. */
function asOf(value: Datum, type: SqlType, column: SqlType): Datum | undefined {
  if (integers.includes(type.name) && integers.includes(column.name))
    return column.name === "int8" ? BigInt(value as number | bigint) : Number(value);
  if (type.name === "numeric" && column.name === "numeric") {
    if (!isSmallNumeric(column)) return typeof value === "string" ? withoutZeros(value) : undefined;
    return typeof value === "string" ? unscaled(value, column.scale ?? 0) : undefined;
  }
  const text = (t: SqlType): boolean => t.name === "text" || t.name === "varchar";
  if (text(type) && text(column)) return value;
  return sameKind(type, column) ? value : undefined;
}

/** Whether a row can have the value: a hash index keeps an integer's 32 bits, in which a larger one would be found as another. */
function mayHold({ name }: SqlType, value: Datum): boolean {
  if ((name !== "int2" && name !== "int4") || typeof value !== "number") return true;
  const end = name === "int2" ? 2 ** 15 : 2 ** 31;
  return value >= -end && value < end;
}

function withoutZeros(value: string): string {
  return value.includes(".") ? value.replace(/\.?0+$/, "") : value;
}

/** 5.5 as 550 of a numeric(10,2); undefined where it has more digits than that, or than 64 bits. */
function unscaled(value: string, scale: number): bigint | undefined {
  const [, whole, fraction = ""] = /^(-?\d+)(?:\.(\d*))?$/.exec(value) ?? [];
  const digits = fraction.replace(/0+$/, "");
  if (whole === undefined || digits.length > scale) return undefined;
  const all = BigInt(whole + digits.padEnd(scale, "0"));
  return BigInt.asIntN(64, all) === all ? all : undefined;
}

function sameKind(a: SqlType, b: SqlType): boolean {
  return a.name === b.name && a.element === undefined && b.element === undefined && a.enumName === b.enumName;
}

// ---- choosing -----------------------------------------------------------------------------------------------------

interface Choice {
  readonly lookup: Lookup;
  /** Better first: all values of a unique index, then as many equal ones as may be, then a range, then an order. */
  readonly rank: number;
}

function lookupOf(chain: Chain, indexes: readonly PlanIndex[]): Lookup | null {
  const terms = chain.conditions.map(termOf);
  let best: Choice | null = null;
  for (const index of indexes) {
    const choice = choiceOf(index, chain, terms);
    if (choice !== null && (best === null || choice.rank > best.rank)) best = choice;
  }
  return best?.lookup ?? null;
}

function choiceOf(index: PlanIndex, chain: Chain, terms: readonly (Term | null)[]): Choice | null {
  const used = new Set<Term>();
  const lists: (readonly Datum[])[] = [];
  let count = 1;
  for (const { column } of index.items) {
    const term = terms.find((t) => t?.kind === "in" && t.column === column);
    if (term?.kind !== "in" || count * term.values.length > RANGES_MAX) break;
    used.add(term);
    lists.push(term.values);
    count *= term.values.length;
  }
  const complete = lists.length === index.items.length;
  if (index.kind === "hash") {
    if (!complete) return null;
    const rank = (index.unique ? 1000 : 500) + lists.length;
    const exact = chain.all && terms.every((t) => t !== null && used.has(t) && isSame(t));
    const ranges = product(lists).map(unbounded);
    return { rank, lookup: { index, ranges, backward: false, first: null, exact } };
  }
  const item = index.items[lists.length];
  const bounds = item === undefined ? null : boundsOf(item, terms, used);
  const ranges = product(lists).map(
    (equal): KeyRange => ({ equal, ...(bounds ?? { from: null, to: null }) }),
  );
  const exact = chain.all && terms.every((t) => t !== null && used.has(t)) && ranges.length === 1;
  const ordered = exact && chain.top !== null ? orderedBy(index, lists.length, chain.top.order) : null;
  const first = ordered === null ? null : { rows: chain.top!.rows, tied: lists.length + ordered.items };
  if (lists.length === 0 && bounds === null && first === null) return null;
  // An order that ends after a few rows is worth more than any range, and less than all values of an index.
  const rank =
    (complete && index.unique ? 900 : 10 * lists.length) +
    (bounds === null ? 0 : 5) +
    (first === null ? 0 : 50);
  return { rank, lookup: { index, ranges, backward: ordered?.backward ?? false, first, exact: false } };
}

/** Types of which SQL finds equal what an index finds equal, and nothing else. */
const same = ["bool", "int2", "int4", "int8", "text", "varchar", "uuid", "date", "timestamp", "timestamptz"];

function isSame(term: Term): boolean {
  return term.kind === "in" && same.includes(term.type.name) && term.type.element === undefined;
}

const unbounded = (equal: readonly Datum[]): KeyRange => ({ equal, from: null, to: null });

function product(lists: readonly (readonly Datum[])[]): Datum[][] {
  let all: Datum[][] = [[]];
  for (const values of lists) {
    all = all.flatMap((before) => values.map((v) => [...before, v]));
  }
  return all;
}

/** The stretch that the comparisons leave of an item's values: of nulls none is true. Adds those it heeds to `used`. */
function boundsOf(
  item: OrderItem,
  terms: readonly (Term | null)[],
  used: Set<Term>,
): Pick<KeyRange, "from" | "to"> | null {
  let low: KeyBound | null = null;
  let high: KeyBound | null = null;
  for (const term of terms) {
    if (term?.kind !== "range" || term.column !== item.column) continue;
    const bound = { value: term.value, inclusive: term.op.length === 2 };
    // Of two on one side the second is left to the filter.
    if (term.op.startsWith(">")) {
      if (low !== null) continue;
      low = bound;
    } else {
      if (high !== null) continue;
      high = bound;
    }
    used.add(term);
  }
  if (low === null && high === null) return null;
  const [from, to] = item.descending ? [high, low] : [low, high];
  const nulls: KeyBound = { value: null, inclusive: false };
  return { from: from ?? (item.nullsFirst ? nulls : null), to: to ?? (item.nullsFirst ? null : nulls) };
}

/** How many of the index's items behind `equal` are the order's first ones, and whether backwards; null: not one. */
function orderedBy(
  index: PlanIndex,
  equal: number,
  order: readonly OrderItem[],
): { readonly items: number; readonly backward: boolean } | null {
  const fixed = new Set(index.items.slice(0, equal).map((i) => i.column));
  const asked = order.filter((o) => !fixed.has(o.column));
  const rest = index.items.slice(equal);
  const matches = (backward: boolean): number => {
    let n = 0;
    for (; n < Math.min(asked.length, rest.length); n++) {
      const [a, b] = [asked[n]!, rest[n]!];
      if (a.column !== b.column) break;
      if ((a.descending !== b.descending) !== backward || (a.nullsFirst !== b.nullsFirst) !== backward) break;
    }
    return n;
  };
  for (const backward of [false, true]) {
    const items = matches(backward);
    if (items > 0) return { items, backward };
  }
  return null;
}
