/** Integers that are numbers as long as they are safe, and bigints beyond: the exact sums and products of numerics in loose form. */
import { powerOfTen } from "./decimal.ts";

export type Loose = number | bigint;

/** a * 10^growA + b * 10^growB */
export function looseSum(a: Loose, growA: number, b: Loose, growB: number): Loose {
  return normal(grown(a, growA) + grown(b, growB));
}

export function looseDifference(a: Loose, growA: number, b: Loose, growB: number): Loose {
  return normal(grown(a, growA) - grown(b, growB));
}

export function looseProduct(a: Loose, b: Loose): Loose {
  return normal(BigInt(a) * BigInt(b));
}

function grown(x: Loose, by: number): bigint {
  return BigInt(x) * powerOfTen(by);
}

function normal(x: bigint): Loose {
  return x >= Number.MIN_SAFE_INTEGER && x <= Number.MAX_SAFE_INTEGER ? Number(x) : x;
}
