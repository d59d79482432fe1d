/** The changes of a step as they are written: JSON in one room, and of each change where it begins and what its key hashes to. */
import { encodeUtf8 } from "../base/bytes.ts";
import { Int32List } from "../state/memory.ts";
import { JsonBytes } from "./json-bytes.ts";
import type { RowBytes } from "./row-bytes.ts";
import { type ChangeTaker, type Op, rowsFor } from "./step-changes.ts";
import type { View } from "./view.ts";

/** Where in a change its key stands. The three words are as long, so it is the same in each. */
export const KEY_AT: number = '{"op":"insert","key":'.length;
const HEADS = {
  insert: encodeUtf8('{"op":"insert","key":'),
  update: encodeUtf8('{"op":"update","key":'),
  delete: encodeUtf8('{"op":"delete","key":'),
};
const ROW = encodeUtf8(',"row":');
const OLD = encodeUtf8(',"old":');
const COMMA = 44;
const END = 125; // }

export class ChangeWriter implements ChangeTaker {
  /** With a comma before each change but the first. */
  readonly out: JsonBytes = new JsonBytes();
  /** Of each change the hash of its key, and where it begins. */
  readonly index: Int32List = new Int32List();
  #rows: RowBytes | null = null;

  /** Begins anew, with changes of this view. */
  begin(view: View): this {
    this.out.clear();
    this.index.clear();
    this.#rows = view.rowBytes;
    return this;
  }

  get changes(): number {
    return this.index.length / 2;
  }

  get bytes(): number {
    return this.out.at;
  }

  changed(op: Op, before: number, after: number, key: string | null): number {
    const { out, index } = this;
    const rows = this.#rows as RowBytes;
    out.room(1);
    if (index.length > 0) out.U[out.at++] = COMMA;
    const start = out.at;
    out.raw(HEADS[op]);
    if (key === null) rows.key(after >= 0 ? after : before, out);
    else out.string(key);
    index.push(hashOf(out.U, start + KEY_AT, out.at));
    index.push(start);
    if (after >= 0) {
      out.raw(ROW);
      rows.row(after, out);
    }
    if (before >= 0) {
      out.raw(OLD);
      rows.row(before, out);
    }
    out.room(1);
    out.U[out.at++] = END;
    return rowsFor(out.at - start);
  }
}

/** Of a key's JSON, as it is in the index: FNV-1a, its bits mixed once more for tables. */
export function hashOf(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  return h ^ (h >>> 15);
}
