/** Equal rows of a view without a key lie in one slot: a snapshot put more of them into one message than it may hold. */
import { expect, it } from "vitest";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("a row that is there very often comes in pages", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k / 100000 AS x FROM t");
  await sql(db, "INSERT INTO t SELECT g FROM generate_series(0, 34999) g");
  await db.settled();
  const pages: number[] = [];
  const keys = new Set<string>();
  for await (const event of db.subscribe([{ view: "v" }])) {
    const { rowsJson, last } = event as Extract<SubscriptionEvent, { type: "snapshot" }>;
    pages.push(rowsJson.length);
    for (const row of rowsJson) keys.add(row);
    if (last) break;
  }
  expect(pages).toEqual([10_000, 10_000, 10_000, 5_000]);
  expect(keys.size).toBe(35_000);
  await db.close();
});
