/** A process on a file system of a few mebibytes (full-disk.test.ts): it fills it, looks what still works, makes room and goes on. Says what it saw as JSON. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";

const [place, segmentBytes] = process.argv.slice(2) as [string, string];
const ballast = join(place, "ballast");

async function refusal(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

async function rowsOf(db: Database, view: string): Promise<unknown> {
  return (await db.view(view).rows()).rows;
}

const fatal: string[] = [];
const options = {
  directory: join(place, "data"),
  segmentBytes: Number(segmentBytes),
  checkpointIntervalMs: 0,
  onFatal: (error: { message: string }) => fatal.push(error.message),
};
let db = await openEngine(options);
const { error } = await db.sql(
  "CREATE TABLE t (k int4 PRIMARY KEY, v text); CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS c, max(k) AS k FROM t",
);
if (error !== undefined) throw new Error(error.message);
const pushed: string[] = [];
const watching = (async () => {
  for await (const event of db.subscribe([{ view: "counted" }])) pushed.push(event.type);
})().catch(() => {});

// Somebody else fills the file system.
await writeFile(ballast, new Uint8Array(2 << 20));
let taken = 0;
const fill = async (): Promise<void> => {
  for (; ; taken++) await db.append("t", [{ k: taken, v: "x".repeat(20_000) }]);
};
const filled = await refusal(fill);
await new Promise((done) => setImmediate(done));
const full = {
  taken,
  filled,
  again: await refusal(() => db.append("t", [{ k: -1, v: "x".repeat(50_000) }])),
  rows: await rowsOf(db, "counted"),
  query: (await db.sql("SELECT count(*) FROM t")).results[0]?.rowsJson,
  checkpoint: await refusal(() => db.checkpoint()),
};
await rm(ballast);
const after = {
  append: await refusal(() => db.append("t", [{ k: taken, v: "y" }])),
  checkpoint: await refusal(() => db.checkpoint()),
};
await db.settled();
const rows = await rowsOf(db, "counted");
await db.close();
await watching;
db = await openEngine(options);
const restarted = await rowsOf(db, "counted");
await db.close();
console.log(
  JSON.stringify({
    full,
    after,
    rows,
    restarted,
    steps: pushed.filter((p) => p === "step").length > 0,
    fatal,
  }),
);
