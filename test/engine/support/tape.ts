/**
 * Choices on a tape: a generator of programs reads one number per choice, and 0 is always its simplest. fast-check shrinks the numbers and
 * knows nothing of programs, so a failing case becomes small without a shrinker for every construct. A tape that has ended gives zeros.
 */
import fc from "fast-check";

export class Tape {
  readonly #numbers: readonly number[];
  #at = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  /** 0 .. bound - 1. */
  below(bound: number): number {
    return (this.#numbers[this.#at++] ?? 0) % bound;
  }

  pick<T>(options: readonly T[]): T {
    return options[this.below(options.length)] as T;
  }

  /** True in about one of `n` cases; false is the simple one. */
  oneIn(n: number): boolean {
    return this.below(n) === n - 1;
  }
}

export const tapes: fc.Arbitrary<number[]> = fc.array(fc.nat(0xffff), {
  minLength: 0,
  maxLength: 64,
  size: "max",
});
