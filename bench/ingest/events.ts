/** Events of about a hundred bytes: what the ingest bench sends, as objects and as columns. */
import { int4, int8, text, timestamptz, topic } from "../../src/index.ts";

export const events = topic("events", {
  schema: { id: int8, at: timestamptz, user_id: int4, kind: text, amount: int4, note: text },
});

const KINDS = ["view", "click", "cart", "order", "return"];
const START_MS = Date.UTC(2026, 0, 1);

export function event(i: number): object {
  return { id: i, at: new Date(START_MS + i).toISOString(), ...rest(i) };
}

function rest(i: number) {
  return {
    user_id: (i * 7919) % 100_000,
    kind: KINDS[i % KINDS.length]!,
    amount: (i * 31) % 1000,
    note: `n${(i * 2654435761) % 1_000_000_007} of many`,
  };
}

/** Events [from, to) in typed arrays where there are such for a column, else in arrays. */
export function columns(from: number, to: number) {
  const length = to - from;
  const rests = Array.from({ length }, (_, i) => rest(from + i));
  return {
    id: BigInt64Array.from({ length }, (_, i) => BigInt(from + i)),
    at: BigInt64Array.from({ length }, (_, i) => BigInt(START_MS + from + i) * 1000n),
    user_id: Int32Array.from(rests, (event) => event.user_id),
    kind: rests.map((event) => event.kind),
    amount: Int32Array.from(rests, (event) => event.amount),
    note: rests.map((event) => event.note),
  };
}
