import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const READS = 6000;

let db: Database;

beforeEach(async () => {
  db = await openInMemory(new SimulatedDisk());
  await sql(db, "CREATE TABLE t (k text PRIMARY KEY, a int4)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, sum(a) AS a FROM t GROUP BY k");
  await sql(db, "INSERT INTO t VALUES ('here', 1)");
  await db.settled();
});

afterEach(() => db.close());

// A text that is looked for is interned. It was freed with the next step: in a database that is only read there was none.
test.each<[string, (key: string) => Promise<unknown>]>([
  ["get", (key) => db.view("v").get(key)],
  ["rows", (key) => db.view("v").rows({ where: { k: key } })],
  [
    "subscribe",
    async (key) => {
      for await (const event of db.subscribe([{ view: "v", key }])) return event;
    },
  ],
])("%s of keys that are not there leaves nothing behind", async (_name, read) => {
  const { dictionary } = db.core.circuit;
  const before = dictionary.size;
  let most = 0;
  for (let i = 0; i < READS; i++) {
    await read(`key ${i}`);
    most = Math.max(most, dictionary.size);
  }
  expect(most).toBeGreaterThan(before);
  expect(most).toBeLessThan(READS / 2);
  expect(await db.view("v").get("here")).toMatchObject({ row: { k: "here", a: 1 } });
});
