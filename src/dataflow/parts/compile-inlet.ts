/** A part of a plan -> its inlet, and what threads of their own keep for it. */
import { sourcesOf } from "../../plan/inspect.ts";
import { overStreams, type PlanPart } from "../../plan/parts.ts";
import type { Plan } from "../../plan/plan.ts";
import { addReads, columnsRead, type Reads } from "../../plan/reads.ts";
import { type CompileContext, fromRows, whole } from "../compile-context.ts";
import { identityOf } from "../identity.ts";
import type { Node } from "../node.ts";
import type { StoredNode } from "../operators/stored.ts";
import { Inlet } from "./inlet.ts";
import type { PartLinks } from "./link.ts";

/** `isLive`: others wait for its steps from the beginning; else it is built first. */
export function inletNode(
  context: CompileContext,
  { plan, keys, keysMove }: PlanPart,
  links: PartLinks,
  rows: { table(id: number): StoredNode },
  isLive: boolean,
): Node {
  const reads: Reads = new Map();
  addReads(plan, reads);
  const all = new Map(sourcesOf(plan).map((source) => [source.id, source]));
  const sources = [...all.values()].map(({ id, name, schema }) => {
    const columns = columnsRead(reads, id) ?? schema.fields.keys();
    return { id, name, schema, reads: [...columns].sort((a, b) => a - b), keys: keys?.get(id) ?? null };
  });
  const tables = sources.filter(({ id }) => all.get(id)?.relation === "table");
  const changes = tables.map(({ id, reads: columns }) =>
    fromRows(context.storeRows(whole(rows.table(id), all.get(id) as Plan), columns)),
  );
  const identity = `part ${identityOf(plan)}`;
  return context.node(identity, () => {
    const link = links.open({ plan: overStreams(plan), sources, isSplit: keys !== null, keysMove, isLive });
    return new Inlet(identity, plan.schema, link, changes, tables, context.dictionary);
  });
}
