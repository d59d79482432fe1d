/**
 * Positions at the outside are opaque strings. In the embedded log they are decimal commit numbers.
 */

import { EvertError } from "./errors.ts";

/** @throws EvertError invalid_request */
export function positionOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new EvertError("invalid_request", `${JSON.stringify(text)} is not a position`, {
    hint: "Give a position as an earlier answer gave it.",
  });
}

/** Negative, zero or positive as a is before, at or after b. */
export function comparePositions(a: string, b: string): number {
  const x = Number(a);
  const y = Number(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The latest of them. */
export function latestPosition(first: string, ...others: readonly string[]): string {
  return others.reduce((latest, one) => (comparePositions(one, latest) > 0 ? one : latest), first);
}
