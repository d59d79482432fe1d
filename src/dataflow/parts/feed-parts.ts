/** Records on their way to the parts that read them: packed once for all, in memory that all threads see. */
import type { Batch } from "../../batch/batch.ts";
import type { Graph } from "../graph.ts";
import { Inlet } from "./inlet.ts";
import type { PartRows } from "./link.ts";
import { sharedParcel } from "./parcel.ts";

export function inletsOf(graph: Graph): Inlet[] {
  return graph.nodes.filter((node) => node instanceof Inlet);
}

/** Parts that will answer no more are no longer taken for such as do: their views fail. */
export function failLost(graph: Graph, inlets: readonly Inlet[]): void {
  for (const inlet of inlets) if (inlet.lost !== null) graph.fail(inlet, inlet.lost);
}

export function feedParts(inlets: readonly Inlet[], topicId: number, batch: Batch): void {
  const { readers, rows } = packed(inlets, topicId, batch);
  for (const inlet of readers) inlet.feed(rows);
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
  const ahead = inlets.filter(({ mayGoAhead }) => mayGoAhead);
  const { readers, rows } = packed(ahead, topicId, batch);
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
  try {
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
  } catch (thrown) {
    // There may be no memory for it. That is theirs: all others go on.
    for (const inlet of readers) inlet.host.fail(inlet, thrown);
    return { readers: [], rows: [] };
  }
}
