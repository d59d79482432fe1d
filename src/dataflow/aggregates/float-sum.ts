/**
 * sum and avg over float8: exact until the end, rounded once. See exact-sum.ts.
 *
 * Zeros change no sum, except that of nothing but -0: that is -0. So a zero is not added, and -0s are counted for sum, which is -0 as long
 * as they are all there is. (avg divides a sum that began at 0 and is never -0 then.)
 */
import { float8, text } from "../../batch/types.ts";
import { floatOverflow } from "../kernels/errors.ts";
import { type Accumulator, Boxes, cellAt, countCell, unlessEmpty } from "./accumulator.ts";
import {
  addExact,
  addToOverflow,
  decodeOverflow,
  drain,
  encodeOverflow,
  isNothing,
  isSingle,
  noOverflow,
  type Overflow,
  quotient,
  roundExpansion,
  specialSum,
} from "./exact-sum.ts";

const part = { type: float8, nullable: false };

interface Box extends Overflow {
  negativeZeros: number;
}

function decodeBox(text: string): Box {
  const end = text.lastIndexOf(" ");
  return { ...decodeOverflow(text.slice(0, end)), negativeZeros: Number(text.slice(end + 1)) };
}

function encodeBox(box: Box): string | null {
  return isNothing(box) && box.negativeZeros === 0 ? null : `${encodeOverflow(box)} ${box.negativeZeros}`;
}

export function floatSum(fn: "sum" | "avg"): Accumulator {
  const boxes = new Boxes<Box>({
    decode: decodeBox,
    encode: encodeBox,
    fresh: () => ({ ...noOverflow(), negativeZeros: 0 }),
  });

  /** What addExact could not take, or a row of another weight than one. */
  function addSlowly(F: Float64Array, at: number, x: number, weight: number, slot: number): void {
    const overflow = boxes.open(slot);
    addToOverflow(overflow, F, at, x, weight);
    drain(overflow, F, at);
  }

  function addNegativeZero(weight: number, slot: number): void {
    boxes.open(slot).negativeZeros += weight;
  }

  function finish(F: Float64Array, at: number, slot: number, count: number): number {
    const overflow = boxes.peek(slot);
    const special = overflow === undefined ? undefined : specialSum(overflow);
    if (special !== undefined) return special;
    const units = overflow?.units ?? 0n;
    if (units === 0n) {
      if (fn === "sum") return overflow?.negativeZeros === count ? -0 : roundExpansion(F, at);
      if (isSingle(F, at)) return (F[at + 3] as number) / count;
    }
    return quotient(units, F, at, fn === "sum" ? 1n : BigInt(count));
  }

  /** An infinite result of finite numbers. */
  function overflowed(slot: number): boolean {
    const overflow = boxes.peek(slot);
    return overflow === undefined || specialSum(overflow) === undefined;
  }

  return {
    type: float8,
    columns: [part, part, part, part, { type: text, nullable: true }],
    boxed: boxes,
    add(place) {
      const x = `c${place.arg}[r]`;
      const at = cellAt(place, 0);
      const slow = `${place.bind(addSlowly)}(F, ${at}, ${x}, w, g);`;
      const add = `if (w === 1 ? !${place.bind(addExact)}(F, ${at}, ${x}) : w === -1 ? !${place.bind(addExact)}(F, ${at}, -${x}) : true) ${slow}`;
      const zero = fn === "sum" ? `else if (1 / ${x} < 0) ${place.bind(addNegativeZero)}(w, g);` : "";
      return `if (${x} !== 0) { ${add} } ${zero}`;
    },
    result(place) {
      const infinite = `if ((value === Infinity || value === -Infinity) && ${place.bind(overflowed)}(g)) error = ${place.bind(floatOverflow)};`;
      return unlessEmpty(
        place,
        `value = ${place.bind(finish)}(F, ${cellAt(place, 0)}, g, ${countCell(place)}); ${infinite}`,
      );
    },
  };
}
