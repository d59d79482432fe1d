/**
 * q3, q4, q7 and q18 by hand, twice each: on typed arrays (typed-loops.ts), as the bound that the engine is measured against, and on `Map`s with an
 * object per row (map-loops.ts), as one writes it in TypeScript.
 *
 * All do the engine's job: after a round the whole answer is there as rows, the rows that left and came in it (net: what came and left
 * within the round is none) are at hand until the next, and `changes` counts them. Records may come in any order and ids may repeat: the topics are streams
 * without a key, so a join keeps both of its sides, and each side may have many rows of a key. q7 keeps every bid by its price, for that is what
 * the query joins on. test/bench/nexmark-loops.test.ts holds both to the engine's answers, round by round.
 *
 * What makes them quicker than the engine may be: rows only ever come in, numbers fit doubles, nothing is null, and no two bids of a pair have
 * the same time (q18). They keep no versions for readers of older states, no checkpoint, no log; they may stop the world to grow.
 */
import type { Batch, Column, Utf8Column } from "../../src/batch/batch.ts";
import type { Round, TopicName } from "./events.ts";

export interface HandLoop {
  take(round: Round): void;
  /** Rows that left and rows that came so far. */
  readonly changes: number;
  /** The answer, a line per row. */
  rows(): string[];
}

/** The jobs by hand, and the topics each reads. */
export const HAND_QUERIES: Readonly<Record<string, readonly TopicName[]>> = {
  q3: ["person", "auction"],
  q4: ["auction", "bid"],
  q7: ["bid"],
  q18: ["bid"],
};

/** A line of an answer. Doubles and numerics are compared to twelve digits: an average has more in the engine. */
export function lineOf(values: readonly (string | number)[]): string {
  return values.join("|");
}

export function averageText(average: number): string {
  return average.toPrecision(12);
}

const WINDOW_US = 10_000_000;
/** Where windows begin to be counted: 2015-07-15. */
const ORIGIN_US = 1_436_918_400_000_000;

/** The number of the ten seconds that q7 counts a time to. */
export function windowOf(us: number): number {
  return Math.floor((us - ORIGIN_US) / WINDOW_US);
}

/** Columns of a batch by name. */
export interface BatchColumns {
  readonly length: number;
  integers(name: string): Integers;
  texts(name: string): Utf8Column;
}

/** The topic's records of the round; null: none. */
export function recordsOf(round: Round, topic: TopicName): BatchColumns | null {
  const batch = round.batches.get(topic);
  if (batch === undefined) return null;
  return {
    length: batch.length,
    integers: (name) => new Integers(columnOf(batch, name)),
    texts(name) {
      const column = columnOf(batch, name);
      if (column.kind !== "utf8") throw new Error("not a column of text");
      return column;
    },
  };
}

function columnOf(batch: Batch, name: string): Column {
  return batch.columns[batch.schema.fields.findIndex((f) => f.name === name)]!;
}

/** Read as two halves: a bigint per value would be most of the work. */
export class Integers {
  readonly #halves: Int32Array;

  constructor(column: Column) {
    const values = column.kind === "fixed" ? column.values : undefined;
    if (!(values instanceof BigInt64Array)) throw new Error("not a column of int8");
    this.#halves = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  }

  at(row: number): number {
    return this.#halves[row * 2 + 1]! * 2 ** 32 + (this.#halves[row * 2]! >>> 0);
  }
}
