/** A view that takes too much stops, by name; the others go on, and nothing waits for it. */
import { afterEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;
afterEach(() => db.close());

const limits = { rowsMax: 20_000, stepRowsMax: 200_000 };

async function open(disk = new SimulatedDisk(), more = {}): Promise<void> {
  db = await openInMemory(disk, { limits, ...more });
}

async function define(): Promise<void> {
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, a int)");
  await sql(db, "CREATE MATERIALIZED VIEW other AS SELECT count(*) AS n FROM t");
}

async function rows(count: number): Promise<void> {
  await db.append(
    "t",
    Array.from({ length: count }, (_, k) => ({ k, a: 1 })),
  );
  await db.settled();
}

async function otherView(): Promise<unknown> {
  return (await db.view("other").rows()).rows[0];
}

const joined = "SELECT x.k, y.k AS l FROM t x JOIN t y ON x.a = y.a";
const refused = { code: "view_limit", sqlstate: "54000" };

describe("a join that explodes", () => {
  it("stops its view when it keeps too many rows, and says so by name", async () => {
    await open();
    await define();
    await sql(db, `CREATE MATERIALIZED VIEW pairs AS ${joined}`);
    await sql(db, "CREATE MATERIALIZED VIEW above AS SELECT count(*) AS n FROM pairs");
    await db.built();
    await rows(100);
    expect(await rowsOf(db, "SELECT n FROM above")).toEqual([["10000"]]);
    await rows(1000);
    for (const name of ["pairs", "above"]) {
      await expect(db.view(name).rows()).rejects.toMatchObject(refused);
      expect(db.views().find((v) => v.name === name)).toMatchObject({ status: "failed", error: refused });
    }
    expect(await otherView()).toEqual({ n: 1000 });
    // It costs nothing any more.
    await rows(2000);
    expect(await otherView()).toEqual({ n: 2000 });
    expect(db.views().find((v) => v.name === "pairs")!.rows).toBeLessThan(150_000);
    await sql(db, "DROP MATERIALIZED VIEW above; DROP MATERIALIZED VIEW pairs");
    await sql(db, "DELETE FROM t WHERE k >= 50");
    await sql(db, `CREATE MATERIALIZED VIEW pairs AS ${joined}`);
    await db.built();
    expect(await rowsOf(db, "SELECT count(*) FROM pairs")).toEqual([["2500"]]);
  });

  it("stops its view when it only makes too many, and keeps few", async () => {
    await open();
    await define();
    await sql(db, `CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM (${joined}) p`);
    await db.built();
    await rows(400);
    expect(await rowsOf(db, "SELECT n FROM counted")).toEqual([["160000"]]);
    await rows(2000);
    await expect(db.view("counted").rows()).rejects.toMatchObject(refused);
    expect(await otherView()).toEqual({ n: 2000 });
  });

  it("is refused while it is built, and as a query", async () => {
    await open();
    await define();
    await rows(1000);
    const { error } = await db.sql(`CREATE MATERIALIZED VIEW pairs AS ${joined}`);
    expect(error).toMatchObject({ ...refused, detail: "The part: Inner join on a = a, over table t." });
    expect((await db.sql(joined)).error).toMatchObject(refused);
    expect(await otherView()).toEqual({ n: 1000 });
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["1000"]]);
  });

  it("has no part in a checkpoint: with more room the view is whole after the next start", async () => {
    const disk = new SimulatedDisk();
    await open(disk);
    await define();
    await sql(db, `CREATE MATERIALIZED VIEW pairs AS ${joined}`);
    await db.built();
    await rows(500);
    await expect(db.view("pairs").rows()).rejects.toMatchObject(refused);
    await db.checkpoint();
    await db.close();
    await open(disk, { limits: {} });
    await db.built();
    expect(await rowsOf(db, "SELECT count(*) FROM pairs")).toEqual([["250000"]]);
    await db.close();
    await open(disk);
    await db.built();
    expect(await otherView()).toEqual({ n: 500 });
  });

  it("by bytes as well", async () => {
    await open(new SimulatedDisk(), { limits: { bytesMax: 1 << 20 } });
    await define();
    await sql(db, `CREATE MATERIALIZED VIEW pairs AS ${joined}`);
    await db.built();
    await rows(1000);
    await expect(db.view("pairs").rows()).rejects.toMatchObject(refused);
    expect(await otherView()).toEqual({ n: 1000 });
  });
});
