/**
 * How many rows a plan gives, roughly: enough to join what is small first. Counted are the rows of relations when the query was planned; the rest
 * is rules of thumb (those of PostgreSQL where it has no statistics either). Null: it reads something nobody counted.
 */
import type { Expr } from "./expression.ts";
import { conjuncts, sidesOf } from "./inspect.ts";
import type { Plan } from "./plan.ts";

/** Of a value compared with a constant, and of any other condition. */
const EQUAL = 0.1;
const OTHER = 0.33;
/** What a group-by or a series makes of a row, or of many. */
const GROUPS_PER_ROW = 0.1;
const SERIES_ROWS = 10;

const estimates = new WeakMap<Plan, { readonly rows: number | null }>();

export function estimateRows(plan: Plan): number | null {
  let known = estimates.get(plan);
  if (known === undefined) estimates.set(plan, (known = { rows: estimate(plan) }));
  return known.rows;
}

/**
 * Different values that these columns are taken from. The rows of a key are all there are before a filter takes some away: a row that
 * refers to the key finds its partner as often as the filter leaves one. A column remains the key of the relation it comes from where joins have
 * repeated its rows.
 */
function domain(
  plan: Plan,
  columns: readonly number[],
): { readonly values: number; readonly isKey: boolean } {
  const taken = new Map<Plan, number[]>();
  for (const column of columns) {
    const from = originOf(plan, column);
    const known = taken.get(from.plan);
    if (known === undefined) taken.set(from.plan, [from.column]);
    else known.push(from.column);
  }
  const keys = [...taken].filter(([origin, own]) => origin.key?.every((k) => own.includes(k)));
  if (keys.length === 0) return { values: (estimateRows(plan) ?? 0) * GROUPS_PER_ROW, isKey: false };
  const values = keys.reduce((product, [origin]) => product * Math.max(1, estimateRows(origin) ?? 0), 1);
  return { values, isKey: true };
}

interface Origin {
  readonly plan: Plan;
  readonly column: number;
}

/** Of joins: a chain of hundreds is asked again with each of them. */
const origins = new WeakMap<Plan, Origin[]>();

/** Where the values of a column are taken from. */
function originOf(plan: Plan, column: number): Origin {
  if (plan.kind !== "join") return findOrigin(plan, column);
  let known = origins.get(plan);
  if (known === undefined) origins.set(plan, (known = []));
  return (known[column] ??= findOrigin(plan, column));
}

function findOrigin(plan: Plan, column: number): Origin {
  switch (plan.kind) {
    case "filter":
    case "temporal":
      return originOf(plan.input, column);
    case "project": {
      const expr = plan.exprs[column]!;
      return expr.kind === "column" ? originOf(plan.input, expr.index) : { plan, column };
    }
    case "join": {
      const left = plan.left.schema.fields.length;
      return column < left ? originOf(plan.left, column) : originOf(plan.right, column - left);
    }
    default:
      return { plan, column };
  }
}

function estimate(plan: Plan): number | null {
  switch (plan.kind) {
    case "source":
      return plan.rows;
    case "values":
      return plan.rows.length;
    case "filter":
      return times(estimateRows(plan.input), selectivity(plan.predicate, plan.input));
    case "project":
    case "mapFunction":
    case "distinct":
    case "window":
    case "temporal":
      return estimateRows(plan.input);
    case "series":
    case "tableFunction":
      return times(estimateRows(plan.input), SERIES_ROWS);
    case "group":
      return plan.keys.length === 0 ? 1 : times(estimateRows(plan.input), GROUPS_PER_ROW);
    case "topK": {
      const rows = estimateRows(plan.input);
      return rows === null || plan.limit === null || plan.partition.length > 0
        ? rows
        : Math.min(rows, plan.limit);
    }
    case "union":
      return plan.inputs.reduce<number | null>((sum, input) => {
        const rows = estimateRows(input);
        return sum === null || rows === null ? null : sum + rows;
      }, 0);
    case "setOperation":
    case "asOfJoin":
    case "apply":
      return estimateRows(plan.left);
    case "join":
      return estimateJoin(plan.left, plan.leftKeys, plan.right, plan.rightKeys);
    case "recursive":
      return times(estimateRows(plan.base), SERIES_ROWS);
    case "recursiveRef":
      return null;
  }
}

/** Rows of an inner join on these columns. */
export function estimateJoin(
  left: Plan,
  leftKeys: readonly number[],
  right: Plan,
  rightKeys: readonly number[],
): number | null {
  const [l, r] = [estimateRows(left), estimateRows(right)];
  if (l === null || r === null) return null;
  if (leftKeys.length === 0) return l * r;
  const domains = [domain(left, leftKeys), domain(right, rightKeys)];
  const known = domains.some((d) => d.isKey) ? domains.filter((d) => d.isKey) : domains;
  return (l * r) / Math.max(1, ...known.map((d) => d.values));
}

function times(rows: number | null, factor: number): number | null {
  return rows === null ? null : rows * factor;
}

function selectivity(predicate: Expr, input: Plan): number {
  let factor = 1;
  for (const part of conjuncts(predicate)) factor *= partSelectivity(part, input);
  return factor;
}

function partSelectivity(part: Expr, input: Plan): number {
  const sides = sidesOf(part);
  if (sides === undefined) return OTHER;
  const column = [sides.left, sides.right].find((e) => e.kind === "column");
  if (column?.kind !== "column") return OTHER;
  const rows = estimateRows(input);
  return input.key?.length === 1 && input.key[0] === column.index && rows !== null
    ? 1 / Math.max(1, rows)
    : EQUAL;
}
