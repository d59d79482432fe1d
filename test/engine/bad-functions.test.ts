/** Functions of the user that throw, return something else than they say, never return, or are not what they were: one view's trouble, and no other's. */
import { afterEach, describe, expect, test } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import {
  count,
  type Db,
  int4,
  nullable,
  type OpenOptions,
  open,
  reduce,
  reducer,
  type SqlFunction,
  scalar,
  setReturning,
  table,
  text,
  type View,
  view,
} from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql, told } from "./support/memory.ts";

const t = table("t", { key: "id", schema: { id: int4, n: nullable(int4) } });

/** Long enough for a busy machine. */
const TIMEOUT_MS = 400;

let db: Db;
afterEach(async () => db?.close());

async function start(functions: readonly SqlFunction[], options: Partial<OpenOptions> = {}): Promise<void> {
  const disk = new SimulatedDisk();
  const given = {
    dir: "data",
    disk,
    topics: [t],
    functions,
    functionTimeoutMs: TIMEOUT_MS,
    checkpointIntervalMs: 0,
  };
  db = await open({ ...given, ...options });
}

async function rows(query: string): Promise<unknown[][]> {
  await told(db.engine);
  const { results, error } = await db.engine.sql(query);
  if (error !== undefined) throw error;
  return results.at(-1)!.rowsJson.map((row) => JSON.parse(row) as unknown[]);
}

const picky = scalar("picky", {
  args: [int4],
  returns: int4,
  fn: (n) => {
    if (n === 13) throw new RangeError("unlucky");
    return n * 2;
  },
});

describe("throws", () => {
  test("an error of the view, until the row is corrected", async () => {
    await start([picky]);
    await rows("CREATE MATERIALIZED VIEW v AS SELECT id, picky(n) AS p FROM t");
    await rows("CREATE MATERIALIZED VIEW fine AS SELECT count(*) AS n FROM t");
    await rows("INSERT INTO t VALUES (1, 1), (2, 13)");
    await expect(rows("SELECT * FROM v")).rejects.toMatchObject({
      code: "function_failed",
      sqlstate: "38000",
      message: "function picky(integer) failed: RangeError: unlucky",
    });
    expect(await rows("SELECT * FROM fine")).toEqual([[2]]);
    await rows("UPDATE t SET n = 14 WHERE id = 2");
    expect(await rows("SELECT * FROM v ORDER BY id")).toEqual([
      [1, 2],
      [2, 28],
    ]);
  });

  test("such rows are left out and counted where the view says so", async () => {
    await start([picky]);
    await rows("CREATE MATERIALIZED VIEW v WITH (on_error = skip) AS SELECT id, picky(n) AS p FROM t");
    await rows("INSERT INTO t VALUES (1, 1), (2, 13)");
    expect(await rows("SELECT * FROM v")).toEqual([[1, 2]]);
    expect(db.engine.view("v").info.skipped).toBe(1);
  });

  test("in a reducer, over groups and over windows", async () => {
    const total = reducer("total", {
      args: [int4],
      returns: int4,
      initial: 0,
      add: (sum, n) => {
        if (n === 13) throw new RangeError("unlucky");
        return sum + n;
      },
      remove: (sum, n) => sum - n,
    });
    await start([total]);
    await rows("CREATE MATERIALIZED VIEW g AS SELECT total(n) AS s FROM t");
    await rows("CREATE MATERIALIZED VIEW w AS SELECT id, total(n) OVER (ORDER BY id) AS s FROM t");
    await rows("INSERT INTO t VALUES (1, 1), (2, 13), (3, 5)");
    const message = "function total(integer) failed: RangeError: unlucky";
    await expect(rows("SELECT * FROM g")).rejects.toMatchObject({ message });
    await expect(rows("SELECT * FROM w")).rejects.toMatchObject({ message });
    await rows("DELETE FROM t WHERE id = 2");
    expect(await rows("SELECT * FROM g")).toEqual([[6]]);
    expect(await rows("SELECT * FROM w ORDER BY id")).toEqual([
      [1, 1],
      [3, 6],
    ]);
  });

  test("half of a list of rows: none comes out", async () => {
    const several = setReturning("several", {
      args: [int4],
      returns: int4,
      *fn(n) {
        yield 1;
        if (n === 13) throw new RangeError("unlucky");
        yield n;
      },
    });
    await start([several]);
    await rows("CREATE MATERIALIZED VIEW v AS SELECT id, x FROM t, several(n) AS x");
    await rows("INSERT INTO t VALUES (1, 5), (2, 13)");
    await expect(rows("SELECT * FROM v")).rejects.toMatchObject({
      message: "function several(integer) failed: RangeError: unlucky",
    });
    await rows("DELETE FROM t WHERE id = 2");
    expect(await rows("SELECT x FROM v ORDER BY x")).toEqual([[1], [5]]);
  });
});

