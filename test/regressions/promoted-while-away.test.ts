/**
 * Versions of a view, where what a plain name means has changed while somebody was away, or through something else's going: a subscriber that came back got the steps of the
 * version that the name means by now on top of rows of the one before, and kept those for good; and DROP … CASCADE took the current version and left the others.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { Client } from "../engine/support/client.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;
beforeEach(async () => {
  db = await openInMemory();
});
afterEach(() => db.close());

/** Follows the view until `isOver`, with what the client held before. */
async function follow(view: string, client: Client, isOver: (type: string) => boolean): Promise<void> {
  const options = client.position < 0 ? {} : { from: String(client.position) };
  for await (const event of db.subscribe([{ view }], options)) {
    client.apply(event);
    if (isOver(event.type) && client.views.has(view)) return;
  }
}

it.each(["promoted", "rolled back"])(
  "a view that was %s while its subscriber was away is told anew",
  async (how) => {
    await sql(db, "CREATE TABLE t (a int4 PRIMARY KEY)");
    await sql(db, "CREATE MATERIALIZED VIEW charts AS SELECT a FROM t WHERE a > 10");
    await db.versions.build("charts", "SELECT a FROM t");
    await db.built();
    await sql(db, "INSERT INTO t VALUES (1), (2), (20)");
    await db.settled();
    const atOnce = (type: string): boolean => type === "snapshot";
    const client = new Client();
    if (how === "promoted") {
      // Somebody looks at the version beforehand, so that its steps are kept.
      await follow("charts@2", new Client(), atOnce);
      await follow("charts", client, atOnce);
      await db.versions.promote("charts", 2);
    } else {
      await follow("charts", new Client(), atOnce);
      await db.versions.promote("charts", 2);
      await follow("charts", client, atOnce);
      await db.versions.rollback("charts");
    }
    await sql(db, "INSERT INTO t VALUES (30)");
    await db.settled();
    await follow("charts", client, (type) => type === "snapshot" || type === "step");
    const shown = [...client.views.get("charts")!.values()].map(
      (row) => (JSON.parse(row) as { a: number }).a,
    );
    const rows = (await rowsOf(db, "SELECT a FROM charts ORDER BY a")).map(([a]) => Number(a));
    expect(shown.sort((x, y) => x - y)).toEqual(rows);
    expect(client.resets).toEqual(["charts: the view was replaced"]);
  },
);

it("what CASCADE takes is the current version with all others, as where it is named", async () => {
  await sql(db, "CREATE TABLE t (a int4 PRIMARY KEY); CREATE TABLE u (a int4 PRIMARY KEY)");
  await sql(db, "CREATE MATERIALIZED VIEW charts AS SELECT a FROM t");
  await db.versions.build("charts", "SELECT a FROM u");
  await db.versions.build("charts", "SELECT a + 1 AS a FROM t");
  await db.built();
  await sql(db, 'CREATE MATERIALIZED VIEW above AS SELECT count(*) AS n FROM "charts@3"');
  await db.versions.promote("charts", 2);
  const { error } = await db.sql("DROP TABLE u");
  expect(error).toMatchObject({ code: "dependent_objects" });
  await sql(db, "DROP TABLE u CASCADE");
  expect(db.views()).toEqual([]);
  // The name is free, all of it.
  await sql(db, "CREATE TABLE charts (x int4 PRIMARY KEY)");
  await sql(db, "DROP TABLE t");
});
