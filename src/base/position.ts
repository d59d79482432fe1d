/**
 * Positions at the outside are opaque strings. In the embedded log they are decimal commit numbers.
 */

/** Negative, zero or positive as a is before, at or after b. */
export function comparePositions(a: string, b: string): number {
  const x = Number(a);
  const y = Number(b);
  return x < y ? -1 : x > y ? 1 : 0;
}