describe("returns something else", () => {
  const wrong = (value: unknown) =>
    scalar("wrong", { args: [int4], returns: int4, fn: () => value as number });

  test.each([
    ["a string", "many", /^function wrong\(integer\) returned the string "many" where int4 is declared$/],
    ["a fraction", 1.5, /returned 1.5 where int4 is declared/],
    ["NaN", Number.NaN, /returned NaN where int4 is declared/],
    ["too much", 2 ** 40, /returned 1099511627776 where int4 is declared/],
    ["null", null, /^function wrong\(integer\) returned null where int4 is declared$/],
    [
      "a promise",
      Promise.resolve(1),
      /^function wrong\(integer\) returned a promise where int4 is declared$/,
    ],
    ["an object", {}, /where int4 is declared/],
  ])("%s", async (_, value, message) => {
    await start([wrong(value)]);
    await rows("CREATE MATERIALIZED VIEW v AS SELECT wrong(n) AS p FROM t");
    await rows("INSERT INTO t VALUES (1, 1)");
    await expect(rows("SELECT * FROM v")).rejects.toMatchObject({
      code: "function_failed",
      message: expect.stringMatching(message) as unknown,
    });
    await expect(rows("SELECT wrong(2)")).rejects.toMatchObject({
      message: expect.stringMatching(message) as unknown,
    });
  });

  test.each([
    ["no list", 5, /returned 5 where a list of rows is due/],
    ["a text", "abc", /returned the string "abc" where a list of rows is due/],
    ["rows that are none", [5], /gave 5 where an object with a row's columns is due/],
    ["rows with a wrong column", [{ x: "a" }], /returned the string "a" where int4 is declared/],
    ["rows without a column", [{}], /returned null where int4 is declared/],
  ])("%s", async (_, value, message) => {
    const list = setReturning("list", { args: [], returns: { x: int4 }, fn: () => value as { x: number }[] });
    await start([list]);
    await expect(rows("SELECT * FROM list()")).rejects.toMatchObject({
      message: expect.stringMatching(message) as unknown,
    });
  });

  test("an async function is refused where it is declared", () => {
    const declare = () =>
      scalar("later", { args: [], returns: text, fn: (async () => "x") as unknown as () => string });
    expect(declare).toThrow(expect.objectContaining({ code: "invalid_table_definition" }) as Error);
  });
});

describe("never returns", () => {
  const never = (): never => {
    for (;;);
  };
  const loops: Record<string, { fn?: SqlFunction; sql?: string; view?: View<unknown>; name: string }> = {
    scalar: {
      fn: scalar("bad", { args: [int4], returns: int4, fn: (n) => (n === 13 ? never() : n) }),
      sql: "SELECT bad(n) AS x FROM t",
      name: "function bad(integer)",
    },
    "scalar that catches everything": {
      fn: scalar("bad", {
        args: [int4],
        returns: int4,
        fn: (n) => {
          for (;;) {
            try {
              if (n !== 13) return n;
              never();
            } catch {}
          }
        },
      }),
      sql: "SELECT bad(n) AS x FROM t WHERE bad(n) > 0",
      name: "function bad(integer)",
    },
    "set-returning": {
      fn: setReturning("bad", {
        args: [int4],
        returns: int4,
        *fn(n) {
          yield n;
          if (n === 13) never();
        },
      }),
      sql: "SELECT x FROM t, bad(n) AS x",
      name: "function bad(integer)",
    },
    reducer: {
      fn: reducer("bad", {
        args: [int4],
        returns: int4,
        initial: 0,
        add: (s, n) => (n === 13 ? never() : s + n),
        remove: (s, n) => s - n,
      }),
      sql: "SELECT bad(n) AS x FROM t",
      name: "function bad(integer)",
    },
    "reducer's result": {
      fn: reducer("bad", {
        args: [int4],
        returns: int4,
        initial: 0,
        add: (s, n) => s + n,
        remove: (s, n) => s - n,
        result: (s) => (s > 12 ? never() : s),
      }),
      sql: "SELECT bad(n) AS x FROM t",
      name: "function bad(integer)",
    },
    "reducer over a window": {
      fn: reducer("bad", {
        args: [int4],
        returns: int4,
        initial: 0,
        add: (s, n) => (n === 13 ? never() : s + n),
        remove: (s, n) => s - n,
      }),
      sql: "SELECT bad(n) OVER (ORDER BY id) AS x FROM t",
      name: "function bad(integer)",
    },
    filter: {
      view: view(
        "v",
        t.filter((r) => (r.n === 13 ? never() : true)),
      ),
      name: "a function of the view",
    },
    map: {
      view: view(
        "v",
        t.map((r) => ({ n: r.n === 13 ? never() : 1 })),
      ),
      name: "a function of the view",
    },
    flatMap: {
      view: view(
        "v",
        t.flatMap(function* (r) {
          yield { n: 1 };
          if (r.n === 13) never();
        }),
      ),
      name: "a function of the view",
    },
    reduce: {
      view: view(
        "v",
        t.reduce({
          s: reduce({
            initial: 0,
            add: (s, r: { n: number | null }) => (r.n === 13 ? never() : s + 1),
            remove: (s) => s - 1,
            type: int4,
          }),
        }),
      ),
      name: "a function of the view",
    },
  };

  test.each(Object.entries(loops))(
    "%s: that view stops, the others go on",
    async (_, { fn, sql, view: own, name }) => {
      const fine = view("fine", t.reduce({ rows: count() }));
      const disk = new SimulatedDisk();
      const options = { disk, views: own === undefined ? [fine] : [fine, own] };
      const functions = fn === undefined ? [] : [fn];
      await start(functions, options);
      if (sql !== undefined) await rows(`CREATE MATERIALIZED VIEW v AS ${sql}`);
      await db.append(t, [{ id: 1, n: 1 }]);
      expect(await rows("SELECT count(*) FROM v")).toHaveLength(1);
      const { position } = await db.append(t, [
        { id: 2, n: 13 },
        { id: 3, n: 3 },
      ]);
      const stopped = { code: "function_failed", message: `${name} did not return within ${TIMEOUT_MS} ms` };
      await expect(db.view("v").rows({ atLeast: position })).rejects.toMatchObject(stopped);
      expect(await db.view(fine).rows({ atLeast: position })).toEqual([{ rows: 3 }]);
      await db.append(t, { id: 4, n: 4 });
      await db.engine.settled();
      expect(await rows("SELECT * FROM fine")).toEqual([[4]]);
      await expect(rows("SELECT * FROM v")).rejects.toMatchObject(stopped);

      // The row that it could not take is gone before the next start: then the view is made anew.
      await rows("DELETE FROM t WHERE id = 2");
      await db.close();
      await start(functions, options);
      await db.engine.built();
      expect(await rows("SELECT * FROM fine")).toEqual([[3]]);
      expect((await db.view("v").rows()).length).toBeGreaterThan(0);
    },
  );

  test("a query and a statement end with it", async () => {
    await start([loops["scalar"]!.fn!]);
    const message = "function bad(integer) did not return within 400 ms";
    await db.append(t, { id: 1, n: 13 });
    await expect(rows("SELECT bad(n) FROM t")).rejects.toMatchObject({ message });
    await expect(
      rows("CREATE MATERIALIZED VIEW v AS SELECT bad(n) FROM t; SELECT * FROM v"),
    ).rejects.toMatchObject({
      message: expect.stringContaining("bad(integer)") as unknown,
    });
    expect(await rows("SELECT bad(2)")).toEqual([[2]]);
  });

  test("many calls may take long together", async () => {
    const slow = scalar("slow", {
      args: [int4],
      returns: int4,
      fn: (n) => {
        for (const until = performance.now() + 4; performance.now() < until; );
        return n;
      },
    });
    await start([slow]);
    await db.append(
      t,
      Array.from({ length: 200 }, (_, i) => ({ id: i, n: i })),
    );
    expect(await rows("SELECT sum(slow(n)) FROM t")).toEqual([[19_900]]);
  });
});

describe("is not what it was", () => {
  const doubled = (factor: number) =>
    scalar("scaled", {
      args: [int4],
      returns: int4,
      fn: factor === 2 ? (n) => n * 2 : (n) => n * 3,
    });

  test("without it the view says so, and the others go on; with it again, it is there", async () => {
    const disk = new SimulatedDisk();
    await start([doubled(2)], { disk });
    await rows("CREATE MATERIALIZED VIEW v AS SELECT scaled(n) AS x FROM t");
    await rows("CREATE MATERIALIZED VIEW fine AS SELECT count(*) AS n FROM t");
    await db.append(t, { id: 1, n: 5 });
    await db.close();

    await start([], { disk });
    await db.append(t, { id: 2, n: 7 });
    expect(await rows("SELECT * FROM fine")).toEqual([[2]]);
    const missing = 'view "v": function scaled(integer) does not exist';
    await expect(db.view("v").rows()).rejects.toMatchObject({ code: "undefined_function", message: missing });
    expect(db.engine.view("v").info).toMatchObject({ status: "failed", error: { message: missing } });
    await db.close();

    await start([doubled(2)], { disk });
    expect(await db.view("v").rows()).toEqual([{ x: 10 }, { x: 14 }]);
  });

  test("with another text the view is made anew", async () => {
    const disk = new SimulatedDisk();
    await start([doubled(2)], { disk });
    await rows("CREATE MATERIALIZED VIEW v AS SELECT scaled(n) AS x FROM t");
    await db.append(t, { id: 1, n: 5 });
    expect(await rows("SELECT * FROM v")).toEqual([[10]]);
    await db.close();
    await start([doubled(3)], { disk });
    expect(await rows("SELECT * FROM v")).toEqual([[15]]);
  });

  test("a declared view that calls what is not given is refused at open", async () => {
    const { sql } = await import("../../src/index.ts");
    const declared = view("v", sql<{ x: number }>`SELECT scaled(n) AS x FROM ${t}`);
    const opening = start([], { views: [declared] });
    const error = (await opening.catch((thrown: unknown) => thrown)) as EvertError;
    expect(error).toMatchObject({ code: "undefined_function" });
    expect(error.message).toContain('view "v"');
  });
});

describe("in a statement", () => {
  const hangs = scalar("hangs", {
    args: [int4],
    returns: int4,
    fn: (n) => {
      for (;;) if (n < 0) return n;
    },
  });

  test.each([
    "INSERT INTO t VALUES (1, hangs(1))",
    "UPDATE t SET n = hangs(id)",
    "DELETE FROM t WHERE hangs(id) = 1",
    "INSERT INTO t VALUES (2, 2) RETURNING hangs(id)",
    "INSERT INTO t VALUES (5, 2) ON CONFLICT (id) DO UPDATE SET n = hangs(5)",
  ])("the limit of the database counts: %s", async (statement) => {
    await start([hangs]);
    await db.append(t, { id: 5, n: 5 });
    await expect(rows(statement)).rejects.toMatchObject({
      code: "function_failed",
      message: `function hangs(integer) did not return within ${TIMEOUT_MS} ms`,
    });
    expect(await rows("SELECT id, n FROM t")).toEqual([[5, 5]]);
  });
});

test("an engine that was interrupted while it filled a query is used no more", async () => {
  const engine = await openInMemory(undefined, { functionTimeoutMs: 50 });
  await sql(engine, "CREATE TABLE q (id int PRIMARY KEY)");
  const { guard } = engine.core.circuit;
  const forever = (): never => {
    for (;;);
  };
  expect(() => guard.run(forever)).toThrow("the engine was interrupted");
  await expect(sql(engine, "INSERT INTO q VALUES (1)")).rejects.toThrow("the engine was interrupted");
  await engine.close();
});
