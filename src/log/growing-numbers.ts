import { firstAbove } from "../base/search.ts";

/** A list of numbers outside the JavaScript heap. */
export class GrowingNumbers {
  #values = new Float64Array(16);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const grown = new Float64Array(this.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.length++] = value;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  /** Index of the last value not above `value` in an ascending list, or -1. */
  lastNotAbove(value: number): number {
    return this.firstAbove(value, 0, this.length) - 1;
  }

  /** Index of the first value above `value` in a list whose part [from, to) ascends; `to` where there is none. */
  firstAbove(value: number, from: number, to: number): number {
    return firstAbove(this.#values, value, from, to);
  }
}
