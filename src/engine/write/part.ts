/** What a commit is made of before it is staged, and how much that is. */
import { utf8Length } from "../../base/bytes.ts";
import type { Batch } from "../../batch/batch.ts";
import { batchBytes } from "../../batch/commit-bytes.ts";
import { OP_DELETE } from "../../log/log.ts";
import type { TopicEntry } from "../catalog/catalog.ts";

/** One topic's part of a commit. */
export type Part =
  | {
      readonly topic: TopicEntry;
      readonly op: "upsert" | "delete";
      readonly rows: readonly unknown[];
      /** The same without what defaults gave them: what makes a request the same when it comes again. Absent: as the rows are. */
      readonly given?: readonly unknown[];
      readonly path: string;
      /** About what a row takes (rowBytesOf); absent: its topic says so. */
      readonly rowBytes?: number;
      /** Rows of a table without primary key name their hidden row id. */
      readonly hasRowId?: boolean;
      /** Id of the view whose sink the topic is: it alone writes there. */
      readonly bySink?: number;
    }
  | {
      readonly topic: TopicEntry;
      readonly op: "batch";
      /** Of a table without primary key: without its hidden column. */
      readonly batch: Batch;
      readonly ops: Uint8Array | null;
      readonly bySink?: number | undefined;
    };

/** About what a row of the topic takes, where its values are short. */
export function rowBytesOf({ schema }: TopicEntry): number {
  return 16 + schema.fields.length * 16;
}

/** Rows that it brings, deletions left out. */
export function upsertsOf(part: Part): number {
  if (part.op !== "batch") return part.op === "delete" ? 0 : part.rows.length;
  const { batch, ops } = part;
  let rows = batch.length;
  for (let i = 0; ops !== null && i < batch.length; i++) if (ops[i] === OP_DELETE) rows--;
  return rows;
}

export function rowsOf(parts: readonly Part[]): number {
  let rows = 0;
  for (const part of parts) rows += part.op === "batch" ? part.batch.length : part.rows.length;
  return rows;
}

/** Bytes that the parts take in the log. Right for short values, and costs nothing. */
export function estimate(parts: readonly Part[]): number {
  let bytes = 64;
  for (const part of parts) {
    if (part.op === "batch") bytes += batchBytes(part.batch);
    else bytes += part.rows.length * (part.rowBytes ?? rowBytesOf(part.topic));
  }
  return bytes;
}

/** The same of long values, too: looks at every one. */
export function measure(parts: readonly Part[]): number {
  let bytes = estimate(parts);
  for (const part of parts) if (part.op !== "batch") for (const row of part.rows) bytes += valueBytes(row);
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === "string") return utf8Length(value);
  if (typeof value !== "object" || value === null) return 16;
  let bytes = 16;
  for (const [name, item] of Object.entries(value)) bytes += name.length + valueBytes(item);
  return bytes;
}
