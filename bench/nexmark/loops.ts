/**
 * q3, q4, q7 and q18 by hand, twice each: on typed arrays (typed-loops.ts), as the bound that the engine is measured against, and on `Map`s with an
 * object per row (map-loops.ts), as one writes it without a second thought.
 *
 * They compute what a maintained view has to: after each round the answer stands, and `changes` says how many rows came and went. They follow both
 * sides of a join, whichever comes first, and keep what a later record may ask for: for q7 every bid by its price, as the maximum of a
 * window is known only at its end. They know what no engine can: that ids are unique, that nothing is ever taken back, what fits into which column.
 * They keep no versions, no snapshots, no log.
 */
import type { Batch, Column, Utf8Column } from "../../src/batch/batch.ts";
import type { Round, TopicName } from "./events.ts";

export interface HandLoop {
  take(round: Round): void;
  /** Rows that came or went so far. */
  readonly changes: number;
  /** The answer, a line per row. */
  rows(): string[];
}

/** A line of an answer. Doubles and numerics are compared to twelve digits: an average has more in the engine. */
export function lineOf(values: readonly (string | number)[]): string {
  return values.join("|");
}

export function averageText(average: number): string {
  return average.toPrecision(12);
}

export const WINDOW_US = 10_000_000;
/** Where windows begin to be counted: 2015-07-15. */
export const ORIGIN_US = 1_436_918_400_000_000;

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

/** Columns of a batch by name. */
export function columnsOf(batch: Batch): (name: string) => Column {
  const { fields } = batch.schema;
  return (name) => batch.columns[fields.findIndex((f) => f.name === name)]!;
}

export function batchOf(round: Round, topic: TopicName): Batch | undefined {
  return round.batches.get(topic);
}

export function utf8Of(column: Column): Utf8Column {
  if (column.kind !== "utf8") throw new Error("not a column of text");
  return column;
}
