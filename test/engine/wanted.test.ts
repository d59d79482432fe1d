/** What of streams is decoded for steps: what views read that are there, or that somebody still holds; nothing of what a view read that has gone, and nothing is left of it. */
import { afterEach, describe, expect, it } from "vitest";
import type { FlowingResult } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../src/engine/open-engine.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { seed } from "../support/seed.ts";
import { HeldLog } from "./support/held-log.ts";
import { allHold } from "./support/holds.ts";
import { openInMemory, sql } from "./support/memory.ts";

const relations =
  "CREATE TABLE s (a int4, b int4, c text, d text) WITH (append_only); CREATE TABLE t (k int4 PRIMARY KEY, n int4)";

let db: Database;
let disk: HeldLog;
let rows = 0;

async function open(options: Partial<OpenEngineOptions> = {}): Promise<void> {
  const inner = new SimulatedDisk();
  disk = new HeldLog(inner);
  db = await openInMemory(inner, { disk, ...options });
  await sql(db, relations);
}

afterEach(async () => {
  disk.goOn();
  await db.close();
});

/** Appends rows to the stream; how many values of each were decoded for it. */
async function decoded(): Promise<number> {
  await db.settled();
  const before = db.stats().decodedValues;
  const some = Array.from({ length: 4 }, () => rowOf(rows++));
  await db.append("s", some);
  await db.settled();
  return (db.stats().decodedValues - before) / some.length;
}

function rowOf(i: number): object {
  return { a: i % 5, b: i % 7, c: `c${i % 11}`, d: `d${i}` };
}

async function flow(text: string): Promise<FlowingResult> {
  const { flowing, error } = await db.sql(text, { flowing: true });
  if (flowing === undefined) throw new Error(`${error?.sqlstate} ${error?.message}`);
  return flowing;
}

async function linesOf(flowing: FlowingResult): Promise<string[]> {
  let text = "";
  for await (const piece of flowing.pieces("json", (row) => `${row}\n`)) text += piece;
  return text.split("\n").slice(0, -1).sort();
}

/** What a circuit without views has, once what has left is freed. */
async function left(): Promise<{ stores: number; buried: number; texts: number }> {
  await db.settled();
  for (let turns = 0; turns < 1_000 && db.core.circuit.buried > 0; turns++)
    await new Promise((resolve) => setImmediate(resolve));
  const { circuit, dictionary } = db.core;
  return { stores: circuit.stores().length, buried: circuit.buried, texts: dictionary.size };
}

describe("what a view alone read", () => {
  it("is not decoded any more once it is dropped", async () => {
    await open();
    const none = await left();
    expect(await decoded()).toBe(0);
    await sql(db, "CREATE MATERIALIZED VIEW n AS SELECT a, count(*) AS n FROM s GROUP BY a");
    expect(await decoded()).toBe(1);
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT b, max(c) AS c FROM s WHERE d > 'd' GROUP BY b");
    expect(await decoded()).toBe(4);
    await sql(db, "DROP MATERIALIZED VIEW v");
    expect(await decoded()).toBe(1);
    await sql(db, "DROP MATERIALIZED VIEW n");
    expect(await decoded()).toBe(0);
    expect(await left()).toEqual(none);
  });

  it("is decoded for as long as a query holds it, and the query sees what was there", async () => {
    await open();
    await decoded();
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT c, d FROM s WHERE b < 6");
    const rows = (await sql(db, "SELECT * FROM v")).rowsJson.toSorted();
    const flowing = await flow("SELECT * FROM v");
    await sql(db, "DROP MATERIALIZED VIEW v");
    expect(await decoded()).toBe(3);
    expect(await linesOf(flowing)).toEqual(rows);
    expect(await decoded()).toBe(0);
  });

  it("is not decoded for one that has stopped", async () => {
    await open({ limits: { rowsMax: 8 } });
    await sql(db, "CREATE MATERIALIZED VIEW n AS SELECT a, count(*) AS n FROM s GROUP BY a");
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT d, count(*) AS n FROM s GROUP BY d");
    expect(await decoded()).toBe(2);
    for (let i = 0; i < 6; i++) await db.append("s", [rowOf(rows++)]);
    expect(await decoded()).toBe(1);
    expect(db.views().find(({ name }) => name === "v")).toMatchObject({ status: "failed" });
  });

  it("is decoded for the versions of a view that are there", async () => {
    await open();
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM s GROUP BY a");
    await db.versions.build("v", "SELECT b, max(c) AS n FROM s GROUP BY b");
    expect(await decoded()).toBe(3);
    await db.versions.promote("v", 2);
    expect(await decoded()).toBe(3);
    await sql(db, 'DROP MATERIALIZED VIEW "v@1"');
    expect(await decoded()).toBe(2);
  });
});

