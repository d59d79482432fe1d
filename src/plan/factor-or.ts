/**
 * What every branch of an OR asks for, asked once before it: (a AND b) OR (a AND c) becomes a AND (b OR c), as PostgreSQL's planner does it
 * (find_duplicate_ors). Then `a` can become a join's key, or move down to a source.
 *
 * The law holds with three truth values, too. Errors: `a` is taken out only where it cannot fail and, in each branch, stands before everything
 * that can, so that a row of which `a` is false has raised none before either. If nothing is left of a branch, the OR says no more than
 * `a`; it goes unless another branch may fail. Over a join, what is left may say something of one side alone (implied-by-or.ts).
 */
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import { exprKey } from "./fingerprint.ts";
import { withImplied } from "./implied-by-or.ts";
import { conjunction, conjuncts, inputsOf, isFallible } from "./inspect.ts";
import { withInputs } from "./nodes.ts";
import type { Plan } from "./plan.ts";

/** The same rows; a plan that stands in several places is rewritten once. */
export function factorDisjunctions(plan: Plan): Plan {
  const done = new Map<Plan, Plan>();
  const visit = (at: Plan): Plan => {
    let made = done.get(at);
    if (made === undefined) done.set(at, (made = factorNode(over(at, inputsOf(at).map(visit)))));
    return made;
  };
  return visit(plan);
}

function over(plan: Plan, inputs: readonly Plan[]): Plan {
  return inputsOf(plan).every((input, i) => input === inputs[i])
    ? plan
    : withInputs(plan, inputs, (expr) => expr);
}

function factorNode(plan: Plan): Plan {
  if (plan.kind !== "filter") return plan;
  const parts = conjuncts(plan.predicate);
  const once = parts.flatMap(factor);
  const factored = plan.input.kind === "join" ? withImplied(once) : once;
  const same = factored.length === parts.length && factored.every((part, i) => part === parts[i]);
  return same ? plan : build.filter(plan.input, conjunction(factored)!);
}

/** The conjuncts that say the same. */
function factor(expr: Expr): readonly Expr[] {
  if (expr.kind !== "or") return [expr];
  const branches = expr.args.map(conjuncts);
  const common = branches.map(beforeFailures).reduce(shared);
  if (common.length === 0) return [expr];
  const taken = new Set(common.map(exprKey));
  const rests = branches.map((parts) => conjunction(parts.filter((p) => !taken.has(exprKey(p)))));
  if (rests.some((rest) => rest === undefined)) return isFallible(expr) ? [expr] : common;
  return [...common, { kind: "or", args: rests as Expr[] }];
}

function beforeFailures(parts: readonly Expr[]): readonly Expr[] {
  const first = parts.findIndex(isFallible);
  return first < 0 ? parts : parts.slice(0, first);
}

function shared(some: readonly Expr[], others: readonly Expr[]): readonly Expr[] {
  const known = new Set(others.map(exprKey));
  return some.filter((expr) => known.has(exprKey(expr)));
}
