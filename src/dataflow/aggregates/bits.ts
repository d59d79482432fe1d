/**
 * bit_and, bit_or, bit_xor: for each bit, in how many values it is set. A bit of the answer is 1 when that is all of them, any of
 * them, or an odd number.
 */
import { float8, type SqlType } from "../../batch/types.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import { type Accumulator, cellAt, countCell, unlessEmpty } from "./accumulator.ts";
import { encodeInteger } from "./integer-sum.ts";

export type BitFunction = "bit_and" | "bit_or" | "bit_xor";

const widths = { int2: 16, int4: 32, int8: 64 } as const;

export function bits(fn: BitFunction, type: SqlType): Accumulator {
  const width = widths[type.name as keyof typeof widths];
  const isSet = setIn(fn);
  const add = width === 64 ? addWide : addNarrow(width);

  function finish(F: Float64Array, at: number, dictionary: Dictionary, count: number): number {
    let low = 0;
    for (let i = 0; i < Math.min(width, 32); i++) if (isSet(F[at + i] as number, count)) low |= 1 << i;
    // int2 keeps its sign in bit 15.
    if (width < 64) return width === 16 ? (low << 16) >> 16 : low;
    let high = 0;
    for (let i = 0; i < 32; i++) if (isSet(F[at + 32 + i] as number, count)) high |= 1 << i;
    return encodeInteger((BigInt(high) << 32n) + BigInt(low >>> 0), dictionary);
  }

  return {
    type,
    columns: Array.from({ length: width }, () => ({ type: float8, nullable: false })),
    add: (place) => `${place.bind(add)}(F, ${cellAt(place, 0)}, c${place.arg}[r], w, dictionary);`,
    result: (place) =>
      unlessEmpty(
        place,
        `value = ${place.bind(finish)}(F, ${cellAt(place, 0)}, dictionary, ${countCell(place)});`,
      ),
  };
}

function setIn(fn: BitFunction): (times: number, rows: number) => boolean {
  switch (fn) {
    case "bit_and":
      return (times, rows) => times === rows;
    case "bit_or":
      return (times) => times > 0;
    case "bit_xor":
      return (times) => times % 2 !== 0;
  }
}

function addNarrow(width: number) {
  return (F: Float64Array, at: number, value: number, weight: number): void => {
    addBits(F, at, value, weight, width);
  };
}

function addWide(F: Float64Array, at: number, code: number, weight: number, dictionary: Dictionary): void {
  const value = code >= WIDE ? dictionary.bigint(code) : BigInt(code);
  addBits(F, at, Number(BigInt.asIntN(32, value)), weight, 32);
  addBits(F, at + 32, Number(BigInt.asIntN(32, value >> 32n)), weight, 32);
}

function addBits(F: Float64Array, at: number, value: number, weight: number, width: number): void {
  for (let i = 0; i < width; i++) if ((value >>> i) & 1) F[at + i] = (F[at + i] as number) + weight;
}
