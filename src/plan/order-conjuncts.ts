/**
 * Conjuncts of a filter in the order in which PostgreSQL's planner has them evaluated (order_qual_clauses): the cheapest first, and of equals the first
 * written. It decides which of two fallible conjuncts a row meets first, and so whether `a / b > 1 AND b <> 0` fails.
 *
 * What counts is the number of operators, functions and casts through text. Tests for null, AND, OR and NOT are free, as there.
 */
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import { childrenOf, conjunction, conjuncts, inputsOf } from "./inspect.ts";
import { withInputs } from "./nodes.ts";
import type { Plan } from "./plan.ts";

/** Of a function of the user, as of one that CREATE FUNCTION makes. */
const USER_FUNCTION = 100;

export function orderConjuncts(plan: Plan): Plan {
  const inputs = inputsOf(plan);
  const next = inputs.map(orderConjuncts);
  const over = next.every((input, i) => input === inputs[i]) ? plan : withInputs(plan, next);
  if (over.kind !== "filter") return over;
  const parts = conjuncts(over.predicate);
  const costs = new Map(parts.map((part) => [part, costOf(part)]));
  if (parts.every((part, i) => i === 0 || costs.get(parts[i - 1]!)! <= costs.get(part)!)) return over;
  return build.filter(over.input, conjunction(parts.toSorted((a, b) => costs.get(a)! - costs.get(b)!))!);
}

function costOf(expr: Expr): number {
  return childrenOf(expr).reduce((sum, child) => sum + costOf(child), ownCost(expr));
}

function ownCost(expr: Expr): number {
  switch (expr.kind) {
    case "call":
    case "isDistinct":
      return 1;
    case "js":
    case "routine":
      return USER_FUNCTION;
    default:
      return 0;
  }
}