it("nothing is left of a view over a table that was dropped before its build had joined", async () => {
  await open();
  await sql(db, "INSERT INTO t SELECT g, g % 100 FROM generate_series(1, 2000) g");
  const none = await left();
  for (let round = 0; round < 60; round++) {
    const made = db.sql("CREATE MATERIALIZED VIEW v AS SELECT n, count(*) AS c FROM t GROUP BY n");
    const turns = round >> 1;
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    const dropped = db.sql("DROP MATERIALIZED VIEW IF EXISTS v");
    if (round % 2 === 0) await db.append("t", [{ k: round, n: 1 }]);
    await dropped;
    await made;
    await db.sql("DROP MATERIALIZED VIEW IF EXISTS v");
  }
  expect(await left()).toEqual(none);
});

/** Queries of views, and the columns of the stream that each reads. */
const queries = [
  ["SELECT a, count(*) AS n FROM s GROUP BY a", "a"],
  ["SELECT a, b FROM s WHERE b > 2", "ab"],
  ["SELECT c, sum(a) AS n FROM s GROUP BY c", "ac"],
  ["SELECT DISTINCT d FROM s", "d"],
  ["SELECT t.n, s.d FROM s JOIN t ON t.k = s.b", "bd"],
  ["SELECT max(d) AS d, min(c) AS c FROM s", "cd"],
  ["SELECT count(*) AS n FROM s", ""],
  ["SELECT n, count(*) AS c FROM t GROUP BY n", ""],
] as const;

interface Held {
  readonly flowing: FlowingResult;
  readonly reads: string;
  readonly rows: readonly string[];
}

class History {
  readonly #random: SeededRandom;
  /** By name: which query it is of. */
  readonly #views = new Map<string, number>();
  /** Those that stand still in the midst of being made. */
  readonly #making: Promise<unknown>[] = [];
  readonly #held: Held[] = [];

  constructor(from: number) {
    this.#random = new SeededRandom(from);
  }

  #below(n: number): number {
    return this.#random.below(n);
  }

  #name(): string {
    return `v${this.#below(5)}`;
  }

  async step(): Promise<void> {
    const name = this.#name();
    switch (this.#below(7)) {
      case 0:
      case 1:
        return this.#create(name);
      case 2:
        return this.#drop(name);
      case 3:
        return this.#dropAmidBuild(name);
      case 4:
        return this.#ask(name);
      case 5:
        return this.#answer();
      case 6:
        await db.append("t", [{ k: this.#below(7), n: this.#below(3) }]);
    }
  }

  async #create(name: string): Promise<void> {
    if (this.#views.has(name)) return;
    const query = this.#below(queries.length);
    this.#views.set(name, query);
    await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${queries[query]![0]}`);
  }

  async #drop(name: string): Promise<void> {
    if (this.#views.delete(name)) await sql(db, `DROP MATERIALIZED VIEW ${name}`);
  }

  /** While it reads history, or before. */
  async #dropAmidBuild(name: string): Promise<void> {
    if (this.#views.has(name)) return;
    disk.reads.close();
    const [query] = queries[this.#below(queries.length)]!;
    this.#making.push(db.sql(`CREATE MATERIALIZED VIEW ${name} AS ${query}`));
    for (let turns = this.#below(20); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
    const dropped = db.sql(`DROP MATERIALIZED VIEW IF EXISTS ${name}`);
    if (this.#below(2) === 0) await db.append("s", [rowOf(rows++)]);
    disk.reads.open();
    await dropped;
    await Promise.all(this.#making.splice(0));
    await sql(db, `DROP MATERIALIZED VIEW IF EXISTS ${name}`);
  }

  async #ask(name: string): Promise<void> {
    const query = this.#views.get(name);
    if (query === undefined || this.#held.length > 3) return;
    await db.settled();
    const flowing = await flow(`SELECT * FROM ${name}`);
    const rows = (await sql(db, `SELECT * FROM ${name}`)).rowsJson.toSorted();
    this.#held.push({ flowing, reads: queries[query]![1], rows });
  }

  async #answer(): Promise<void> {
    const held = this.#held.splice(this.#below(Math.max(1, this.#held.length)), 1)[0];
    if (held !== undefined) expect(await linesOf(held.flowing)).toEqual(held.rows);
  }

  /** How many columns are read by what is there and what is held. */
  get read(): number {
    const there = [...this.#views.values()].map((query) => queries[query]![1]);
    return new Set([...there, ...this.#held.map(({ reads }) => reads)].join("")).size;
  }

  async hold(): Promise<void> {
    await db.settled();
    await allHold(
      db,
      Object.fromEntries([...this.#views].map(([name, query]) => [name, queries[query]![0]])),
    );
  }

  async end(): Promise<void> {
    while (this.#held.length > 0) await this.#answer();
    for (const name of this.#views.keys()) await sql(db, `DROP MATERIALIZED VIEW ${name}`);
    this.#views.clear();
  }
}

it.each([1, 2, 3, 4, 5, 6])("after any history of views, builds and queries (%i)", async (nth) => {
  await open();
  const none = await left();
  const history = new History(seed * 1_000 + nth);
  for (let i = 0; i < 40; i++) {
    await history.step();
    expect([i, await decoded()]).toEqual([i, history.read]);
  }
  await history.hold();
  await history.end();
  expect(await decoded()).toBe(0);
  await sql(db, "DELETE FROM t");
  await db.settled();
  expect(await left()).toEqual(none);
});
