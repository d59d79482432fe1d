/** What no operator does, found in a plan before anything is made of it: who declares a view is told, and no view is there. */
import { unreachable } from "../base/assert.ts";
import { notSupported } from "../base/errors.ts";
import { nodesOf } from "./inspect.ts";
import { loopOf } from "./iterations.ts";
import type { AsOfJoinPlan, Plan } from "./plan.ts";

/** REQUIRES an optimized plan. @throws feature_not_supported */
export function checkOperators(plan: Plan): void {
  for (const node of nodesOf(plan)) {
    if (node.kind === "asOfJoin") checkAsOfJoin(node);
    // Its loop is made of the plan, or cannot be.
    if (node.kind === "recursive") loopOf(node);
  }
}

/** @throws feature_not_supported */
export function checkAsOfJoin(plan: AsOfJoinPlan): void {
  if (keepsCommits(plan.left)) return;
  throw notSupported(
    "an as-of join whose left side is joined or grouped",
    undefined,
    "Put the as-of join first.",
  );
}

/** Whether rows still carry the commit of the record they came from. */
export function keepsCommits(plan: Plan): boolean {
  switch (plan.kind) {
    case "source":
      return plan.relation === "stream";
    case "filter":
    case "project":
    case "mapFunction":
    case "series":
    case "tableFunction":
      return keepsCommits(plan.input);
    case "asOfJoin":
      return keepsCommits(plan.left);
    case "union":
      return plan.inputs.every(keepsCommits);
    case "values":
    case "join":
    case "group":
    case "distinct":
    case "setOperation":
    case "topK":
    case "window":
    case "recursive":
    case "recursiveRef":
    case "temporal":
    case "apply":
      return false;
    default:
      return unreachable(plan);
  }
}
