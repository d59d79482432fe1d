/** Answers that are made as they are taken: the rows that an answer made at once has, of one position, a piece at a time, and nothing is left of them. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Chores } from "../../src/base/chores.ts";
import type { FlowingResult } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "./support/memory.ts";

const ROWS = 20_000;

let db: Database;

beforeAll(async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (id int PRIMARY KEY, g int, s text, b int8, c numeric(8,2), d float8, e bool, f timestamptz);
     CREATE TABLE log (n int, word text) WITH (append_only);
     CREATE MATERIALIZED VIEW v AS SELECT g, count(*) AS n FROM t GROUP BY g`,
  );
  await sql(
    db,
    `INSERT INTO t SELECT i, nullif(i % 7, 0), CASE i % 3 WHEN 0 THEN NULL ELSE 'text ' || i END,
                   9007199254740993 + i % 2, i / 8.0, i / 3.0, i % 2 = 0, '2024-02-29T12:00:00Z'::timestamptz + i * interval '1 second'
     FROM generate_series(1, ${ROWS}) i`,
  );
  await sql(db, `INSERT INTO log SELECT i, 'word ' || i % 10 FROM generate_series(1, ${ROWS}) i`);
  await db.settled();
});

afterAll(() => db.close());

async function flow(text: string): Promise<FlowingResult> {
  const { flowing, error } = await db.sql(text, { flowing: true });
  if (flowing === undefined) throw new Error(`${error?.sqlstate} ${error?.message}`);
  return flowing;
}

async function linesOf(
  flowing: FlowingResult,
  form: "json" | "text" | "objects" = "json",
): Promise<string[]> {
  let text = "";
  for await (const piece of flowing.pieces(form, (row) => `${row}\n`)) text += piece;
  return text.split("\n").slice(0, -1);
}

/** Whether somebody holds rows of the table. */
function isHeld(table = "t"): boolean {
  const { catalog, tables } = db.core;
  return tables.store(catalog.entry(table)!.id)!.isPinned;
}

describe("the rows that there are", () => {
  it.each([
    "SELECT * FROM t",
    "SELECT s, b FROM t WHERE g = 3 AND id > 100",
    "SELECT id, 'x' || s, NOT e, NULL FROM t",
    "SELECT word, n FROM log",
    "SELECT n FROM log WHERE n < 50 UNION ALL SELECT id FROM t UNION ALL VALUES (-1), (NULL)",
    "SELECT * FROM t ORDER BY c DESC, id",
    "SELECT id, 100 / (id - 0) FROM t",
    "SELECT n % 100, count(*), string_agg(word, ',' ORDER BY word) FROM log GROUP BY n % 100",
    "SELECT word FROM log ORDER BY word",
    "SELECT t.id, l.word FROM t JOIN log l ON l.n = t.id",
    "SELECT DISTINCT word FROM log",
    "SELECT * FROM t LIMIT 10 OFFSET 5",
    "SELECT * FROM v",
    "SELECT * FROM t WHERE id = 7",
    "SELECT 1, NULL::text",
    "SELECT i FROM generate_series(1, 10000) i",
  ])("%s", async (text) => {
    const whole = await sql(db, text);
    for (const form of ["json", "text", "objects"] as const) {
      const flowing = await flow(text);
      expect(flowing.columns).toEqual(whole.columns);
      expect((await linesOf(flowing, form)).sort()).toEqual([...whole.rowTexts(form)].sort());
      expect([flowing.rowCount, flowing.command]).toEqual([whole.rowCount, whole.command]);
    }
    expect(isHeld()).toBe(false);
  });

  it("in the order asked for", async () => {
    const text = "SELECT id, s FROM t ORDER BY g DESC NULLS LAST, id DESC";
    expect(await linesOf(await flow(text))).toEqual((await sql(db, text)).rowsJson);
  });

  it("in the order of the log, where none is asked for", async () => {
    const lines = await linesOf(await flow("SELECT n, word FROM log"));
    expect(lines.slice(0, 3)).toEqual(['[1,"word 1"]', '[2,"word 2"]', '[3,"word 3"]']);
    expect(lines).toHaveLength(ROWS);
  });

  it("more than a million of them", async () => {
    const { error } = await db.sql("SELECT i FROM generate_series(1, 1000001) i");
    expect(error).toMatchObject({ code: "statement_too_complex", hint: expect.stringContaining("COPY") });
    const flowing = await flow("SELECT i FROM generate_series(1, 1000001) i");
    let chars = 0;
    for await (const piece of flowing.pieces("json", (row) => row)) chars += piece.length;
    expect(flowing.command).toBe("SELECT 1000001");
    expect(chars).toBeGreaterThan(6_000_000);
    const call = await db.copy("COPY (SELECT i FROM generate_series(1, 1000001) i) TO STDOUT");
    if (call.direction !== "out") throw new Error("it copies in");
    let lines = 0;
    for await (const piece of call.pieces) lines += piece.split("\n").length - 1;
    expect(lines).toBe(1_000_001);
  });
});

