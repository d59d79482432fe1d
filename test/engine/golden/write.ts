/**
 * Writes a golden directory of a whole database with the release that is checked out: node --conditions=evert-source test/engine/golden/write.ts NAME
 *
 * Topics whose columns were changed: each has batches of its earlier schemas and of the newest, among sealed ones and in frames. Once for each form
 * of what the catalog says of them, by the release that has it first; never again.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { openEngine } from "../../../src/engine/open-engine.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { describeDatabase } from "./describe.ts";

const name = process.argv[2]!;
const disk = new SimulatedDisk({ seed: 1 });
const options = { directory: "/data", disk, clock: new SimulatedClock(), random: new SeededRandom(1) };
const db = await openEngine({ ...options, segmentBytes: 64 * 1024, checkpointIntervalMs: 0 });

async function run(text: string): Promise<void> {
  const { error } = await db.sql(text);
  if (error !== undefined) throw error;
}

/** Rows of every topic, in its columns of now. */
async function fill(from: number, columns: string, values: string): Promise<void> {
  for (let at = from; at < from + 200; at += 50) {
    const numbers = `generate_series(${at}, ${at + 49}) g`;
    await run(`INSERT INTO events (id, ${columns}) SELECT g, ${values} FROM ${numbers}`);
    await run(
      `INSERT INTO rows (id, ${columns}) SELECT g % 250, ${values} FROM ${numbers} ON CONFLICT (id) DO NOTHING`,
    );
    await run(`INSERT INTO plain (id, ${columns}) SELECT g, ${values} FROM ${numbers}`);
  }
  await run(
    `DELETE FROM rows WHERE id = ${(from % 250) + 3}; UPDATE plain SET id = -id WHERE id = ${from + 5}`,
  );
}

async function alter(change: string): Promise<void> {
  for (const topic of ["events", "rows", "plain"]) await run(`ALTER TABLE ${topic} ${change}`);
}

await run(`CREATE TABLE events (id int8, a int2, gone text, s varchar(20), CHECK (a >= 0)) WITH (append_only);
  CREATE TABLE rows (id int8 PRIMARY KEY, a int2, gone text, s varchar(20)); CREATE TABLE plain (id int8, a int2, gone text, s varchar(20));
  CREATE MATERIALIZED VIEW sums AS SELECT s, sum(a) AS a, count(*) AS n FROM events GROUP BY s`);
await fill(0, "a, gone, s", "g % 100, 'gone ' || g, 's' || g % 7");
await alter("ADD COLUMN b int8 NOT NULL DEFAULT 9007199254740993, ADD COLUMN c timestamptz");
await alter("DROP COLUMN gone");
await fill(1000, "a, s, b, c", "g % 100, 's' || g % 7, g, '2026-01-01 00:00:00Z'");
await alter("RENAME COLUMN b TO big");
await run("DROP MATERIALIZED VIEW sums");
await alter("ALTER a TYPE numeric, ALTER s TYPE text, ADD COLUMN gone int4 DEFAULT 5");
await run(
  "CREATE MATERIALIZED VIEW sums AS SELECT s, sum(a) AS a, count(*) AS n, max(big) AS big, sum(gone) AS gone FROM events GROUP BY s",
);
await fill(2000, "a, s, c", "g / 8.0, 'long ' || repeat('x', 30), null");
// So much that what was before is in full segments, and a new one has begun.
const segments = () => disk.files().filter((path) => /\/\d{20}[^/]*$/.test(path)).length;
for (const before = segments(); segments() < before + 3; )
  await run(
    `CREATE TABLE f (t text) WITH (append_only); INSERT INTO f VALUES (repeat('x', 5000)); DROP TABLE f`,
  );
await db.core.log.sealed();
// And all of it once more in frames, of the schema before the newest and of the newest.
await fill(3000, "a, s", "g % 100, 's' || g % 7");
await alter("ADD COLUMN late bool NOT NULL DEFAULT true");
await fill(4000, "a, s, late", "g % 100, 's' || g % 7, false");
await db.built();
const says = await describeDatabase(db);
await db.core.log.sealed();
await db.close();

const directory = join(import.meta.dirname, name);
await mkdir(directory);
await writeFile(join(directory, "says.txt.gz"), gzipSync(says));
for (const path of disk.files().filter((one) => /\/log\/\d{20}.*\.(log|sealed)$/.test(one))) {
  const bytes = disk.contents(path);
  // Zeros that were made ahead say nothing.
  await writeFile(
    join(directory, basename(path)),
    bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1),
  );
}
