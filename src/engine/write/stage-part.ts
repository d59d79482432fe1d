/**
 * Parts of a commit on their way into the log's open group. What has many rows is made a batch first, aside and a slice at a time: then staging, in
 * which nobody else has a turn, is one copy.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EvertError } from "../../base/errors.ts";
import type { Batch, Column } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import { checkCommitBytes } from "../../batch/commit-bytes.ts";
import { schemaOf } from "../../batch/schema.ts";
import { int8 } from "../../batch/types.ts";
import { type CommitDraft, OP_DELETE, OP_UPSERT } from "../../log/log.ts";
import { ROW_ID, visibleSchema } from "../catalog/entries.ts";
import { type Part, rowsOf } from "./part.ts";

/** Rows validated between two turns of the event loop. */
const SLICE_ROWS = 1024;
/** What has more rows than this is made a batch. */
const ASIDE_ROWS = 2048;

/** Whether nothing of the parts is worth a turn of its own. */
export function isSmall(parts: readonly Part[]): boolean {
  return rowsOf(parts) <= ASIDE_ROWS;
}

/** Large parts become batches. */
export async function prepared(parts: readonly Part[]): Promise<readonly Part[]> {
  if (parts.every(isReady)) return parts;
  const ready: Part[] = [];
  for (const part of parts) {
    // The batch of a table with hidden ids is without them: rows that name theirs stay rows.
    const named = part.op === "delete" || (part.op === "upsert" && part.hasRowId === true);
    if (part.op === "batch" || part.rows.length <= ASIDE_ROWS || (named && part.topic.hiddenRowId)) {
      ready.push(part);
      continue;
    }
    const { topic, rows, path } = part;
    const builder = new BatchBuilder(visibleSchema(topic));
    for (let i = 0; i < rows.length; i += SLICE_ROWS) {
      if (i > 0) await nextTurn();
      const end = Math.min(rows.length, i + SLICE_ROWS);
      if (part.op === "upsert") builder.appendRows(rows, path, i, end);
      else for (let r = i; r < end; r++) builder.appendKeyOnly(rows[r], topic.key ?? [], path, r);
      checkCommitBytes(builder.byteLength);
    }
    const ops = part.op === "delete" ? new Uint8Array(rows.length).fill(OP_DELETE) : null;
    ready.push({ topic, op: "batch", batch: builder.finish(), ops, bySink: part.bySink });
  }
  return ready;
}

/** Whether the part may be staged as it is. */
function isReady(part: Part): boolean {
  return part.op === "batch" || part.rows.length <= ASIDE_ROWS;
}

/** `offset`: of the part's first row. @throws EvertError where a row is none of the topic's: then the draft is to be rolled back. */
export function stagePart(draft: CommitDraft, part: Part, offset: number): void {
  const { id } = part.topic;
  if (part.op === "batch") {
    const batch = part.topic.hiddenRowId ? withRowIds(part.batch, offset) : part.batch;
    draft.appendBatch(id, batch, part.ops);
    return;
  }
  const { rows, path, topic } = part;
  if (part.op === "delete") {
    for (let i = 0; i < rows.length; i++) draft.appendRow(id, rows[i], OP_DELETE, path, i);
    return;
  }
  if (!topic.hiddenRowId || part.hasRowId === true) {
    draft.appendRows(id, rows, path);
    return;
  }
  // The offset a row gets is its identity for ever.
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    if (row !== null && typeof row === "object" && Object.hasOwn(row, ROW_ID)) {
      throw new EvertError("undefined_column", `${path}[${i}].${ROW_ID} is not a column of "${topic.name}"`);
    }
    const plain = row !== null && typeof row === "object" && !Array.isArray(row);
    try {
      draft.appendRow(id, plain ? { ...row, [ROW_ID]: offset + i } : row, OP_UPSERT, path, i);
    } catch (error) {
      // Refused as the topic's own columns would: the hidden one is nobody's to name, in a hint neither.
      new BatchBuilder(visibleSchema(topic)).appendRows(rows, path, i, i + 1);
      throw error;
    }
  }
}

/** The same rows with their offsets, which are their identity for ever. */
function withRowIds(batch: Batch, offset: number): Batch {
  const values = BigInt64Array.from({ length: batch.length }, (_, i) => BigInt(offset + i));
  const ids: Column = { kind: "fixed", type: int8, length: batch.length, validity: null, values };
  const schema = schemaOf([...batch.schema.fields, { name: ROW_ID, type: int8, nullable: false }]);
  return { ...batch, schema, columns: [...batch.columns, ids] };
}
