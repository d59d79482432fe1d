/** What goes wrong is said with its code and its place, disturbs nothing else, and stores nothing. */
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { EvertError } from "../../src/base/errors.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import type { Database } from "../../src/engine/database.ts";
import { open } from "../../src/engine/open.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { int4, table, text, topic, view } from "../../src/face/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Directories } from "./support/directories.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { maintained } from "./support/views.ts";

const directories = new Directories();

/** What was thrown, in the parts that people and programs see. */
async function refusal(run: () => Promise<unknown>): Promise<EvertError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof EvertError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

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
      expect(await refusal(read)).toMatchObject({ code: "division_by_zero", sqlstate: "22012" });
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
    expect((await refusal(() => db.view("quotients").rows())).code).toBe("division_by_zero");
    await db.deleteKey("t", 4);
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
      expect(await refusal(() => own.view("v").rows())).toMatchObject({ sqlstate: "22012" });
      expect(own.view("v").info.errors).toBe(2);
      await own.close();
    }
    own = await openInMemory(disk);
    await own.append("t", [{ k: 1, d: 1 }]);
    await own.deleteKey("t", 2);
    expect((await own.view("v").rows()).rows).toEqual([{ k: 1, q: 60 }]);
    await own.close();
  });

  it("leaves its row out and counts it, where the view says so", async () => {
    await sql(
      db,
      `CREATE MATERIALIZED VIEW skipping WITH (on_error = 'skip') AS SELECT k, 60 / d AS q FROM t`,
    );
    await db.append("t", [{ k: 3, d: 0, n: "3" }]);
    expect((await db.view("skipping").rows({ order: ["k"] })).rows).toHaveLength(2);
    expect(db.view("skipping").info).toMatchObject({ status: "live", errors: 0, skipped: 1 });
    await db.append("t", [{ k: 3, d: 60, n: "3" }]);
    expect((await db.view("skipping").get(3)).row).toEqual({ k: 3, q: 1 });
    expect(db.view("skipping").info).toMatchObject({ skipped: 0 });
  });

  it("fails the views over it, and heals them with it", async () => {
    await sql(db, "CREATE MATERIALIZED VIEW over AS SELECT count(*) AS c, sum(q) AS s FROM quotients");
    await db.append("t", [{ k: 3, d: 0, n: "3" }]);
    expect(await refusal(() => db.view("over").rows())).toMatchObject({ sqlstate: "22012" });
    await db.append("t", [{ k: 3, d: 1, n: "3" }]);
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
    const error = await refusal(() => own.view(adults).rows());
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

describe("a record that does not fit", () => {
  let db: Database;

  beforeEach(async () => {
    db = await openInMemory();
    await sql(
      db,
      `CREATE TABLE s (i int4, b int8, f float8, n numeric, p numeric(8,2), t text, w timestamptz, o bool) WITH (append_only);
       CREATE TABLE k (id int4 PRIMARY KEY, t text);
       CREATE TABLE h (a int4);
       CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c FROM s`,
    );
    return async () => db.close();
  });

  it.each<[string, unknown, string, string]>([
    ["text for an integer", { i: "x" }, "datatype_mismatch", "records[1].i"],
    ["a fraction for an integer", { i: 1.5 }, "datatype_mismatch", "records[1].i"],
    ["an int4 too large", { i: 2 ** 31 }, "numeric_value_out_of_range", "records[1].i"],
    ["an int8 too large", { b: 2n ** 63n }, "numeric_value_out_of_range", "records[1].b"],
    ["an int8 that a number does not keep", { b: 2 ** 60 }, "numeric_value_out_of_range", "records[1].b"],
    ["text for a float8", { f: "abc" }, "datatype_mismatch", "records[1].f"],
    ["no numeric", { n: "1.2.3" }, "invalid_text_representation", "records[1].n"],
    ["a numeric(8,2) too large", { p: "1234567.5" }, "numeric_value_out_of_range", "records[1].p"],
    ["a number for text", { t: 5 }, "datatype_mismatch", "records[1].t"],
    ["text with U+0000", { t: "a\0b" }, "untranslatable_character", "records[1].t"],
    ["text with half a surrogate pair", { t: "a\ud800b" }, "untranslatable_character", "records[1].t"],
    ["no time", { w: "a while ago" }, "invalid_datetime", "records[1].w"],
    ["text for a bool", { o: "true" }, "datatype_mismatch", "records[1].o"],
    ["a column that is not there", { zzz: 1 }, "undefined_column", "records[1].zzz"],
    [
      "a property of every object",
      JSON.parse('{"__proto__": 1}'),
      "undefined_column",
      "records[1].__proto__",
    ],
    ["no object", 5, "datatype_mismatch", "records[1]"],
    ["null", null, "datatype_mismatch", "records[1]"],
    ["an array", [1], "datatype_mismatch", "records[1]"],
    ["an object for text", { t: { a: 1 } }, "datatype_mismatch", "records[1].t"],
  ])("is refused with its path, and its whole commit with it: %s", async (_what, record, code, path) => {
    const before = { position: db.position, records: db.topic("s").records };
    const error = await refusal(() => db.append("s", [{ i: 1 }, record]));
    expect(error.code).toBe(code);
    expect(error.message.startsWith(`${path}:`)).toBe(true);
    await db.settled();
    expect({ position: db.position, records: db.topic("s").records }).toEqual(before);
    await db.append("s", [{ i: 1 }]);
    expect((await db.view("v").rows()).rows).toEqual([{ c: 1 }]);
  });

  it("takes the rest of its transaction with it", async () => {
    const error = await refusal(() =>
      db.transact([
        { topic: "k", append: [{ id: 1, t: "x" }] },
        { topic: "s", append: [{ i: 1 }, { i: "y" }] },
      ]),
    );
    expect(error.message).toMatch(/^operations\[1\]\.append\[1\]\.i: /);
    expect(await rowsOf(db, "SELECT * FROM k")).toEqual([]);
    expect(db.topic("s").records).toBe(0);
  });

  it("is refused by the topic's own schema too, at every door in process", async () => {
    const ages = topic("ages", {
      schema: z.object({ age: z.int32().min(0).max(150), name: z.string().default("?") }),
    });
    const own = await open({ dir: await directories.make(), topics: [ages] });
    expect(await refusal(() => own.append(ages, [{ age: 1 }, { age: 200 }]))).toMatchObject({
      code: "invalid_value",
      message: expect.stringMatching(/^records\[1\]\.age: /),
    });
    expect(await refusal(() => own.transact([{ topic: ages, append: [{ age: -1 }] }]))).toMatchObject({
      code: "invalid_value",
    });
    await own.append(ages, { age: 3 });
    const read = own.read(ages)[Symbol.asyncIterator]();
    expect((await read.next()).value.value).toEqual({ age: 3, name: "?" });
    await own.close();
  });

  it("must have its key, and one of its type", async () => {
    expect(await refusal(() => db.append("k", [{ t: "x" }]))).toMatchObject({ sqlstate: "23502" });
    expect(await refusal(() => db.append("k", [{ id: null }]))).toMatchObject({ sqlstate: "23502" });
    expect(await refusal(() => db.deleteKey("k", "a"))).toMatchObject({ code: "datatype_mismatch" });
    expect(await refusal(() => db.deleteKey("k", null))).toMatchObject({ sqlstate: "23502" });
    expect(await refusal(() => db.deleteKey("s", 1))).toMatchObject({ code: "wrong_object_type" });
    expect(await refusal(() => db.deleteKey("h", 0))).toMatchObject({ code: "wrong_object_type" });
    expect(await refusal(() => db.append("h", [{ a: 1, __row_id: 7 }]))).toMatchObject({
      code: "undefined_column",
    });
  });

  it("needs a topic that is there", async () => {
    expect(await refusal(() => db.append("nope", [{}]))).toMatchObject({ code: "undefined_table" });
    expect(await refusal(() => db.append("kk", [{}]))).toMatchObject({ hint: 'Did you mean "k"?' });
    expect(await refusal(() => db.append("v", [{}]))).toMatchObject({ code: "wrong_object_type" });
    expect(await refusal(() => db.transact([{ topic: "nope", append: [{}] }]))).toMatchObject({
      code: "undefined_table",
    });
    expect(() => db.view("k")).toThrow(expect.objectContaining({ code: "wrong_object_type" }));
    expect(() => db.view("nope")).toThrow(expect.objectContaining({ code: "undefined_table" }));
    expect(() => db.readTopic("nope")).toThrow(expect.objectContaining({ code: "undefined_table" }));
  });

  it("may be large: what one commit can hold is stored, more is refused by name, and either way appends go on", async () => {
    const long = "ä".repeat(5 << 20);
    await db.append("k", [{ id: 1, t: long }]);
    await db.append(
      "k",
      Array.from({ length: 500 }, (_, i) => ({ id: 10 + i, t: `${i}`.padEnd(20_000, "x") })),
    );
    expect(await refusal(() => db.append("k", [{ id: 2, t: "x".repeat(260 << 20) }]))).toMatchObject({
      code: "record_too_large",
      sqlstate: "54000",
    });
    await db.append("k", [{ id: 3, t: "small" }]);
    expect(await rowsOf(db, "SELECT id, octet_length(t) FROM k WHERE id < 10 ORDER BY id")).toEqual([
      ["1", String(10 << 20)],
      ["3", "5"],
    ]);
    expect(await rowsOf(db, "SELECT count(*) FROM k")).toEqual([["502"]]);
  });

  it("as a batch must have the topic's columns", async () => {
    const builder = new BatchBuilder(db.topic("k").schema);
    builder.appendRow({ id: 1, t: "x" });
    await db.appendBatch("k", builder.finish());
    expect(await rowsOf(db, "SELECT * FROM k")).toEqual([["1", "x"]]);
    const other = new BatchBuilder(db.topic("s").schema);
    other.appendRow({ i: 1 });
    expect(await refusal(() => db.appendBatch("k", other.finish()))).toMatchObject({
      code: "datatype_mismatch",
    });
  });

  it("as a batch gets its hidden row ids like any other", async () => {
    await db.append("h", [{ a: 1 }]);
    const builder = new BatchBuilder(db.topic("h").schema);
    for (const a of [1, 2]) builder.appendRow({ a });
    await db.appendBatch("h", builder.finish());
    await db.append("h", [{ a: 2 }]);
    expect(await rowsOf(db, "SELECT a FROM h ORDER BY a")).toEqual([["1"], ["1"], ["2"], ["2"]]);
    await sql(db, "DELETE FROM h WHERE a = 1");
    expect(await rowsOf(db, "SELECT a FROM h ORDER BY a")).toEqual([["2"], ["2"]]);
  });
});

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

describe("an idempotency key", () => {
  it("stores a request once, answers it again, refuses another under the same key, and outlives a restart", async () => {
    const disk = new SimulatedDisk();
    let db = await openInMemory(disk);
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    const first = await db.append("s", [{ n: 1 }, { n: 2 }], { idempotencyKey: "a" });
    expect(await db.append("s", [{ n: 1 }, { n: 2 }], { idempotencyKey: "a" })).toEqual(first);
    const other = () => db.append("s", [{ n: 1 }, { n: 3 }], { idempotencyKey: "a" });
    expect(await refusal(other)).toMatchObject({ code: "idempotency_conflict", status: 422 });
    const digest = { idempotencyKey: "b", requestDigest: "one" };
    const { position } = await db.transact([{ topic: "s", append: [{ n: 4 }] }], digest);
    const again = { idempotencyKey: "b", requestDigest: "two" };
    expect(await refusal(() => db.transact([{ topic: "s", append: [{ n: 4 }] }], again))).toMatchObject({
      code: "idempotency_conflict",
    });
    await db.close();
    db = await openInMemory(disk);
    expect(await db.append("s", [{ n: 1 }, { n: 2 }], { idempotencyKey: "a" })).toEqual(first);
    expect((await refusal(other)).code).toBe("idempotency_conflict");
    expect(await db.transact([{ topic: "s", append: [{ n: 4 }] }], digest)).toEqual({ position });
    expect(db.topic("s").records).toBe(3);
    await db.close();
  });

  it("stores one of many that come together", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => db.append("s", [{ n: 1 }], { idempotencyKey: "same" })),
    );
    expect(new Set(answers.map((a) => a.position)).size).toBe(1);
    expect(db.topic("s").records).toBe(1);
    await db.close();
  });

  it("stands for nothing when its request was refused", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    await refusal(() => db.append("s", [{ n: "x" }], { idempotencyKey: "a" }));
    expect(await db.append("s", [{ n: 1 }], { idempotencyKey: "a" })).toMatchObject({
      count: 1,
      firstOffset: 0,
    });
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
      expect(await refusal(read)).toMatchObject({ code: "timeout", sqlstate: "57014", status: 504 });
    }
    for (const atLeast of ["abc", "-1", "1.5", "", "99999999999999999999"]) {
      expect(await refusal(() => db.view("v").rows({ atLeast }))).toMatchObject({ code: "invalid_request" });
    }
  });

  it("asks for what the view has", async () => {
    expect((await refusal(() => db.view("v").rows({ where: { z: 1 } }))).code).toBe("undefined_column");
    expect((await refusal(() => db.view("v").rows({ order: ["z"] }))).code).toBe("undefined_column");
    expect((await refusal(() => db.view("v").rows({ where: { id: "x" } }))).code).toBe("datatype_mismatch");
    expect((await refusal(() => db.view("v").rows({ limit: -1 }))).code).toBe("invalid_request");
    expect((await refusal(() => db.view("v").rows({ limit: 1.5 }))).code).toBe("invalid_request");
    expect((await refusal(() => db.view("v").get("x"))).code).toBe("datatype_mismatch");
    expect((await refusal(() => db.view("v").get([1, 2]))).code).toBe("datatype_mismatch");
  });

  it("of a topic begins at an offset", async () => {
    for (const from of [-1, 1.5, Number.NaN]) {
      const read = db.readTopic("k", { from })[Symbol.asyncIterator]();
      expect(await refusal(() => read.next())).toMatchObject({ code: "invalid_request" });
    }
  });
});

describe("a data directory", () => {
  it("has one owner: who comes second is refused, and may have it afterwards", async () => {
    const directory = await directories.make();
    const first = await openEngine({ directory });
    expect(await refusal(() => openEngine({ directory }))).toMatchObject({ code: "directory_locked" });
    await first.close();
    const second = await openEngine({ directory });
    await second.close();
  });

  it("is let go when it cannot be opened", async () => {
    const directory = await directories.make();
    const wrong = table("t", { key: "id", schema: { id: int4 } });
    await (await open({ dir: directory, topics: [wrong] })).close();
    const other = table("t", { key: "id", schema: { id: text } });
    expect(await refusal(() => open({ dir: directory, topics: [other] }))).toMatchObject({
      code: "datatype_mismatch",
    });
    await (await open({ dir: directory, topics: [wrong] })).close();
  });

  it("closed finishes what it accepted, answers shutting_down, and may be closed twice", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    const pending = db.append("s", [{ n: 1 }]);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([db.close(), db.close()]);
    await pending;
    expect(await refusal(() => db.append("s", [{ n: 2 }]))).toMatchObject({ code: "shutting_down" });
    expect((await db.sql("INSERT INTO s VALUES (1)")).error).toMatchObject({ code: "shutting_down" });
  });
});
