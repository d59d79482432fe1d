/**
 * min and max.
 *
 * Over an input that only grows: the best value so far, in the group's row. Otherwise the input is kept in a store, and a ranking of it tells which
 * row is each group's first by its value, so that when the best value goes the next one comes. Of equal values that print differently (1.0 and 1.00,
 * -0 and 0): the one whose text is first; from a store that has more columns, that of the row which its ordered index has first.
 */

import { hasOwnEquality } from "../../batch/order-key.ts";
import { carrierOf, type SqlType } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { WIDE } from "../../state/dictionary.ts";
import { comparatorOf } from "../../state/equality.ts";
import { mayBeWide, nullCode, readCode } from "../../state/layout.ts";
import type { Store } from "../../state/store.ts";
import { type Accumulator, type Place, setReference } from "./accumulator.ts";

export type ExtremeFunction = "min" | "max";

export function runningExtreme(fn: ExtremeFunction, type: SqlType): Accumulator {
  const better = betterThan(fn, type);
  return {
    type,
    columns: [{ type, nullable: true }],
    add(place) {
      const column = place.state[0]!;
      const current = readCode(place.layout, column, "b");
      const isNull = nullCode(place.layout, column, "b");
      const value = `c${place.arg}[r]`;
      const slow = `if (${isNull} === 1 || ${place.bind(better)}(${value}, ${current}, dictionary)) ${place.bind(setValue)}(store, g, ${column}, ${value});`;
      if (!mayBeWide(type)) return slow;
      // Two doubles without a reference between them are compared and written where they lie.
      const nullWord = `I[b + ${place.layout.nullWord[column]}]`;
      return `if (${value} < ${WIDE} && ${current} < ${WIDE}) {
          if (${isNull} === 1 || ${value} ${fn === "min" ? "<" : ">"} ${current}) { ${current} = ${value}; ${nullWord} &= ${~(1 << place.layout.nullBit[column]!)}; }
        } else ${slow}`;
    },
    keeps(place) {
      const column = place.state[0]!;
      const current = readCode(place.layout, column, "b");
      const isSet = `${nullCode(place.layout, column, "b")} === 0`;
      const value = `c${place.arg}[r]`;
      const slow = `!${place.bind(better)}(${value}, ${current}, dictionary)`;
      if (!mayBeWide(type)) return `${isSet} && ${slow}`;
      const quick = `${value} ${fn === "min" ? ">=" : "<="} ${current}`;
      return `${isSet} && (${value} < ${WIDE} && ${current} < ${WIDE} ? ${quick} : ${slow})`;
    },
    result: readState,
  };
}

/**
 * Over the first row of each group: the value in chunk column `column` of the one that came last. REQUIRES that a row leaves before another comes.
 */
export function firstValue(type: SqlType, column: number, nullable: boolean): Accumulator {
  return {
    type,
    columns: [{ type, nullable: true }],
    add(place) {
      const isNull = nullable ? `w < 0 || n${column}[r] === 1` : "w < 0";
      return `${place.bind(setValue)}(store, g, ${place.state[0]}, ${isNull} ? null : c${column}[r]);`;
    },
    result: readState,
  };
}

function readState(place: Place): string {
  const column = place.state[0]!;
  return `value = ${readCode(place.layout, column, "b")}; isNull = ${nullCode(place.layout, column, "b")};`;
}

/** Changes a nullable column of a row of this step, counting references. */
export function setValue(store: Store, slot: number, column: number, value: number | null): void {
  const { layout, dictionary } = store;
  if (layout.physical[column] === "ref") {
    setReference(store, slot, column, value);
    return;
  }
  const base = slot * layout.strideWords;
  const word = base + layout.words[column]!;
  if (layout.physical[column] === "f64") {
    if (mayBeWide(layout.columns[column]!.type)) {
      const old = store.F[word >> 1] as number;
      if (value !== null && value >= WIDE) dictionary.retainWide(value);
      if (old >= WIDE) dictionary.releaseWide(old);
    }
    store.F[word >> 1] = value ?? 0;
  } else store.I[word] = value ?? 0;
  const nullWord = base + layout.nullWord[column]!;
  const bit = 1 << layout.nullBit[column]!;
  store.I[nullWord] =
    value === null ? (store.I[nullWord] as number) | bit : (store.I[nullWord] as number) & ~bit;
}

type Better = (a: number, b: number, dictionary: Dictionary) => boolean;

function betterThan(fn: ExtremeFunction, type: SqlType): Better {
  const compare = comparatorOf(type);
  const sign = fn === "min" ? -1 : 1;
  if (carrierOf(type) === "double") {
    return (a, b, dictionary) => {
      const d = compare(a, b, dictionary) * sign;
      return d > 0 || (d === 0 && 1 / a < 0 && 1 / b > 0);
    };
  }
  if (!mayPrintDifferently(type)) return (a, b, dictionary) => compare(a, b, dictionary) * sign > 0;
  return (a, b, dictionary) => {
    if (a === b) return false;
    const d = compare(a, b, dictionary) * sign;
    return d > 0 || (d === 0 && dictionary.compare(a, b) < 0);
  };
}

function mayPrintDifferently(type: SqlType): boolean {
  return carrierOf(type) === "string" && hasOwnEquality(type);
}
