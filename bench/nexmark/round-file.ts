/**
 * Rounds in two files, so that a process that is to work on them need not make them, and all that work on them have the same: the columns' bytes one behind the
 * other, each at a multiple of eight, and how long each is, as JSON. Whoever reads them has all columns in one buffer, which the collector looks at once.
 */
import { open, readFile, writeFile } from "node:fs/promises";
import type { Batch, Column } from "../../src/batch/batch.ts";
import { carrierOf } from "../../src/batch/types.ts";
import { type Round, schemas, type TopicName } from "./events.ts";

interface KeptBatch {
  readonly topic: TopicName;
  readonly length: number;
  /** Of each column of text, its bytes. */
  readonly textBytes: readonly number[];
}

interface KeptRound {
  readonly events: number;
  readonly batches: readonly KeptBatch[];
}

/** Read and written at once, at most. */
const PIECE_BYTES = 64 << 20;

export async function writeRounds(path: string, rounds: Iterable<Round>): Promise<void> {
  const kept: KeptRound[] = [];
  await using file = await open(path, "w");
  let pending: Uint8Array[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (pending.length > 0) await file.writev(pending);
    pending = [];
    bytes = 0;
  };
  for (const { events, batches } of rounds) {
    kept.push({ events, batches: Array.from(batches, ([topic, batch]) => keptBatch(topic, batch)) });
    for (const { columns } of batches.values()) {
      for (const part of columns.flatMap(partsOf)) {
        pending.push(part, new Uint8Array(aligned(part.length) - part.length));
        bytes += aligned(part.length);
      }
    }
    if (bytes >= PIECE_BYTES || pending.length >= 512) await flush();
  }
  await flush();
  await writeFile(`${path}.json`, JSON.stringify(kept));
}

export async function readRounds(path: string): Promise<Round[]> {
  const kept = JSON.parse(await readFile(`${path}.json`, "utf8")) as KeptRound[];
  const { buffer } = await contents(path);
  let at = 0;
  const next = (bytes: number): number => {
    const from = at;
    at += aligned(bytes);
    return from;
  };
  const batchOf = ({ topic, length, textBytes }: KeptBatch): Batch => {
    let texts = 0;
    const schema = schemas[topic];
    const columns = schema.fields.map(({ type }): Column => {
      const of = { type, length, validity: null };
      if (carrierOf(type) !== "string")
        return { kind: "fixed", ...of, values: new BigInt64Array(buffer, next(length * 8), length) };
      const offsets = new Int32Array(buffer, next((length + 1) * 4), length + 1);
      const bytes = textBytes[texts++]!;
      return { kind: "utf8", ...of, offsets, data: new Uint8Array(buffer, next(bytes), bytes) };
    });
    return { schema, length, columns, weights: null };
  };
  return kept.map(({ events, batches }) => ({
    events,
    batches: new Map(batches.map((batch) => [batch.topic, batchOf(batch)])),
  }));
}

async function contents(path: string): Promise<Uint8Array<ArrayBuffer>> {
  await using file = await open(path);
  const bytes = new Uint8Array((await file.stat()).size);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(PIECE_BYTES, bytes.length - at), at);
    if (bytesRead === 0) throw new Error(`${path} ends too early`);
    at += bytesRead;
  }
  return bytes;
}

function keptBatch(topic: TopicName, { length, columns }: Batch): KeptBatch {
  const textBytes = columns.flatMap((column) => (column.kind === "utf8" ? [column.data.length] : []));
  return { topic, length, textBytes };
}

function partsOf(column: Column): Uint8Array[] {
  if (column.kind === "utf8") return [bytesOf(column.offsets), column.data];
  return [bytesOf(column.values)];
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
