/** An expression that fails is an error of its row and of the views over it, until the row is corrected. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { open } from "../../src/engine/open.ts";
import { int4, table, view } from "../../src/face/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { refusalOf } from "../support/refusal.ts";
import { Directories } from "./support/directories.ts";
import { openInMemory, sql, told } from "./support/memory.ts";
import { maintained } from "./support/views.ts";

const directories = new Directories();

describe("an expression that fails", () => {
  let db: Database;

  beforeEach(async () => {
    db = await openInMemory();
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, d int4, n text)");
    await sql(db, "CREATE MATERIALIZED VIEW quotients AS SELECT k, 60 / d AS q FROM t");
    await sql(db, "CREATE MATERIALIZED VIEW plain AS SELECT k, d FROM t");
    await db.append("t", [
      { k: 1, d: 2, n: "1" },
      { k: 2, d: 3, n: "2" },
    ]);
    return async () => db.close();
  });

  it("makes reads of its view answer with the error and its SQLSTATE, and leaves other views alone", async () => {
    const { position } = await db.append("t", [{ k: 3, d: 0, n: "3" }]);
    for (const read of [
      () => db.view("quotients").rows({ atLeast: position }),
      () => db.view("quotients").rowsJson(),
      () => db.view("quotients").get(1),
    ]) {
      expect(await refusalOf(read)).toMatchObject({ code: "division_by_zero", sqlstate: "22012" });
    }
    expect((await db.sql("SELECT * FROM quotients")).error).toMatchObject({ sqlstate: "22012" });
    expect(db.view("quotients").info).toMatchObject({
      status: "failed",
      errors: 1,
      error: { sqlstate: "22012" },
    });
    expect((await db.view("plain").rows()).rows).toHaveLength(3);
    expect(db.view("plain").info).toMatchObject({ status: "live", errors: 0 });
  });

  it("is healed by correcting the row, by deleting it, and by the last of several", async () => {
    await db.append("t", [{ k: 3, d: 0, n: "3" }]);
    await db.append("t", [{ k: 4, d: 0, n: "4" }]);
    await db.append("t", [{ k: 3, d: 30, n: "3" }]);
    await told(db);
    expect((await refusalOf(() => db.view("quotients").rows())).code).toBe("division_by_zero");
    await db.deleteKey("t", 4);
    await told(db);
    const { rows } = await db.view("quotients").rows({ order: ["k"] });
    expect(rows).toEqual([
      { k: 1, q: 30 },
      { k: 2, q: 20 },
      { k: 3, q: 2 },
    ]);
    expect(db.view("quotients").info).toMatchObject({ status: "live", errors: 0 });
  });

  it("goes on failing after a restart, with and without the checkpoint, and heals then", async () => {
    const disk = new SimulatedDisk();
    let own = await openInMemory(disk);
    await sql(
      own,
      "CREATE TABLE t (k int4 PRIMARY KEY, d int4); CREATE MATERIALIZED VIEW v AS SELECT k, 60 / d AS q FROM t",
    );
    await own.append("t", [{ k: 1, d: 0 }]);
    await own.checkpoint();
    await own.append("t", [{ k: 2, d: 0 }]);
    await own.close();
    for (const withCheckpoint of [true, false]) {
      for (const path of disk.files())
        if (!withCheckpoint && path.includes("/checkpoint/")) await disk.unlink(path);
      own = await openInMemory(disk);
      expect(await refusalOf(() => own.view("v").rows())).toMatchObject({ sqlstate: "22012" });
      expect(own.view("v").info.errors).toBe(2);
      await own.close();
    }
    own = await openInMemory(disk);
    await own.append("t", [{ k: 1, d: 1 }]);
    await own.deleteKey("t", 2);
    await told(own);
    expect((await own.view("v").rows()).rows).toEqual([{ k: 1, q: 60 }]);
    await own.close();
  });

  it("leaves its row out and counts it, where the view says so", async () => {
    await sql(
      db,
      `CREATE MATERIALIZED VIEW skipping WITH (on_error = 'skip') AS SELECT k, 60 / d AS q FROM t`,
    );
    await db.append("t", [{ k: 3, d: 0, n: "3" }]);
    await told(db);
    expect((await db.view("skipping").rows({ order: ["k"] })).rows).toHaveLength(2);
    expect(db.view("skipping").info).toMatchObject({ status: "live", errors: 0, skipped: 1 });
    await db.append("t", [{ k: 3, d: 60, n: "3" }]);
    await told(db);
    expect((await db.view("skipping").get(3)).row).toEqual({ k: 3, q: 1 });
    expect(db.view("skipping").info).toMatchObject({ skipped: 0 });
  });

  it("fails the views over it, and heals them with it", async () => {
    await sql(db, "CREATE MATERIALIZED VIEW over AS SELECT count(*) AS c, sum(q) AS s FROM quotients");
    await db.append("t", [{ k: 3, d: 0, n: "3" }]);
    await told(db);
    expect(await refusalOf(() => db.view("over").rows())).toMatchObject({ sqlstate: "22012" });
    await db.append("t", [{ k: 3, d: 1, n: "3" }]);
    await told(db);
    expect((await db.view("over").rows()).rows).toEqual([{ c: 3, s: 110 }]);
  });

  it.each([
    ["in WHERE", "SELECT k FROM t WHERE 60 / d > 1"],
    ["in a group's key", "SELECT 60 / d AS g, count(*) AS c FROM t GROUP BY 60 / d"],
    ["in an aggregate", "SELECT sum(60 / d) AS s FROM t"],
    ["in a filter of an aggregate", "SELECT count(*) FILTER (WHERE 60 / d > 1) AS s FROM t"],
    ["in ORDER BY … LIMIT", "SELECT k FROM t ORDER BY 60 / d LIMIT 1"],
    ["behind a join", "SELECT a.k, 60 / b.d AS q FROM t a JOIN t b ON a.k = b.k"],
    ["in a join's condition", "SELECT a.k FROM t a JOIN t b ON a.k = 60 / b.d"],
    ["in HAVING", "SELECT k, count(*) AS c FROM t GROUP BY k, d HAVING 60 / d > 1"],
    ["behind DISTINCT", "SELECT DISTINCT 60 / d AS q FROM t"],
    ["in a branch of a union", "SELECT k AS q FROM t UNION ALL SELECT 60 / d FROM t"],
    ["on the result of an aggregate", "SELECT k, 60 / sum(d) AS q FROM t GROUP BY k"],
    ["in a cast", "SELECT n::int4 + 0 AS q FROM t"],
  ])("is found %s, and heals there", async (_where, query) => {
    await sql(db, `CREATE MATERIALIZED VIEW v AS ${query}`);
    const before = await maintained(db, "v");
    expect(before).toBeInstanceOf(Array);
    await db.append("t", [{ k: 3, d: 0, n: "three" }]);
    expect(await maintained(db, "v")).toEqual({ sqlstate: query.includes("::") ? "22P02" : "22012" });
    await db.deleteKey("t", 3);
    expect(await maintained(db, "v")).toEqual(before);
  });

  it("on the TypeScript side is the function's own error, with the row named", async () => {
    const people = table("people", { key: "id", schema: { id: int4, age: int4 } });
    const adults = view(
      "adults",
      people.map((p) => {
        if (p.age < 0) throw new RangeError(`nobody is ${p.age} years old`);
        return { id: p.id, years: p.age };
      }),
    );
    const own = await open({ dir: await directories.make(), topics: [people], views: [adults] });
    await own.append(people, [
      { id: 1, age: 5 },
      { id: 2, age: -1 },
    ]);
    // An append is told when it is durable, which may be before its step is done.
    await own.settled();
    const error = await refusalOf(() => own.view(adults).rows());
    expect(error).toMatchObject({ code: "function_failed", sqlstate: "38000" });
    expect(error.message).toContain("nobody is -1 years old");
    await own.append(people, { id: 2, age: 1 });
    await own.settled();
    expect(await own.view(adults).rows({ order: ["id"] })).toEqual([
      { id: 1, years: 5 },
      { id: 2, years: 1 },
    ]);
    await own.close();
  });
});
