/**
 * A query over a stream that was overtaken by retention, after it had read the stream's first records and before it came to the next ones, answered without these: with rows that no state of the
 * stream had. It begins anew, where the stream begins by then. Found by the simulation of copies, seeds 833067 and 834080, in its own reading of a log.
 */
import { expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import type { Group } from "../../src/log/log.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

/** A stream with records in three segments, of which the first two may be given up. */
async function opened(): Promise<Database> {
  const db = await openInMemory(new SimulatedDisk(), { segmentBytes: 64 * 1024 });
  await sql(db, "CREATE TABLE old (n int4, text text) WITH (append_only)");
  for (let n = 0; n < 30; n++) {
    await db.append("old", [{ n, text: "x".repeat(2000) }]);
    if (n % 10 !== 9) continue;
    db.core.log.turnOver();
    await sql(db, "CREATE TABLE filler (x int4); DROP TABLE filler");
  }
  await db.append("old", [{ n: 30, text: "" }]);
  await db.checkpoint();
  await db.core.log.sealed();
  return db;
}

/** What is done when so many groups have been read, in the first so many readings. */
function amidReading(db: Database, groups: number, readings: number, work: () => Promise<void>): void {
  const { log } = db.core;
  const read = log.read.bind(log);
  let left = readings;
  log.read = async function* (options): AsyncGenerator<Group> {
    let seen = 0;
    const isOne = options.unbroken === true && left-- > 0;
    for await (const group of read(options)) {
      yield group;
      if (isOne && ++seen === groups) await work();
    }
  };
}

it("begins anew", async () => {
  const db = await opened();
  amidReading(db, 1, 1, async () => {
    await sql(db, "ALTER TABLE old SET (retain_bytes = '0')");
    await db.compact();
  });
  const [count, least, most] = (await rowsOf(db, "SELECT count(*), min(n), max(n) FROM old"))[0] as string[];
  expect(db.topic("old").start).toBe(30);
  expect([count, least, most]).toEqual(["1", "30", "30"]);
  await db.close();
});

it("goes on where it has read what goes", async () => {
  const db = await opened();
  let begun = 0;
  amidReading(db, 3, 10, async () => {
    begun++;
    await sql(db, "ALTER TABLE old SET (retain_bytes = '0')");
    await db.compact();
  });
  expect(await rowsOf(db, "SELECT count(*), min(n), max(n) FROM old")).toEqual([["31", "0", "30"]]);
  expect(begun).toBe(1);
  await db.close();
});
