/**
 * Which key a row has, in sixteen bytes: equal keys have equal ones, others have others.
 *
 * The values of the key's columns are laid one behind the other, those that PostgreSQL calls equal alike: integers of any width as eight bytes,
 * doubles with one zero and one NaN, texts as they are, types with an equality of their own as their order keys. What has at most fifteen bytes is
 * the digest itself, with its length in the last. What is longer is represented by the first fifteen bytes of its SHA-256: nobody can make two keys
 * that pass for one, so that no row is lost for another's sake.
 */
import { hash } from "node:crypto";
import { encodeUtf8 } from "../../base/bytes.ts";
import type { Column } from "../../batch/batch.ts";
import { getBit } from "../../batch/bitmap.ts";
import { textAt } from "../../batch/column.ts";
import { orderKeyOf } from "../../batch/order-key.ts";
import { isSmallNumeric, type SqlType } from "../../batch/types.ts";

/** In 32-bit words. */
export const DIGEST_WORDS = 4;
const DIGEST_BYTES = 4 * DIGEST_WORDS;
const DIRECT_BYTES_MAX = DIGEST_BYTES - 1;
const HASHED = 0xff;
const ROOM_MIN = 64;

export class KeyDigest {
  /** Of the row that was asked for last. */
  readonly words = new Int32Array(DIGEST_WORDS);
  readonly #bytes = new Uint8Array(this.words.buffer);
  readonly #types: readonly SqlType[];
  #room = new Uint8Array(ROOM_MIN);
  #view = new DataView(this.#room.buffer);
  #length = 0;

  /** Of the key's columns. */
  constructor(types: readonly SqlType[]) {
    this.#types = types;
  }

  /** `columns`: of the key, in its order. REQUIRES values that are not null. */
  take(columns: readonly Column[], row: number): void {
    this.#length = 0;
    const isAlone = columns.length === 1;
    for (let k = 0; k < columns.length; k++) this.#put(columns[k]!, this.#types[k]!, row, isAlone);
    const length = this.#length;
    if (length <= DIRECT_BYTES_MAX) {
      this.#bytes.fill(0);
      this.#bytes.set(this.#room.subarray(0, length));
      this.#bytes[DIRECT_BYTES_MAX] = length;
      return;
    }
    const digest = hash("sha256", this.#room.subarray(0, length), "buffer");
    this.#bytes.set(digest.subarray(0, DIRECT_BYTES_MAX));
    this.#bytes[DIRECT_BYTES_MAX] = HASHED;
  }

  #put(column: Column, type: SqlType, row: number, isAlone: boolean): void {
    switch (column.kind) {
      case "fixed": {
        this.#reserve(8);
        const value = column.values[row]!;
        if (typeof value === "bigint") this.#view.setBigInt64(this.#length, value, true);
        else if (column.values instanceof Int32Array) {
          this.#view.setInt32(this.#length, value, true);
          this.#view.setInt32(this.#length + 4, value < 0 ? -1 : 0, true);
        } else this.#view.setFloat64(this.#length, Number.isNaN(value) ? Number.NaN : value + 0, true);
        this.#length += 8;
        return;
      }
      case "bits":
        this.#reserve(1);
        this.#room[this.#length++] = getBit(column.values, row) ? 1 : 0;
        return;
      case "utf8": {
        const order = orderKeyOf(type);
        if (order !== null) this.#putBytes(order.of(textAt(column, row)), isAlone);
        else if (type.name === "numeric" && !isSmallNumeric(type))
          this.#putBytes(encodeUtf8(withoutScale(textAt(column, row))), isAlone);
        else this.#putBytes(column.data.subarray(column.offsets[row], column.offsets[row + 1]), isAlone);
      }
    }
  }

  /** Behind their length, so that two columns are not taken for two others. */
  #putBytes(bytes: Uint8Array, isAlone: boolean): void {
    this.#reserve(bytes.length + 4);
    if (!isAlone) {
      this.#view.setUint32(this.#length, bytes.length, true);
      this.#length += 4;
    }
    this.#room.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#room.length) return;
    const room = new Uint8Array(2 * needed);
    room.set(this.#room.subarray(0, this.#length));
    this.#room = room;
    this.#view = new DataView(room.buffer);
  }
}

/** A numeric's text: 1.50 is 1.5. */
function withoutScale(text: string): string {
  const plain = text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  return plain === "-0" ? "0" : plain;
}
