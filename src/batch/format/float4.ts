/**
 * PostgreSQL's text forms of float4, which is a double here that Math.fround leaves as it is.
 *
 * Output is the shortest decimal that reads back as the same float, and none that lies halfway between two floats. A float needs at
 * most nine digits, so the first of one to nine that reads back is taken. Plain from 1e-4 up to below 1e6, with an exponent elsewhere.
 */
import { formatFloat8, parseFloating, plainDecimal } from "./float8.ts";

export function parseFloat4(text: string): number {
  return parseFloating(text, "real", Math.fround);
}

export function formatFloat4(x: number): string {
  if (x === 0 || !Number.isFinite(x)) return formatFloat8(x);
  const shortest = shortestDouble(x);
  const magnitude = Math.abs(shortest);
  if (magnitude >= 1e-4 && magnitude < 1e6) return formatFloat8(shortest);
  const [digits = "", power = "0"] = shortest.toExponential().split("e");
  const exponent = Number(power);
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** As to_jsonb prints it. */
export function formatFloat4Json(x: number): string {
  return Number.isFinite(x) ? plainDecimal(shortestDouble(x)) : `"${x}"`;
}

/** The double of the shortest decimal: what prints as those digits. */
export function shortestDouble(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(x.toPrecision(digits));
    if (Math.fround(candidate) === x && !isHalfway(candidate, x)) return candidate;
  }
  return Number(x.toPrecision(9));
}

const word = new DataView(new ArrayBuffer(4));

/** Whether the decimal lies in the middle between x and the float next to it. */
function isHalfway(candidate: number, x: number): boolean {
  if (candidate === x) return false;
  word.setFloat32(0, x);
  const bits = word.getInt32(0);
  const outwards = candidate > x === x > 0;
  word.setInt32(0, bits + (outwards ? 1 : -1));
  return candidate === (x + word.getFloat32(0)) / 2;
}
