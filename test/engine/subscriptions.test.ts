/** A subscription is what is there and then every change, no gap and no overlap: a client that applies what it is told shows the view. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseJson } from "../../src/batch/lossless-json.ts";
import type { Database } from "../../src/engine/database.ts";
import { FrameMaker } from "../../src/views/frame-maker.ts";
import { Client, defineMarks, mark, type Shown, shownNow, Watcher } from "./support/client.ts";
import { commitTo } from "./support/commit.ts";
import { createTable } from "./support/grammar.ts";
import { openInMemory, sql } from "./support/memory.ts";
import { type Program, programs, programText } from "./support/program.ts";

const runs = Number(process.env["EVERT_SUBSCRIPTION_RUNS"] ?? 25);

/** The views after each commit, by position. */
type Past = Map<number, ReadonlyMap<string, Shown>>;

async function define(db: Database, { bases, views }: Program): Promise<void> {
  await defineMarks(db);
  for (const base of bases) await sql(db, createTable(base, "evert"));
  for (const { name, sql: text } of views) await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
}

/** Runs the program with a watcher of all views from the start; what each position showed. */
async function play(program: Program, then: (db: Database, past: Past) => Promise<void>): Promise<void> {
  const db = await openInMemory();
  try {
    await define(db, program);
    const names = program.views.map((v) => v.name);
    const past: Past = new Map();
    const moments: { position: number; views: ReadonlyMap<string, Shown> }[] = [];
    const watcher = new Watcher(
      db,
      names.map((view) => ({ view })),
      {
        onEvent: (client) => {
          if (client.views.size <= names.length) return;
          moments.push({ position: client.position, views: copyOf(client, names) });
        },
      },
    );
    const note = async (): Promise<void> => {
      const { views, position } = await shownNow(db, names);
      past.set(position, views);
    };
    await note();
    for (const commit of program.commits) {
      await commitTo(db, commit);
      await db.settled();
      await note();
    }
    await mark(db);
    await watcher.finished();
    await note();
    for (const { position, views } of moments) expect(views).toEqual(past.get(position));
    expect(watcher.client.resets).toEqual([]);
    expect(copyOf(watcher.client, names)).toEqual([...past.values()].at(-1));
    await then(db, past);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${programText(program)}`, { cause: error });
  } finally {
    await db.close();
  }
}

function copyOf(client: Client, names: readonly string[]): Map<string, Shown> {
  return new Map(names.map((n) => [n, new Map(client.views.get(n))]));
}

describe.each([
  ["small frames are made at once", false],
  ["all frames are made in turns of their own", true],
])("of random views under random commits: %s", (_, inTurns) => {
  beforeEach(() => {
    // Without it a step has no rows that may be looked at while it is published.
    if (inTurns) vi.spyOn(FrameMaker.prototype, "begin").mockImplementation(() => {});
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("a client shows every view as it is, at every position", async () => {
    await fc.assert(
      fc.asyncProperty(programs, (program) => play(program, async () => {})),
      { numRuns: runs },
    );
  }, 600_000);

  it("a client that comes back at any earlier position gets what it missed and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(programs, (program) =>
        play(program, async (db, past) => {
          const names = program.views.map((v) => v.name);
          const last = [...past.values()].at(-1);
          for (const [position, views] of past) {
            const client = new Client().resume(views, position);
            client.views.set("marks", new Map());
            const targets = names.map((view) => ({ view }));
            if (position === Number(db.position)) continue;
            await new Watcher(db, targets, { client, from: String(position) }).finished();
            expect(client.resets).toEqual([]);
            expect(client.snapshots).toBe(0);
            expect(copyOf(client, names)).toEqual(last);
          }
        }),
      ),
      { numRuns: runs },
    );
  }, 600_000);

  it("a client that wants one row is told of that row alone", async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.nat(), (program, pick) =>
        play(program, async (db, past) => {
          for (const { name } of program.views) {
            if (db.view(name).info.key === null) continue;
            const keys = [...new Set([...past.values()].flatMap((v) => [...(v.get(name)?.keys() ?? [])]))];
            const key = keys[pick % Math.max(1, keys.length)];
            if (key === undefined) continue;
            for (const [position, views] of past) {
              if (position === Number(db.position)) continue;
              const only = (shown: Shown | undefined): Shown =>
                new Map([...(shown ?? [])].filter(([k]) => k === key));
              const start = new Map([[name, only(views.get(name))]]);
              const client = new Client().resume(start, position);
              client.views.set("marks", new Map());
              const target = { view: name, key: parseJson(key) };
              await new Watcher(db, [target], { client, from: String(position) }).finished();
              expect(client.views.get(name)).toEqual(only([...past.values()].at(-1)?.get(name)));
              const fresh = new Watcher(db, [target]);
              await fresh.finished();
              expect(fresh.client.views.get(name)).toEqual(client.views.get(name));
            }
          }
        }),
      ),
      { numRuns: runs },
    );
  }, 600_000);
});

describe("several views on one subscription", () => {
  async function bank(): Promise<Database> {
    const db = await openInMemory();
    await defineMarks(db);
    await sql(db, "CREATE TABLE account (id int4 PRIMARY KEY, balance int8 NOT NULL)");
    await sql(db, "CREATE TABLE transfer (source int4, target int4, amount int8) WITH (append_only)");
    await db.append(
      "account",
      Array.from({ length: 8 }, (_, id) => ({ id, balance: 100 })),
    );
    await sql(db, "CREATE MATERIALIZED VIEW balances AS SELECT id, balance FROM account");
    await sql(
      db,
      "CREATE MATERIALIZED VIEW moved AS SELECT coalesce(sum(amount), 0) AS amount FROM transfer",
    );
    await sql(
      db,
      `CREATE MATERIALIZED VIEW given AS
       SELECT a.id, a.balance, coalesce(sum(t.amount), 0) AS gone FROM account a LEFT JOIN transfer t ON t.source = a.id
       GROUP BY a.id, a.balance`,
    );
    return db;
  }

  it("show one moment: no money is ever missing, whatever was put together into a step", async () => {
    const db = await bank();
    let moments = 0;
    const total = (rows: Shown, column: string): number =>
      [...rows.values()].reduce((sum, row) => sum + (JSON.parse(row) as Record<string, number>)[column]!, 0);
    const check = (client: Client): void => {
      const [balances, moved, given] = ["balances", "moved", "given"].map((n) => client.views.get(n));
      if (balances === undefined || moved === undefined || given === undefined) return;
      moments++;
      expect(total(balances, "balance")).toBe(800);
      expect(total(given, "balance")).toBe(800);
      expect(total(given, "gone")).toBe(total(moved, "amount"));
    };
    const targets = ["balances", "moved", "given"].map((view) => ({ view }));
    const early = new Watcher(db, targets, { onEvent: check });
    const held = Array.from({ length: 8 }, () => 100);
    const late: Watcher[] = [];
    const commits: Promise<unknown>[] = [];
    for (let i = 0; i < 400; i++) {
      const source = (i * 7) % 8;
      const target = (i * 5 + 3) % 8;
      const amount = 1 + (i % 9);
      if (source === target) continue;
      held[source]! -= amount;
      held[target]! += amount;
      commits.push(
        db.transact([
          { topic: "account", append: [{ id: source, balance: held[source] }] },
          { topic: "transfer", append: [{ source, target, amount }] },
          { topic: "account", append: [{ id: target, balance: held[target] }] },
        ]),
      );
      if (i % 40 === 0) late.push(new Watcher(db, targets, { onEvent: check }));
      // Sometimes one commit a step, sometimes many.
      if (i % 3 === 0) await commits.at(-1);
      if (i % 8 === 0) await db.settled();
    }
    await Promise.all(commits);
    await mark(db);
    for (const watcher of [early, ...late]) await watcher.finished();
    expect(moments).toBeGreaterThan(100);
    expect(early.client.views.get("balances")?.size).toBe(8);
    await db.close();
  });

  it("a view that is added to those that resume shows the same moment as they", async () => {
    const db = await bank();
    const before = await shownNow(db, ["balances"]);
    const keep = new Watcher(db, [{ view: "balances" }]);
    await db.transact([
      {
        topic: "account",
        append: [
          { id: 0, balance: 90 },
          { id: 1, balance: 110 },
        ],
      },
      { topic: "transfer", append: [{ source: 0, target: 1, amount: 10 }] },
    ]);
    const client = new Client().resume(before.views, before.position);
    const from = String(before.position);
    const watcher = new Watcher(
      db,
      [
        { view: "balances", from },
        { view: "moved", from: null },
      ],
      { client },
    );
    await mark(db);
    await Promise.all([watcher.finished(), keep.finished()]);
    expect(client.resets).toEqual([]);
    expect(client.views.get("balances")).toEqual(keep.client.views.get("balances"));
    expect([...(client.views.get("moved")?.values() ?? [])]).toEqual(['{"amount":10}']);
    await db.close();
  });
});

describe("what cannot be told as changes is told as a reset", () => {
  it("a position older than what is kept", async () => {
    const db = await openInMemory();
    await defineMarks(db);
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
    const { position } = await db.append("t", [{ k: 1 }]);
    await db.append("t", [{ k: 2 }]);
    await db.settled();
    // Nobody watched: nothing was kept.
    const client = new Client().resume(new Map([["v", new Map()]]), Number(position));
    client.views.set("marks", new Map());
    const watcher = new Watcher(db, [{ view: "v" }], { client, from: position });
    await mark(db);
    await watcher.finished();
    expect(client.resets.some((r) => r.startsWith("v:"))).toBe(true);
    expect([...(client.views.get("v")?.keys() ?? [])].sort()).toEqual(["1", "2"]);
    await db.close();
  });

  it("a reader that does not read: it is reset, nobody waits for it, and it is right again", async () => {
    const db = await openInMemory();
    await defineMarks(db);
    await sql(
      db,
      "CREATE TABLE t (k int4 PRIMARY KEY, v text); CREATE MATERIALIZED VIEW v AS SELECT k, v FROM t",
    );
    const slow = db.subscribe([{ view: "v" }, { view: "marks" }])[Symbol.asyncIterator]();
    const client = new Client();
    client.apply((await slow.next()).value);
    client.apply((await slow.next()).value);
    const quick = new Watcher(db, [{ view: "v" }]);
    const mebibyte = "x".repeat(1 << 20);
    // Each in a step of its own: of what a step takes together only the last is told.
    for (let k = 0; k < 24; k++) {
      await db.append("t", [{ k: k % 5, v: `${k} ${mebibyte}` }]);
      await db.settled();
    }
    await mark(db);
    await quick.finished();
    expect(quick.client.resets).toEqual([]);
    while ((client.views.get("marks")?.size ?? 0) === 0) client.apply((await slow.next()).value);
    expect(client.resets).not.toEqual([]);
    expect(client.views.get("v")).toEqual(quick.client.views.get("v"));
    await slow.return?.();
    await db.close();
  });
});

describe("a view that fails", () => {
  it("says so, and is shown again when the row is corrected", async () => {
    const db = await openInMemory();
    await defineMarks(db);
    await sql(
      db,
      "CREATE TABLE t (k int4 PRIMARY KEY, d int4); CREATE MATERIALIZED VIEW v AS SELECT k, 10 / d AS q FROM t",
    );
    await sql(db, "CREATE MATERIALIZED VIEW w AS SELECT k, d FROM t");
    const seen: string[] = [];
    const watcher = new Watcher(db, [{ view: "v" }, { view: "w" }], {
      onEvent: (client) => {
        const error = client.errors.get("v");
        const now =
          error ?? (client.views.has("v") ? [...client.views.get("v")!.values()].join() : "nothing");
        if (seen.at(-1) !== now) seen.push(now);
      },
    });
    await db.append("t", [{ k: 1, d: 5 }]);
    await db.append("t", [{ k: 2, d: 0 }]);
    await db.append("t", [{ k: 3, d: 1 }]);
    await db.append("t", [{ k: 2, d: 2 }]);
    await mark(db);
    await watcher.finished();
    expect(seen.filter((s) => s !== "nothing" && s !== "")).toEqual([
      '{"k":1,"q":2}',
      "22012",
      expect.stringContaining('{"k":2,"q":5}'),
    ]);
    expect(watcher.client.views.get("v")?.size).toBe(3);
    expect(watcher.client.views.get("w")?.size).toBe(3);
    await db.close();
  });

  it("is an error from the start for one who comes while it fails", async () => {
    const db = await openInMemory();
    await defineMarks(db);
    await sql(
      db,
      "CREATE TABLE t (k int4 PRIMARY KEY, d int4); CREATE MATERIALIZED VIEW v AS SELECT k, 10 / d AS q FROM t",
    );
    await db.append("t", [{ k: 2, d: 0 }]);
    const watcher = new Watcher(db, [{ view: "v" }]);
    const other = new Watcher(db, [{ view: "v" }]);
    await db.append("t", [{ k: 2, d: 2 }]);
    await mark(db);
    for (const { client, finished } of [watcher, other].map((w) => ({
      client: w.client,
      finished: w.finished(),
    }))) {
      await finished;
      expect([...(client.views.get("v")?.values() ?? [])]).toEqual(['{"k":2,"q":5}']);
      expect(client.errors.size).toBe(0);
    }
    await db.close();
  });
});

describe("the end of a subscription", () => {
  it("comes with its view: who watches a view that is dropped is told that it is not there", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
    const events = db.subscribe([{ view: "v" }])[Symbol.asyncIterator]();
    expect((await events.next()).value.type).toBe("snapshot");
    await sql(db, "DROP MATERIALIZED VIEW v");
    await expect(events.next()).rejects.toMatchObject({ code: "undefined_table" });
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k + 1 AS k FROM t");
    await db.append("t", [{ k: 1 }]);
    await db.settled();
    expect([...((await shownNow(db, ["v"])).views.get("v")?.values() ?? [])]).toEqual(['{"k":2}']);
    await db.close();
  });

  it("comes with its signal, at once and quietly", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
    const abort = new AbortController();
    const events = db.subscribe([{ view: "v" }], { signal: abort.signal })[Symbol.asyncIterator]();
    await events.next();
    const next = events.next();
    abort.abort();
    expect((await next).done).toBe(true);
    expect(db.stats().subscribers).toBe(0);
    await db.close();
  });

  it("comes with the database: shutting_down", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
    const events = db.subscribe([{ view: "v" }])[Symbol.asyncIterator]();
    await events.next();
    const next = events.next();
    next.catch(() => {});
    await db.close();
    await expect(next).rejects.toMatchObject({ code: "shutting_down" });
  });

  it("is an error for a view that never was", async () => {
    const db = await openInMemory();
    const events = db.subscribe([{ view: "nowhere" }])[Symbol.asyncIterator]();
    await expect(events.next()).rejects.toMatchObject({ code: "undefined_table" });
    await db.close();
  });
});
