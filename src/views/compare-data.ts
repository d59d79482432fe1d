/** Values as readers compare them: what is equal in SQL, and what comes before what. */
import type { Datum } from "../batch/convert.ts";
import { compareKeys, orderKeyOf } from "../batch/order-key.ts";
import { carrierOf, isNumericText, type SqlType } from "../batch/types.ts";
import { compareFloat } from "../state/equality.ts";
import { compareNumericText } from "../state/numeric-order.ts";

/** Data that are equal in SQL become identical. */
export function comparable(type: SqlType, datum: Exclude<Datum, null>): Exclude<Datum, null> {
  if (carrierOf(type) === "double") return (datum as number) + 0;
  // A state row gives safe integers as numbers, a parsed value comes as a bigint.
  if (typeof datum === "bigint") {
    return datum <= Number.MAX_SAFE_INTEGER && datum >= Number.MIN_SAFE_INTEGER ? Number(datum) : datum;
  }
  if (isNumericText(type)) {
    const s = datum as string;
    return s.includes(".") ? s.replace(/0+$/, "").replace(/\.$/, "") : s;
  }
  const key = orderKeyOf(type);
  return key === null ? datum : latin1(key.of(datum as string));
}

/** Bytes as a string of as many characters. */
function latin1(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += String.fromCharCode(byte);
  return out;
}

/** Values that are equal and print differently are equal here: what comes next in the order decides. */
export function compareData(type: SqlType, a: Exclude<Datum, null>, b: Exclude<Datum, null>): number {
  if (carrierOf(type) === "double") return compareFloat(a as number, b as number);
  if (typeof a === "string" && typeof b === "string") {
    if (isNumericText(type)) return compareNumericText(utf8(a), utf8(b));
    const key = orderKeyOf(type);
    return key === null ? compareUtf8(a, b) : compareKeys(key.of(a), key.of(b));
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const encoder = new TextEncoder();

/** Order of the UTF-8 bytes of two strings, which is the order of their code points. */
function compareUtf8(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above all others of the plane.
    const sx = x >= 0xd800 && x <= 0xdfff ? x + 0x10000 : x;
    const sy = y >= 0xd800 && y <= 0xdfff ? y + 0x10000 : y;
    return sx - sy;
  }
  return a.length - b.length;
}
