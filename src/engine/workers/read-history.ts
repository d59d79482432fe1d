/**
 * A piece of a sealed segment, read by whatever thread has time: unpacked into memory that all threads see, its rows told apart for the shards that
 * want them.
 */
import { openedFile } from "../../base/node-disk.ts";
import { type SharedRows, SharedWriter } from "../../dataflow/parts/shared-rows.ts";
import type { HistoryPiece, Pause, SealedPiece } from "../../log/log.ts";
import { readPiece } from "../../log/sealed/pieces.ts";

/** Plain data. */
export interface ReadTask {
  readonly piece: SealedPiece;
  /** Open until the task is done. */
  readonly file: HistoryPiece["file"];
  /** Key columns, as places among the piece's columns, for each way in which rows are told apart. */
  readonly keys: readonly (readonly number[])[];
  readonly shards: number;
  /** For what is read. Where it is not enough, more is made. */
  readonly memory: readonly Uint8Array[];
}

/** @throws EvertError log_damaged, io_error */
export async function readHistory(task: ReadTask, pause: Pause): Promise<SharedRows> {
  const { piece, file, keys, shards, memory } = task;
  const writer = new SharedWriter(memory);
  // What turns one type into another wants integers as they are in the log.
  const numbers =
    piece.to === null
      ? writer
      : { int32: (rows: number) => writer.int32(rows), int64: (rows: number) => writer.int64(rows) };
  for await (const batch of readPiece(openedFile(file.path, file.descriptor), piece, numbers, pause))
    writer.add(batch, piece.columns, keys, shards);
  return writer.written;
}

/** About as much memory as the piece will take. */
export function bytesToRead({ bytes, rows, columns }: SealedPiece, ways: number): number {
  return bytes + rows * (8 * columns.length + 4 * ways);
}
