/** What a subscriber costs: a row looked up when it begins, and nothing for steps that do not concern it. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { RowEncoder } from "../../src/views/row-encoder.ts";
import { Subscriber } from "../../src/views/subscriber.ts";
import { openInMemory, sql } from "./support/memory.ts";

const ROWS = 2_000;
const WATCHERS = 150;

let db: Database;
const stopping = new AbortController();

beforeEach(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, a int)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, a + 1 AS b FROM t");
  await sql(db, `INSERT INTO t SELECT n, n FROM generate_series(1, ${ROWS}) AS n`);
  await db.settled();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await db.close();
});

/** Events as they come; resolves once the first rows are there. */
async function watch(key?: unknown): Promise<SubscriptionEvent[]> {
  const events: SubscriptionEvent[] = [];
  await new Promise<void>((resolve, reject) => {
    const read = async (): Promise<void> => {
      const target = key === undefined ? { view: "v" } : { view: "v", key };
      for await (const event of db.subscribe([target], { signal: stopping.signal })) {
        events.push(event);
        if (event.type === "snapshot" && event.last) resolve();
      }
    };
    read().catch(reject);
  });
  return events;
}

const steps = (events: readonly SubscriptionEvent[]) => events.filter((e) => e.type === "step").length;

it("the first row of a key is looked up, not looked for", async () => {
  const encoded = vi.spyOn(RowEncoder.prototype, "rowJson");
  const events = await watch(77);
  expect(events).toMatchObject([{ rowsJson: ['{"key":77,"row":{"k":77,"b":78}}'], last: true }]);
  expect(encoded.mock.calls.length).toBe(1);
  expect(await watch(ROWS + 1)).toMatchObject([{ rowsJson: [], last: true }]);
});

it("a step is handed to those it concerns", async () => {
  const keyed = await Promise.all(Array.from({ length: WATCHERS }, (_, i) => watch(i + 1)));
  const all = await watch();
  const handed = vi.spyOn(Subscriber.prototype, "step");
  await sql(db, "UPDATE t SET a = 0 WHERE k IN (5, 9, 1999)");
  await db.settled();
  await expect.poll(() => steps(all)).toBe(1);
  await expect.poll(() => [keyed[4], keyed[8]].map((e) => steps(e!))).toEqual([1, 1]);
  expect(keyed.reduce((sum, events) => sum + steps(events), 0)).toBe(2);
  expect(handed.mock.calls.length).toBe(3);
});

it("who has gone is not told any more", async () => {
  const gone = new AbortController();
  const items = db.subscribe([{ view: "v", key: 5 }], { signal: gone.signal });
  const first = items[Symbol.asyncIterator]();
  await first.next();
  gone.abort();
  expect((await first.next()).done).toBe(true);
  const handed = vi.spyOn(Subscriber.prototype, "step");
  await sql(db, "UPDATE t SET a = 0 WHERE k = 5");
  await db.settled();
  expect(handed.mock.calls.length).toBe(0);
});
