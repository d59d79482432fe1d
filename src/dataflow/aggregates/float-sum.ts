/** sum and avg over float8: exact until the end, rounded once. See exact-sum.ts. */
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

export function floatSum(fn: "sum" | "avg"): Accumulator {
  const boxes = new Boxes<Overflow>({
    decode: decodeOverflow,
    encode: (box) => (isNothing(box) ? null : encodeOverflow(box)),
    fresh: noOverflow,
  });

  /** What addExact could not take, or a row of another weight than one. */
  function addSlowly(F: Float64Array, at: number, x: number, weight: number, slot: number): void {
    const overflow = boxes.open(slot);
    addToOverflow(overflow, F, at, x, weight);
    drain(overflow, F, at);
  }

  function finish(F: Float64Array, at: number, slot: number, count: number): number {
    const overflow = boxes.peek(slot);
    const special = overflow === undefined ? undefined : specialSum(overflow);
    if (special !== undefined) return special;
    const units = overflow?.units ?? 0n;
    if (units === 0n) {
      if (fn === "sum") return roundExpansion(F, at);
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
      return `if (w === 1 ? !${place.bind(addExact)}(F, ${at}, ${x}) : w === -1 ? !${place.bind(addExact)}(F, ${at}, -${x}) : true) ${slow}`;
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
