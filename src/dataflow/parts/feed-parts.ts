/** Records on their way to the parts that read them: packed once for all, in memory that all threads see. */
import type { Batch } from "../../batch/batch.ts";
import type { Graph } from "../graph.ts";
import { Inlet } from "./inlet.ts";
import type { PartRows, PartSource } from "./link.ts";
import { sharedParcel } from "./parcel.ts";
import type { SharedParcels } from "./shared-parcels.ts";
import type { SharedRows } from "./shared-rows.ts";

export function inletsOf(graph: Graph): Inlet[] {
  return graph.nodes.filter((node) => node instanceof Inlet);
}

/** Parts that will answer no more are no longer taken for such as do: their views fail. */
export function failLost(graph: Graph, inlets: readonly Inlet[]): void {
  for (const inlet of inlets) if (inlet.lost !== null) graph.fail(inlet, inlet.lost);
}

export function feedParts(inlets: readonly Inlet[], topicId: number, batch: Batch): void {
  for (const readers of byColumns(readersOf(inlets, topicId), topicId)) {
    const rows = packed(readers, topicId, batch);
    if (rows === null) continue;
    for (const inlet of readers) inlet.feed(rows, batch.length);
    giveUp(readers, rows);
  }
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
  const all = readersOf(inlets, topicId).filter(({ mayGoAhead }) => mayGoAhead);
  for (const readers of byColumns(all, topicId)) {
    const rows = packed(readers, topicId, batch);
    if (rows === null) continue;
    for (const inlet of readers) {
      inlet.feedAhead(rows, batch.length);
      fed.add(inlet);
    }
    giveUp(readers, rows);
  }
}

/** What parts read of a topic, for whoever reads history for them. */
export interface WantedOfHistory {
  /** By their places. */
  readonly columns: readonly number[];
  /** Ways in which rows are told apart: key columns, as places among these columns. */
  readonly keys: readonly (readonly number[])[];
  readonly shared: SharedParcels;
}

/** null: they need nothing any more. */
export function wantedOfHistory(inlets: readonly Inlet[], topicId: number): WantedOfHistory | null {
  const readers = readersOf(inlets, topicId);
  if (readers.length === 0) return null;
  const columns = columnsOf(readers, topicId);
  const keys = new Map(readers.map((inlet) => [waysOf(inlet, topicId), keysOf(inlet, topicId)]));
  return {
    columns,
    keys: [...keys.values()].flatMap((key) => (key === null ? [] : [key.map((c) => columns.indexOf(c))])),
    shared: readers[0]!.link.shared,
  };
}

/** Rows that were read for them all as was wanted. Their memory is given up here by whoever read them. */
export function feedHistory(
  inlets: readonly Inlet[],
  topicId: number,
  { columns, keys, shared }: WantedOfHistory,
  rows: SharedRows,
): void {
  for (const inlet of readersOf(inlets, topicId)) {
    const key = keysOf(inlet, topicId)?.map((c) => columns.indexOf(c));
    const list = key === undefined ? null : keys.findIndex((each) => each.join() === key.join());
    const { memory: parcels, rows: count } = rows;
    inlet.feed({ sourceId: topicId, columns, parcels, shared: rows, list }, count);
  }
  for (const parcel of rows.memory) shared.release(parcel);
}

function sourceOf({ link }: Inlet, topicId: number): PartSource | undefined {
  return link.sources.find(({ id }) => id === topicId);
}

function keysOf(inlet: Inlet, topicId: number): readonly number[] | null {
  return sourceOf(inlet, topicId)?.keys ?? null;
}

function waysOf(inlet: Inlet, topicId: number): string {
  return keysOf(inlet, topicId)?.join() ?? "";
}

/** What parts read of a stream: those that have failed read nothing. */
export function columnsOfParts(inlets: readonly Inlet[], topicId: number): ReadonlySet<number> {
  return new Set(columnsOf(readersOf(inlets, topicId), topicId));
}

function columnsOf(readers: readonly Inlet[], topicId: number): number[] {
  const read = readers.flatMap((inlet) => sourceOf(inlet, topicId)?.reads ?? []);
  return [...new Set(read)].sort((a, b) => a - b);
}

/** Readers that know the same columns of the topic: what was made before it got more of them cannot unpack those. */
function byColumns(readers: readonly Inlet[], topicId: number): Iterable<readonly Inlet[]> {
  if (readers.length < 2) return [readers];
  const alike = new Map<number, Inlet[]>();
  for (const inlet of readers) {
    const columns = sourceOf(inlet, topicId)?.schema.fields.length ?? 0;
    const known = alike.get(columns);
    if (known === undefined) alike.set(columns, [inlet]);
    else known.push(inlet);
  }
  return alike.values();
}

/** Whoever needs them holds them by now. */
function giveUp(readers: readonly Inlet[], { parcels }: PartRows): void {
  const { shared } = readers[0]!.link;
  for (const parcel of parcels) shared.release(parcel);
}

function readersOf(inlets: readonly Inlet[], topicId: number): Inlet[] {
  return inlets.filter(({ failed, streams }) => failed === null && streams.has(topicId));
}

/** null: nobody reads them, or whoever would has failed. */
function packed(readers: readonly Inlet[], topicId: number, batch: Batch): PartRows | null {
  if (readers.length === 0) return null;
  try {
    const columns = columnsOf(readers, topicId);
    const { schema, length, weights } = batch;
    const picked = {
      schema: { fields: columns.map((c) => schema.fields[c]!) },
      length,
      columns: columns.map((c) => batch.columns[c]!),
      weights,
    };
    return { sourceId: topicId, columns, parcels: [sharedParcel(picked, readers[0]!.link.shared)] };
  } catch (thrown) {
    // There may be no memory for it. That is theirs: all others go on.
    for (const inlet of readers) inlet.host.fail(inlet, thrown);
    return null;
  }
}
