/**
 * A query within a transaction: over the newest state and what the transaction has changed so far.
 *
 * The changes are put into the plan. A changed topic becomes its rows without those of changed keys, and the new rows beside them; a
 * materialized view that reads one is replaced by its own query over that. So a SELECT between BEGIN and COMMIT runs like any other, and
 * what the transaction has not touched is read from where it lies.
 */
import { EvertError, notSupported } from "../base/errors.ts";
import { bool } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import { withInputs } from "../plan/decorrelate.ts";
import { inputsOf } from "../plan/inspect.ts";
import type { Plan, Query, SourcePlan } from "../plan/plan.ts";
import type { TopicChanges } from "./changes.ts";

export interface Overlay {
  /** By topic id; only topics that changed. */
  readonly changes: ReadonlyMap<number, TopicChanges>;
  /** The query of a view by id. @throws EvertError where its code is not loaded. */
  readonly queryOf: (viewId: number) => Query;
  /** Whether a view leaves out rows that fail. */
  readonly skipsErrors: (viewId: number) => boolean;
}

export async function overlaid(query: Query, overlay: Overlay): Promise<Query> {
  return { ...query, plan: await overlaidPlan(query.plan, overlay) };
}

async function overlaidPlan(plan: Plan, overlay: Overlay): Promise<Plan> {
  if (plan.kind === "asOfJoin") {
    // What a record met at its own commit no change of the table alters.
    if (!reads(plan.left, overlay)) return plan;
    throw notSupported(
      "reading an as-of join of records that the same transaction has appended",
      undefined,
      "A record meets the table as of its own commit: read it after COMMIT.",
    );
  }
  if (plan.kind !== "source") {
    const inputs: Plan[] = [];
    for (const input of inputsOf(plan)) inputs.push(await overlaidPlan(input, overlay));
    return withInputs(plan, inputs);
  }
  if (plan.relation !== "view") {
    const changes = overlay.changes.get(plan.id);
    return changes === undefined ? plan : changed(plan, changes);
  }
  const { plan: below, visible } = overlay.queryOf(plan.id);
  if (!reads(below, overlay)) return plan;
  if (overlay.skipsErrors(plan.id)) {
    throw notSupported(
      `reading view "${plan.name}", which skips errors, once the same transaction has changed what it reads`,
    );
  }
  const over = await overlaidPlan(below, overlay);
  return build.projectColumns(
    over,
    Array.from({ length: visible }, (_, i) => i),
  );
}

/** Whether the plan, or a view it reads, reads a changed topic. */
function reads(plan: Plan, overlay: Overlay): boolean {
  if (plan.kind !== "source") return inputsOf(plan).some((input) => reads(input, overlay));
  return plan.relation === "view"
    ? reads(overlay.queryOf(plan.id).plan, overlay)
    : overlay.changes.has(plan.id);
}

async function changed(source: SourcePlan, changes: TopicChanges): Promise<Plan> {
  const { fields } = source.schema;
  const { keys, rows } = await changes.overlay(source.key !== null);
  const fresh = build.values(fields, rows);
  if (keys === null) return fresh;
  if (keys.length === 0) return build.union([source, fresh]);
  const key = source.key;
  if (key === null) throw new EvertError("internal", `topic "${source.name}" has changed rows and no key`);
  const gone = build.values(
    [...key.map((c) => fields[c]!), { name: "gone", type: bool }],
    keys.map((k) => [...k, true]),
  );
  const met = build.join({
    type: "left",
    left: source,
    right: gone,
    leftKeys: key,
    rightKeys: key.map((_, i) => i),
  });
  const untouched = build.filter(met, { kind: "isNull", arg: build.column(met, fields.length + key.length) });
  const columns = fields.map((_, i) => i);
  return build.union([build.projectColumns(untouched, columns), fresh]);
}
