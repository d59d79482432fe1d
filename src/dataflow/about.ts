/** Which part of a plan a node works off, in words, for EXPLAIN ANALYZE. */
import { nodeText } from "../plan/explain.ts";
import type { Plan } from "../plan/plan.ts";
import type { Node } from "./node.ts";
import { StoreRows } from "./operators/store-rows.ts";
import { Pick } from "./operators/stream.ts";

/** The texts of the filters and projects from the plan down to where the loop begins. */
export function textsDownTo(plan: Plan, base: Plan): string[] {
  const texts: string[] = [];
  for (let at = plan; at !== base && (at.kind === "filter" || at.kind === "project"); at = at.input)
    texts.push(nodeText(at));
  return texts;
}

/** The same, and that of the base, which is part of the loop. */
export function textsWith(plan: Plan, base: Plan): string[] {
  return [...textsDownTo(plan, base), nodeText(base)];
}

/** The plan's text goes to the operator that computes it, not to the one that picks its columns. A shared one keeps the text it has. */
export function noteAbout(node: Node, plan: Plan): void {
  if (plan.kind === "source" || plan.kind === "values" || plan.kind === "filter" || plan.kind === "project")
    return;
  let at = node;
  while (at instanceof Pick || at instanceof StoreRows) at = at.sources[0]!.node;
  if (at.about.length === 0) at.about = [nodeText(plan)];
}
