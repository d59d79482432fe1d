/** What a plan inside an apply reads of the apply's left side. */
import type { Expr, OuterExpr } from "./expression.ts";
import { childrenOf, inputsOf, mapChildren } from "./inspect.ts";
import { exprsOf, withInputs } from "./nodes.ts";
import type { Plan } from "./plan.ts";

/** Columns of apply `id`'s left side that the plan reads, ascending. */
export function outerColumns(plan: Plan, id: number): number[] {
  return [...new Set(outersOf(plan, id).map((o) => o.index))].sort((a, b) => a - b);
}

const NONE: ReadonlySet<number> = new Set();
const known = new WeakMap<Plan, ReadonlySet<number>>();

/**
 * The applies whose left sides the plan reads. Kept for each plan: subqueries within subqueries are asked for each of those around them, and most of what
 * stands in them reads none.
 */
function appliesRead(plan: Plan): ReadonlySet<number> {
  let applies = known.get(plan);
  if (applies === undefined) {
    const all = new Set<number>();
    for (const expr of exprsOf(plan)) addApplies(expr, all);
    for (const input of inputsOf(plan)) for (const id of appliesRead(input)) all.add(id);
    known.set(plan, (applies = all.size === 0 ? NONE : all));
  }
  return applies;
}

function addApplies(expr: Expr, all: Set<number>): void {
  if (expr.kind === "outer") all.add(expr.apply);
  else for (const child of childrenOf(expr)) addApplies(child, all);
}

/** What the plan reads of apply `id`'s left side, as often as it does. */
export function outersOf(plan: Plan, id: number): OuterExpr[] {
  const found: OuterExpr[] = [];
  const seen = new Set<Plan>();
  const visit = (at: Plan): void => {
    if (seen.has(at) || !appliesRead(at).has(id)) return;
    seen.add(at);
    for (const expr of exprsOf(at)) eachOuter(expr, id, (o) => found.push(o));
    inputsOf(at).forEach(visit);
  };
  visit(plan);
  return found;
}

/** Whether the plan reads anything of apply `id`'s left side. */
export function readsOuter(plan: Plan, id: number): boolean {
  return appliesRead(plan).has(id);
}

function eachOuter(expr: Expr, id: number, visit: (outer: OuterExpr) => void): void {
  if (expr.kind === "outer") {
    if (expr.apply === id) visit(expr);
  } else for (const child of childrenOf(expr)) eachOuter(child, id, visit);
}

export function hasOuter(expr: Expr, id: number): boolean {
  let has = false;
  eachOuter(expr, id, () => {
    has = true;
  });
  return has;
}

/** The plan with each outer column of apply `id` replaced. */
export function mapOuter(plan: Plan, id: number, map: (outer: OuterExpr) => Expr): Plan {
  const done = new Map<Plan, Plan>();
  const replace = (e: Expr): Expr =>
    e.kind === "outer" && e.apply === id ? map(e) : mapChildren(e, replace);
  const visit = (at: Plan): Plan => {
    if (!appliesRead(at).has(id)) return at;
    let made = done.get(at);
    if (made === undefined) done.set(at, (made = withInputs(at, inputsOf(at).map(visit), replace)));
    return made;
  };
  return visit(plan);
}
