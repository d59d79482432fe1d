/** Records on their way to the parts that read them: packed once for all, in memory that all threads see. */
import type { Batch } from "../../batch/batch.ts";
import type { Graph } from "../graph.ts";
import { Inlet } from "./inlet.ts";
import type { PartRows } from "./link.ts";
import { sharedParcel } from "./parcel.ts";

export function inletsOf(graph: Graph): Inlet[] {
  return graph.nodes.filter((node) => node instanceof Inlet);
}

/** Resolves when the parts have room for more; null: so it is. */
export function feedParts(inlets: readonly Inlet[], topicId: number, batch: Batch): Promise<void> | null {
  const { readers, rows } = packed(inlets, topicId, batch);
  let room: Promise<void> | null = null;
  for (const inlet of readers) {
    inlet.feed(rows);
    room ??= inlet.link.room;
  }
  return room;
}

/**
 * Rows of the step after this one, for parts that need not wait for it: once they have sent off this one's. Those that were fed are added to `fed`;
 * when they have all, each goes ahead.
 */
export function feedPartsAhead(
  inlets: readonly Inlet[],
  topicId: number,
  batch: Batch,
  fed: Set<Inlet>,
): void {
  const { readers, rows } = packed(
    inlets.filter(({ mayGoAhead }) => mayGoAhead),
    topicId,
    batch,
  );
  for (const inlet of readers) {
    inlet.link.feed(rows);
    fed.add(inlet);
  }
}

function packed(
  inlets: readonly Inlet[],
  topicId: number,
  batch: Batch,
): { readonly readers: readonly Inlet[]; readonly rows: readonly PartRows[] } {
  const readers = inlets.filter(({ failed, streams }) => failed === null && streams.has(topicId));
  if (readers.length === 0) return { readers, rows: [] };
  const read = readers.flatMap(({ link }) => link.sources.find(({ id }) => id === topicId)?.reads ?? []);
  const columns = [...new Set(read)].sort((a, b) => a - b);
  const { schema, length, weights } = batch;
  const picked = {
    schema: { fields: columns.map((c) => schema.fields[c]!) },
    length,
    columns: columns.map((c) => batch.columns[c]!),
    weights,
  };
  return { readers, rows: [{ sourceId: topicId, columns, parcels: [sharedParcel(picked)] }] };
}
