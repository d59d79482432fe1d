/** What goes wrong is said with its code and its place, disturbs nothing else, and stores nothing. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { refusalOf } from "../support/refusal.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

describe("names are names, whatever they spell", () => {
  it("in quoted identifiers of tables, columns and views, and in the code that is made for them", async () => {
    const disk = new SimulatedDisk();
    let db = await openInMemory(disk);
    const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
    const injected = ["`$", "{globalThis.broken = true}`"].join("");
    const names = [
      `we"ird; DROP TABLE k; --`,
      injected,
      `a'b\\`,
      "constructor",
      "__proto__",
      "*/ throw 1; /*",
      "\u2028",
      "名前",
    ];
    await sql(db, "CREATE TABLE k (id int4 PRIMARY KEY)");
    const columns = names.map((n, i) => `${quoted(n)} ${i % 2 === 0 ? "int4" : "text"}`).join(", ");
    await sql(
      db,
      `CREATE TABLE ${quoted(names[0] as string)} (${columns}, PRIMARY KEY (${quoted(names[0] as string)}))`,
    );
    const record = (n: number): Record<string, unknown> =>
      JSON.parse(
        `{${names.map((name, i) => `${JSON.stringify(name)}:${i % 2 === 0 ? n : `"t${n}"`}`).join(",")}}`,
      );
    await db.append(names[0] as string, [record(1), record(2)]);
    const list = names.map(quoted).join(", ");
    const text = `'\`\${globalThis.broken = true}\\''' || ${quoted(names[1] as string)}`;
    const query = `SELECT ${list}, ${text} AS ${quoted("'")}, count(*) AS c FROM ${quoted(names[0] as string)} GROUP BY ${list}`;
    for (const name of names) await sql(db, `CREATE MATERIALIZED VIEW ${quoted(`${name} view`)} AS ${query}`);
    await db.append(names[0] as string, [record(2), record(3)]);
    await db.close();
    db = await openInMemory(disk);
    for (const name of names) {
      const { rows } = await db.view(`${name} view`).rows({ order: [names[0] as string] });
      const expected = [1, 2, 3].map((n) => {
        const row = Object.entries(record(n));
        return [...row, ["'", `\`\${globalThis.broken = true}\\'t${n}`], ["c", 1]];
      });
      expect(rows.map((row) => Object.entries(row))).toEqual(expected);
    }
    expect("broken" in globalThis).toBe(false);
    expect(await rowsOf(db, "SELECT count(*) FROM k")).toEqual([["0"]]);
    await db.close();
  });
});

describe("a statement that fails", () => {
  it("leaves those before it standing, runs none behind it, and says where", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE k (id int4 PRIMARY KEY)");
    const response = await db.sql(
      "INSERT INTO k VALUES (1); INSERT INTO k VALUES (2), (1); INSERT INTO k VALUES (3)",
    );
    expect(response.results.map((r) => r.command)).toEqual(["INSERT 0 1"]);
    expect(response.error).toMatchObject({ sqlstate: "23505", status: 409 });
    expect(await rowsOf(db, "SELECT id FROM k")).toEqual([["1"]]);
    expect((await db.sql("SELECT nope FROM k")).error).toMatchObject({ sqlstate: "42703", position: 8 });
    await db.close();
  });

  it("takes its transaction with it, and a transaction without COMMIT leaves nothing and says so", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE k (id int4 PRIMARY KEY)");
    const failed = await db.sql(
      "BEGIN; INSERT INTO k VALUES (1); INSERT INTO k VALUES (1); COMMIT; SELECT 1",
    );
    expect(failed.error).toMatchObject({ sqlstate: "23505" });
    expect((await db.sql("BEGIN; INSERT INTO k VALUES (2)")).error).toMatchObject({ sqlstate: "25000" });
    expect((await db.sql("BEGIN; INSERT INTO k VALUES (3); ROLLBACK")).error).toBeUndefined();
    expect(await rowsOf(db, "SELECT id FROM k")).toEqual([]);
    await sql(
      db,
      "BEGIN; INSERT INTO k VALUES (4); UPDATE k SET id = 5 WHERE id = 4; INSERT INTO k VALUES (4); COMMIT",
    );
    expect(await rowsOf(db, "SELECT id FROM k ORDER BY id")).toEqual([["4"], ["5"]]);
    await db.close();
  });

  it("on a constraint decided by log order refuses the same one however they come together", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE names (name text PRIMARY KEY, owner int4)");
    const claims = Array.from({ length: 20 }, (_, i) => db.sql(`INSERT INTO names VALUES ('ada', ${i})`));
    const answers = await Promise.all(claims);
    const accepted = answers.flatMap((a, i) => (a.error === undefined ? [i] : []));
    expect(accepted).toHaveLength(1);
    expect(answers.filter((a) => a.error?.sqlstate === "23505")).toHaveLength(19);
    expect(await rowsOf(db, "SELECT owner FROM names")).toEqual([[String(accepted[0])]]);
    await db.close();
  });

  it("never loses an update: what is decided by reading is decided alone", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE c (id int4 PRIMARY KEY, n int4); INSERT INTO c VALUES (1, 0)");
    await Promise.all(Array.from({ length: 50 }, () => sql(db, "UPDATE c SET n = n + 1 WHERE id = 1")));
    expect(await rowsOf(db, "SELECT n FROM c")).toEqual([["50"]]);
    await db.close();
  });
});

describe("an append beside a statement that reads", () => {
  it("comes before it or after it, never in its midst", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE c (id int4 PRIMARY KEY, n int4)");
    await db.append(
      "c",
      Array.from({ length: 5000 }, (_, id) => ({ id, n: 0 })),
    );
    for (let round = 1; round <= 10; round++) {
      // The scan lets others have their turn before it has seen all rows.
      const update = sql(db, "UPDATE c SET n = n + 1 WHERE n >= 0 AND id % 1000 = 0");
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.all([update, db.append("c", [{ id: 0, n: 1000 * round }])]);
      expect([1000 * round, 1000 * round + 1]).toContain(
        Number((await rowsOf(db, "SELECT n FROM c WHERE id = 0"))[0]?.[0]),
      );
    }
    expect(await rowsOf(db, "SELECT n FROM c WHERE id = 4000")).toEqual([["10"]]);
    await db.close();
  });
});

describe("a read", () => {
  let db: Database;

  beforeEach(async () => {
    db = await openInMemory();
    await sql(
      db,
      "CREATE TABLE k (id int4 PRIMARY KEY, t text); CREATE MATERIALIZED VIEW v AS SELECT id, t FROM k",
    );
    return async () => db.close();
  });

  it("with atLeast has one's own writes in it", async () => {
    for (let id = 0; id < 50; id++) {
      const { position } = await db.append("k", [{ id, t: "x" }]);
      expect((await db.view("v").get(id, { atLeast: position })).row).toEqual({ id, t: "x" });
      const { results } = await db.sql(`SELECT count(*) FROM v`, { atLeast: position });
      expect(results[0]?.rowsText()).toEqual([[String(id + 1)]]);
    }
  });

  it("with an atLeast that does not come ends in a timeout; with one that is no position, at once", async () => {
    const far = { atLeast: "1000000", timeoutMs: 20 };
    for (const read of [
      () => db.view("v").rows(far),
      () => db.view("v").get(1, far),
      () => db.reached(far),
      () => db.sql("SELECT 1", far),
    ]) {
      expect(await refusalOf(read)).toMatchObject({ code: "timeout", sqlstate: "57014", status: 504 });
    }
    for (const atLeast of ["abc", "-1", "1.5", "", "99999999999999999999"]) {
      expect(await refusalOf(() => db.view("v").rows({ atLeast }))).toMatchObject({
        code: "invalid_request",
      });
    }
  });

  it("asks for what the view has", async () => {
    expect((await refusalOf(() => db.view("v").rows({ where: { z: 1 } }))).code).toBe("undefined_column");
    expect((await refusalOf(() => db.view("v").rows({ order: ["z"] }))).code).toBe("undefined_column");
    expect((await refusalOf(() => db.view("v").rows({ where: { id: "x" } }))).code).toBe("datatype_mismatch");
    expect((await refusalOf(() => db.view("v").rows({ limit: -1 }))).code).toBe("invalid_request");
    expect((await refusalOf(() => db.view("v").rows({ limit: 1.5 }))).code).toBe("invalid_request");
    expect((await refusalOf(() => db.view("v").get("x"))).code).toBe("datatype_mismatch");
    expect((await refusalOf(() => db.view("v").get([1, 2]))).code).toBe("datatype_mismatch");
  });

  it("of a topic begins at an offset", async () => {
    for (const from of [-1, 1.5, Number.NaN]) {
      const read = db.readTopic("k", { from })[Symbol.asyncIterator]();
      expect(await refusalOf(() => read.next())).toMatchObject({ code: "invalid_request" });
    }
  });
});
