/**
 * Of an append of which records were put aside: which topic it was to, and where that ended then. Its commit has other topics' rows, maybe those
 * alone, and topics are renamed, dropped and made anew, so none of that follows from the commit. A request that comes again is answered by it as the
 * first time.
 *
 * It is kept behind the digest of the request, with the idempotency key.
 */
import { KEY_UNITS_MAX } from "../../log/refusals.ts";

export interface AppendPlace {
  readonly topicId: number;
  /** The offset that its next record got, or would have got. */
  readonly end: number;
}

/** Between the two: no digest has it. */
const BEHIND = "\u001f";

/** A digest of the program's own may be so long that nothing goes behind it. */
export function withPlace(digest: string, { topicId, end }: AppendPlace): string {
  const text = `${digest}${BEHIND}${topicId} ${end}`;
  return text.length > KEY_UNITS_MAX ? digest : text;
}

/** What stands behind the digest; null: it is another one's. */
export function placeBehind(digest: string, kept: string): AppendPlace | null {
  const [own, place, ...more] = kept.split(BEHIND);
  const found = /^([0-9]+) ([0-9]+)$/.exec(place ?? "");
  if (own !== digest || found === null || more.length > 0) return null;
  return { topicId: Number(found[1]), end: Number(found[2]) };
}
