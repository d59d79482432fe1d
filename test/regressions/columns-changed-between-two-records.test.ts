/**
 * A program that reads a topic takes its time between two records. What had been read by then was made values by the columns that the topic had got meanwhile: of a column that
 * was renamed every value was null, and a new one that is never null was null, in batches of a consumer too, which then stores what it made of them.
 */
import { expect, it } from "vitest";
import { type Db, type Disk, open } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

interface Read {
  readonly key?: unknown;
  readonly value: Record<string, unknown> | null;
}

const VALUES = [1, 2, 3, 4, 5].map((k) => ({ k, n: k * 10 }));

/** One commit of five rows: they are read as one batch. */
async function opened(): Promise<Db> {
  const disk: Disk = new SimulatedDisk();
  const db = await open({ dir: "/data", disk });
  await db.sql("CREATE TABLE t (k int8 PRIMARY KEY, n int8)");
  await db.sql("INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 5) i");
  return db;
}

const t = { name: "t" } as never;

it.each([
  "ALTER TABLE t RENAME COLUMN n TO m",
  "ALTER TABLE t RENAME COLUMN k TO key",
  "ALTER TABLE t ADD COLUMN x int8 NOT NULL DEFAULT 7",
  "ALTER TABLE t DROP COLUMN n",
  "DROP TABLE t; CREATE TABLE t (k text PRIMARY KEY, n text)",
])("a record has the columns that it was read with: %s", async (change) => {
  await using db = await opened();
  const read: Read[] = [];
  for await (const { key, value } of db.read(t)) {
    read.push({ key, value: value as Read["value"] });
    if (read.length === 2) await db.sql(change);
  }
  expect(read).toEqual(VALUES.map((value) => ({ key: value.k, value })));

  await using other = await opened();
  const consumed: Read["value"][] = [];
  for await (const { records } of other.consumer("c", { topics: [t], follow: false, batchRecordsMax: 2 })) {
    consumed.push(...records.map(({ value }) => value as Read["value"]));
    if (consumed.length === 2) await other.sql(change);
  }
  expect(consumed).toEqual(VALUES);
});

it("what comes after has the new ones", async () => {
  await using db = await opened();
  const read: Read["value"][] = [];
  const reading = new AbortController();
  for await (const { value } of db.read(t, { from: 4, follow: true, signal: reading.signal })) {
    read.push(value as Read["value"]);
    if (read.length === 1) await db.sql("ALTER TABLE t RENAME COLUMN n TO m; INSERT INTO t VALUES (6, 60)");
    else reading.abort();
  }
  expect(read).toEqual([
    { k: 5, n: 50 },
    { k: 6, m: 60 },
  ]);
});
