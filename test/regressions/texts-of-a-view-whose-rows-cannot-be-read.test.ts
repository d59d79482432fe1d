/** A view that stopped because its rows on disk could not be read kept the texts of the chunk that had waited for them, for as long as the process ran. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, db, openWith } from "../engine/support/cold.ts";
import { sql } from "../engine/support/memory.ts";

const rows = Array.from({ length: 500 }, (_, n) => ({ k: `a text that is the key ${n}`, n }));

test.each([
  ["groups", "SELECT k, sum(n) AS n FROM s GROUP BY k"],
  ["different rows", "SELECT DISTINCT k FROM s"],
  [
    "first rows",
    "SELECT k, n FROM (SELECT k, n, row_number() OVER (PARTITION BY k ORDER BY n) AS r FROM s) x WHERE r = 1",
  ],
  [
    "first two",
    "SELECT k, n FROM (SELECT k, n, row_number() OVER (PARTITION BY k ORDER BY n) AS r FROM s) x WHERE r <= 2",
  ],
])("%s that cannot be read leave no texts behind", async (_, query) => {
  const disk = new SimulatedDisk();
  await openWith(disk, { warm: 0, report: () => {} });
  await sql(
    db,
    `CREATE TABLE other (k int4 PRIMARY KEY); CREATE TABLE s (k text, n int4) WITH (append_only); CREATE MATERIALIZED VIEW v AS ${query}`,
  );
  const { dictionary } = db.core;
  await db.append("s", rows);
  await db.settled();
  await cooled();
  await db.core.stepper.swept();
  // All of them are on disk.
  const few = dictionary.size;
  expect(few).toBeLessThan(100);
  disk.fail({ operation: "read", path: /run-/, code: "EIO", times: Number.POSITIVE_INFINITY });
  await db.append("s", rows);
  await db.settled();
  expect(db.viewFailure("v")).toMatchObject({ code: "io_error" });
  disk.heal();
  await cooled();
  await db.core.stepper.swept();
  expect(dictionary.size).toBeLessThanOrEqual(few);
});
