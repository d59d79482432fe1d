/** Events of about a hundred bytes: what the ingest bench sends. */
import { int4, int8, text, timestamptz, topic } from "../../src/index.ts";

export const events = topic("events", {
  schema: { id: int8, at: timestamptz, user_id: int4, kind: text, amount: int4, note: text },
});

const KINDS = ["view", "click", "cart", "order", "return"];

export function event(i: number): object {
  return {
    id: i,
    at: new Date(Date.UTC(2026, 0, 1) + i).toISOString(),
    user_id: (i * 7919) % 100_000,
    kind: KINDS[i % KINDS.length],
    amount: (i * 31) % 1000,
    note: `n${(i * 2654435761) % 1_000_000_007} of many`,
  };
}
