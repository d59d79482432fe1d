/** What a step of a join goes through, in the order in which every prefix of what it gives is a proper multiset (join.ts). */
import type { JoinType } from "../../plan/plan.ts";
import type { Part } from "./delta.ts";
import type { SideName } from "./join-code.ts";
import type { Run } from "./join-parts.ts";

export interface Phase {
  readonly run: Run;
  readonly part: Part;
  /** Whether it meets all of the other side, as it is after the step. */
  readonly isOnly?: boolean;
}

/** An inner join's first step, where all is new: the side with more rows, one after the other, meets the other. */
export const firstSteps = {
  left: [{ run: "fromLeft", part: "born", isOnly: true }],
  right: [{ run: "fromRight", part: "born", isOnly: true }],
} as const satisfies Record<SideName, readonly Phase[]>;

export function phasesOf(type: JoinType): Phase[] {
  const phases: Phase[] = [{ run: "fromLeft", part: "died" }];
  if (type === "full") phases.push({ run: "turnRight", part: "died" }, { run: "turnRight", part: "born" });
  phases.push({ run: "fromLeft", part: "born" }, { run: "fromRight", part: "died" });
  if (type !== "inner") phases.push({ run: "turnLeft", part: "died" }, { run: "turnLeft", part: "born" });
  phases.push({ run: "fromRight", part: "born" });
  return phases;
}

/** Of the rows that the phase makes: those of what has died leave. */
export function signOf({ part }: Phase): number {
  return part === "died" ? -1 : 1;
}
