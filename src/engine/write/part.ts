/** What a commit is made of, before it is staged. */
import type { Batch } from "../../batch/batch.ts";
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

/** Right for short values, and costs nothing. */
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
