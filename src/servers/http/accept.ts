/** What a request would have as its answer (RFC 9110, 12.5.1). */
import type { RequestContext } from "./context.ts";

interface Wanted {
  readonly type: string;
  readonly weight: number;
}

/** Types and ranges, the most wanted first, those of one weight as they stand. */
function wanted(c: RequestContext): Wanted[] {
  const ranges = (c.req.header("Accept") ?? "").toLowerCase().split(",");
  return ranges
    .map((range) => {
      const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
      const weight = parameters.find((parameter) => /^q\s*=/.test(parameter));
      return { type, weight: weight === undefined ? 1 : Number(weight.slice(weight.indexOf("=") + 1)) };
    })
    .sort((a, b) => b.weight - a.weight);
}

/** The type that a request wants first; "": it says nothing. */
export function firstWanted(c: RequestContext): string {
  const [first] = wanted(c);
  return first === undefined || !(first.weight > 0) ? "" : first.type;
}

/** The one of `others` that a request names, and wants no less than `usual`, which everybody has who names none. */
export function namedType<T extends string>(
  c: RequestContext,
  usual: string,
  others: readonly T[],
): T | null {
  const all = wanted(c);
  const named = all.find(({ type, weight }) => weight > 0 && (others as readonly string[]).includes(type));
  if (named === undefined) return null;
  const family = `${usual.slice(0, usual.indexOf("/"))}/*`;
  const known = [usual, family, "*/*"].map((range) => all.find(({ type }) => type === range));
  const weight = known.find((range) => range !== undefined)?.weight ?? 0;
  return named.weight >= weight ? (named.type as T) : null;
}
