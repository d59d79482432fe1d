/**
 * Which of a key's values are null, as functions that take a key get it: behind the values one word for every 32 of them (one for a key
 * without columns, too), in which bit i % 32 of word i / 32 belongs to value i. Names here are those in generated code.
 */

function wordsOf(values: number): number {
  return Math.max(1, Math.ceil(values / 32));
}

/** Parameters that take the masks of a key of so many values. */
export function maskParams(values: number): string[] {
  return Array.from({ length: wordsOf(values) }, (_, w) => `mask${w}`);
}

/** 1 if value i is null, read from the parameters. */
export function maskBit(i: number): string {
  return `((mask${i >>> 5} >>> ${i & 31}) & 1)`;
}

/** Arguments for the parameters, from the code of each value's null flag; null: it never is. */
export function maskArguments(flags: readonly (string | null)[]): string[] {
  const words: string[][] = Array.from({ length: wordsOf(flags.length) }, () => []);
  flags.forEach((flag, i) => {
    if (flag !== null) words[i >>> 5]!.push(`(${flag} << ${i & 31})`);
  });
  return words.map((bits) => (bits.length === 0 ? "0" : bits.join(" | ")));
}

/** The masks of a key in hand. */
export function masksOf(values: readonly unknown[]): number[] {
  const words: number[] = new Array(wordsOf(values.length)).fill(0);
  values.forEach((value, i) => {
    if (value === null) words[i >>> 5] = words[i >>> 5]! | (1 << (i & 31));
  });
  return words;
}
