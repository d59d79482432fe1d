/** A record that does not fit is refused at every door, and nothing of its transaction is stored. */
import { beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { BatchBuilder } from "../../src/batch/builder.ts";
import type { Database } from "../../src/engine/database.ts";
import { open } from "../../src/engine/open.ts";
import { topic } from "../../src/face/index.ts";
import { refusalOf } from "../support/refusal.ts";
import { Directories } from "./support/directories.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const directories = new Directories();

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
    await db.settled();
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
    const error = await refusalOf(() => db.append("s", [{ i: 1 }, record]));
    expect(error.code).toBe(code);
    expect(error.message.startsWith(`${path}:`)).toBe(true);
    await db.settled();
    expect({ position: db.position, records: db.topic("s").records }).toEqual(before);
    await db.append("s", [{ i: 1 }]);
    await db.settled();
    expect((await db.view("v").rows()).rows).toEqual([{ c: 1 }]);
  });

  it("takes the rest of its transaction with it", async () => {
    const error = await refusalOf(() =>
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
    expect(await refusalOf(() => own.append(ages, [{ age: 1 }, { age: 200 }]))).toMatchObject({
      code: "invalid_value",
      message: expect.stringMatching(/^records\[1\]\.age: /),
    });
    expect(await refusalOf(() => own.transact([{ topic: ages, append: [{ age: -1 }] }]))).toMatchObject({
      code: "invalid_value",
    });
    await own.append(ages, { age: 3 });
    const read = own.read(ages)[Symbol.asyncIterator]();
    expect((await read.next()).value.value).toEqual({ age: 3, name: "?" });
    await own.close();
  });

  it("must have its key, and one of its type", async () => {
    expect(await refusalOf(() => db.append("k", [{ t: "x" }]))).toMatchObject({ sqlstate: "23502" });
    expect(await refusalOf(() => db.append("k", [{ id: null }]))).toMatchObject({ sqlstate: "23502" });
    expect(await refusalOf(() => db.deleteKey("k", "a"))).toMatchObject({ code: "datatype_mismatch" });
    expect(await refusalOf(() => db.deleteKey("k", null))).toMatchObject({ sqlstate: "23502" });
    expect(await refusalOf(() => db.deleteKey("s", 1))).toMatchObject({ code: "wrong_object_type" });
    expect(await refusalOf(() => db.deleteKey("h", 0))).toMatchObject({ code: "wrong_object_type" });
    expect(await refusalOf(() => db.append("h", [{ a: 1, __row_id: 7 }]))).toMatchObject({
      code: "undefined_column",
    });
  });

  it("needs a topic that is there", async () => {
    expect(await refusalOf(() => db.append("nope", [{}]))).toMatchObject({ code: "undefined_table" });
    expect(await refusalOf(() => db.append("kk", [{}]))).toMatchObject({ hint: 'Did you mean "k"?' });
    expect(await refusalOf(() => db.append("v", [{}]))).toMatchObject({ code: "wrong_object_type" });
    expect(await refusalOf(() => db.transact([{ topic: "nope", append: [{}] }]))).toMatchObject({
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
    expect(await refusalOf(() => db.append("k", [{ id: 2, t: "x".repeat(260 << 20) }]))).toMatchObject({
      code: "record_too_large",
      sqlstate: "54000",
    });
    await db.append("k", [{ id: 3, t: "small" }]);
    await db.settled();
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
    expect(await refusalOf(() => db.appendBatch("k", other.finish()))).toMatchObject({
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
