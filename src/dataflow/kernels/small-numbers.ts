/** int2 and float4: results of the next larger type, checked or rounded back. */

import { parseFloat4 } from "../../batch/format/float4.ts";
import { parseNumeric } from "../../batch/format/numeric.ts";
import { type Decimal, decimal, decimalFromText, decimalToText } from "./decimal.ts";
import { attempt, divisionByZero, fail, floatOverflow, floatUnderflow, scalarError } from "./errors.ts";
import { checkProduct, checkSum, divideFloats, floatToInt4, floatToInt8 } from "./float.ts";
import { roundHalfEven } from "./rounding.ts";

const int2OutOfRange = scalarError("numeric_value_out_of_range", "smallint out of range");

export function int2(r: number): number {
  return r >= -32768 && r <= 32767 ? r | 0 : fail(int2OutOfRange, 0);
}

/** Results of float4 operations: doubles hold twice the digits, so rounding twice is rounding once. */
const { fround } = Math;

export const smallNumbers = {
  int2_add: (a: number, b: number) => int2(a + b),
  int2_sub: (a: number, b: number) => int2(a - b),
  int2_mul: (a: number, b: number) => int2(a * b),
  int2_div: (a: number, b: number) => (b === 0 ? fail(divisionByZero, 0) : int2(Math.trunc(a / b))),
  int2_mod: (a: number, b: number) => (b === 0 ? fail(divisionByZero, 0) : int2(a % b)),
  int2_neg: (a: number) => int2(-a),
  int2_plus: (a: number) => a,
  int2_abs: (a: number) => int2(Math.abs(a)),

  float4_add: (a: number, b: number) => checkSum(fround(a + b), a, b),
  float4_sub: (a: number, b: number) => checkSum(fround(a - b), a, b),
  float4_mul: (a: number, b: number) => checkProduct(fround(a * b), a, b),
  float4_div: (a: number, b: number) => {
    const r = fround(divideFloats(a, b));
    if (!Number.isFinite(r) && Number.isFinite(a) && b !== 0 && !Number.isNaN(b))
      return fail(floatOverflow, 0);
    return r === 0 && a !== 0 && Number.isFinite(b) && b !== 0 ? fail(floatUnderflow, 0) : r;
  },
  float4_neg: (a: number) => -a,
  float4_plus: (a: number) => a,
  float4_abs: (a: number) => Math.abs(a),

  int2_to_int4: (a: number) => a,
  int2_to_int8: (a: number) => BigInt(a),
  int2_to_float4: (a: number) => a,
  int2_to_float8: (a: number) => a,
  int2_to_numeric: (a: number) => decimal(BigInt(a), 0),
  int4_to_int2: (a: number) => int2(a),
  int4_to_float4: (a: number) => fround(a),
  int8_to_int2: (a: bigint) => (a >= -32768n && a <= 32767n ? Number(a) : fail(int2OutOfRange, 0)),
  int8_to_float4: int8ToFloat4,
  float4_to_int2: (a: number) => int2(roundHalfEven(a)),
  float4_to_int4: floatToInt4,
  float4_to_int8: (a: number) => floatToInt8(a),
  float4_to_float8: (a: number) => a,
  float4_to_numeric: float4ToDecimal,
  float8_to_int2: (a: number) => int2(roundHalfEven(a)),
  float8_to_float4: (a: number) => {
    const r = fround(a);
    if (!Number.isFinite(r) && Number.isFinite(a)) return fail(floatOverflow, 0);
    return r === 0 && a !== 0 ? fail(floatUnderflow, 0) : r;
  },
  numeric_to_float4: (x: Decimal) => attempt(parseFloat4, decimalToText(x), 0),
};

/** An integer beyond 2^53 rounded once: its low digits count only in being there or not. */
function int8ToFloat4(a: bigint): number {
  if (a > -(2n ** 53n) && a < 2n ** 53n) return fround(Number(a));
  const high = a >> 20n;
  const sticky = (a & 0xf_ffffn) === 0n ? 0n : 1n;
  return fround(Number(high | sticky) * 2 ** 20);
}

/** By the six digits that every float holds. */
function float4ToDecimal(x: number): Decimal {
  const written = Number.isFinite(x) ? x.toPrecision(6).replace(/(\.\d*?)0+(?=e|$)/, "$1") : String(x);
  return decimalFromText(parseNumeric(written));
}
