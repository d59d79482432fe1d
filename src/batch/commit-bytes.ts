/** How large one commit may be, said wherever one is put together: before it takes the memory, and not only when the log refuses it. */
import { EvertError } from "../base/errors.ts";
import type { Batch } from "./batch.ts";

export const COMMIT_BYTES_MAX = 256 * 2 ** 20;

/** @throws record_too_large. A short text may be many bytes of columns: `{}` is a null in each. */
export function checkCommitBytes(bytes: number, bytesMax: number = COMMIT_BYTES_MAX): void {
  if (bytes > bytesMax) throw commitTooLarge(`more than ${bytesMax}`, bytesMax);
}

export function commitTooLarge(bytes: number | string, bytesMax: number): EvertError {
  return new EvertError("record_too_large", `a commit of ${bytes} bytes is too large`, {
    detail: `One commit holds at most ${bytesMax} bytes.`,
    hint: "Append in several commits.",
  });
}

/** What the batch takes in a commit, about. */
export function batchBytes({ columns }: Batch): number {
  let bytes = 64;
  for (const column of columns) {
    bytes += column.validity?.length ?? 0;
    bytes +=
      column.kind === "utf8" ? column.offsets.byteLength + column.data.length : column.values.byteLength;
  }
  return bytes;
}
