/**
 * A subscription may name a view twice: as a whole and by a key, or from two positions. Who watched the whole view and a key of it stayed on the list
 * of the key's watchers for ever. And where one part was resumed and another began, or had missed too much, nobody said that what was shown no longer held.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { Subscriber } from "../../src/views/subscriber.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
  await db.append("t", [{ k: 1 }, { k: 2 }]);
  await db.settled();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await db.close();
});

it.each([[[{ view: "v" }, { view: "v", key: 1 }]], [[{ view: "v", key: 1 }, { view: "v" }]]])(
  "who has gone is on no list any more: %j",
  async (targets) => {
    const gone = new AbortController();
    const events = db.subscribe(targets, { signal: gone.signal })[Symbol.asyncIterator]();
    await events.next();
    gone.abort();
    expect((await events.next()).done).toBe(true);
    const told = vi.spyOn(Subscriber.prototype, "step");
    await db.deleteKey("t", 1);
    await db.settled();
    expect(told).not.toHaveBeenCalled();
  },
);

it.each(["resumed first", "resumed last", "stale first", "stale last"])(
  "a part that begins resets the part that is shown: %s",
  async (order) => {
    // From the first snapshot on the view's steps are kept.
    const { position } = await db.view("v").getJson(1);
    const from = order.startsWith("stale") ? "0" : position;
    const targets = [
      { view: "v", key: 1, from },
      { view: "v", key: 2 },
    ];
    if (order.endsWith("last")) targets.reverse();
    const stop = new AbortController();
    const seen: SubscriptionEvent[] = [];
    for await (const event of db.subscribe(targets, { signal: stop.signal })) {
      seen.push(event);
      if (event.type === "snapshot" && event.last) stop.abort();
    }
    expect(seen.map((event) => event.type)).toEqual(["reset", "snapshot"]);
    const { rowsJson } = seen[1] as Extract<SubscriptionEvent, { type: "snapshot" }>;
    expect(rowsJson.toSorted()).toEqual(['{"key":1,"row":{"k":1}}', '{"key":2,"row":{"k":2}}']);
  },
);