describe.each([
  ["run while they are read", "SELECT id, g, s FROM t"],
  ["of a query that was run", "SELECT id, g, s FROM t ORDER BY id"],
])("rows %s", (_, text) => {
  it("are of one position, whatever is appended meanwhile", async () => {
    await sql(db, "CREATE TABLE IF NOT EXISTS m (id int PRIMARY KEY, g int, s text)");
    await sql(db, `INSERT INTO m SELECT i, i % 7, 'text ' || i FROM generate_series(1, ${ROWS}) i`);
    await db.settled();
    const ofM = text.replace("FROM t", "FROM m");
    const before = (await sql(db, ofM)).rowsJson;
    const flowing = await flow(ofM);
    await sql(db, "UPDATE m SET g = 100, s = 'changed'");
    const pieces = flowing.pieces("json", (row) => `${row}\n`);
    let lines = (await pieces.next()).value as string;
    await sql(db, "DELETE FROM m");
    await db.settled();
    for await (const piece of pieces) lines += piece;
    expect(lines.split("\n").slice(0, -1).sort()).toEqual([...before].sort());
    expect(isHeld("m")).toBe(false);
  });

  it("are not made before somebody takes them", async () => {
    const flowing = await flow(text);
    const pieces = flowing.pieces("json", (row) => row.padEnd(1_000));
    const { value } = await pieces.next();
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    // A piece that was taken, and at most one more.
    expect(flowing.rowCount).toBeLessThan(2 * ((value as string).length / 1_000) + 2);
    await pieces.return();
    expect(isHeld()).toBe(false);
  });

  it("are let go of when nobody wants them", async () => {
    const flowing = await flow(text);
    flowing.close();
    expect(isHeld()).toBe(false);
    const control = new AbortController();
    const { flowing: aborted } = await db.sql(text, { flowing: true, signal: control.signal });
    const pieces = aborted!.pieces("json", (row) => row.padEnd(1_000));
    await pieces.next();
    control.abort(new Error("gone"));
    await expect(
      (async () => {
        for await (const piece of pieces) void piece;
      })(),
    ).rejects.toThrow("gone");
    expect(isHeld()).toBe(false);
  });

  it("leave the event loop its turns", async () => {
    const turn = vi.spyOn(Chores.prototype, "turn");
    // A clock by which whatever lies between two looks at it takes a millisecond.
    let now = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => ++now);
    const flowing = await flow(text);
    for await (const piece of flowing.pieces("json", (row) => row.padEnd(4_000))) void piece;
    const turns = turn.mock.calls.length;
    vi.restoreAllMocks();
    expect(flowing.rowCount).toBe(ROWS);
    // A piece is some 16 rows here.
    expect(turns).toBeGreaterThan(ROWS / 16 / 5);
  });
});

describe("what is refused", () => {
  it("a row that fails, before the first is told", async () => {
    for (const text of ["SELECT 1 / (id - 19999) FROM t", "SELECT id FROM t WHERE 1 / (id - 19999) = 0"])
      expect((await db.sql(text, { flowing: true })).error).toMatchObject({ code: "division_by_zero" });
    expect(isHeld()).toBe(false);
  });

  it("the results before the last statement stand beside it", async () => {
    const { results, flowing } = await db.sql("SELECT 1; SELECT id FROM t", { flowing: true });
    expect(results.map((r) => r.rowsJson)).toEqual([["[1]"]]);
    expect(await linesOf(flowing!)).toHaveLength(ROWS);
  });

  it("rows flow of a SELECT that is last and outside a transaction, of no other statement", async () => {
    for (const text of [
      "SELECT id FROM t; SELECT 1; CREATE TABLE x (a int)",
      "BEGIN; SELECT id FROM t; COMMIT",
    ]) {
      const { results, flowing, error } = await db.sql(text, { flowing: true });
      expect(error).toBeUndefined();
      expect(flowing).toBeUndefined();
      expect(results).toHaveLength(3);
    }
  });

  it("several statements, where one is wanted", async () => {
    const { error } = await db.sql("CREATE TABLE y (a int); SELECT 1", { single: true });
    expect(error).toMatchObject({ code: "invalid_request", message: "one statement is wanted; there are 2" });
    expect(db.core.catalog.isTaken("y")).toBe(false);
  });
});
