/** Views built in worker threads over history that is sealed, which all threads read: whoever reads what, they hold what the log says, then and from then on. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import type { Database } from "../../src/engine/database.ts";
import { type OpenEngineOptions, openEngine } from "../../src/engine/open-engine.ts";
import { Worker } from "../../src/engine/workers/worker.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { Directories } from "./support/directories.ts";
import { allHold, holds } from "./support/holds.ts";
import { sql } from "./support/memory.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

const directories = new Directories();
const opened: Database[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const db of opened.splice(0)) await db.close().catch(() => {});
});

async function start(directory: string, options: Partial<OpenEngineOptions>): Promise<Database> {
  const db = await openEngine({ directory, segmentBytes: 64 * 1024, checkpointIntervalMs: 0, ...options });
  opened.push(db);
  return db;
}

const names = ["Ada", "Björn", "Chloé", "", "a name that is longer than others and rather regular"];

function saleOf(random: SeededRandom, id: number): Record<string, unknown> {
  const maybe = <T>(value: T): T | null => (random.below(10) === 0 ? null : value);
  return {
    id,
    who: maybe(`${names[random.below(names.length)]} ${random.below(40)}`),
    sku: random.below(300),
    // Some are no exact doubles.
    wide: maybe(
      random.below(50) === 0 ? String(2n ** 60n + BigInt(random.below(5))) : String(random.below(1000) - 500),
    ),
    amount: maybe(random.below(1_000_000) / 8),
    paid: maybe(random.below(2) === 0),
    price: maybe(`${random.below(100_000)}.${random.below(90) + 10}`),
    at: new Date(1_700_000_000_000 + random.below(100_000_000)).toISOString(),
  };
}

/** Sales and visits over several sealed segments, with a table beside them. */
async function fill(db: Database, seed: number, commits = 60): Promise<void> {
  const random = new SeededRandom(seed);
  await sql(
    db,
    `CREATE TABLE sales (id int, who text, sku int, wide int8, amount float8, paid boolean, price numeric(12,2), at timestamptz)
       WITH (append_only);
     CREATE TABLE visits (who text, sku int, page text) WITH (append_only);
     CREATE TABLE skus (sku int PRIMARY KEY, title text)`,
  );
  await sql(db, "INSERT INTO skus SELECT g, 'title ' || g FROM generate_series(0, 250) g");
  for (let c = 0; c < commits; c++) await appendSome(db, random, c);
  await db.settled();
  await db.core.log.sealed();
}

async function appendSome(db: Database, random: SeededRandom, commit: number): Promise<void> {
  const some = (n: number): number[] => Array.from({ length: random.below(n) + 1 }, (_, i) => i);
  await db.append(
    "sales",
    some(400).map((i) => saleOf(random, commit * 1000 + i)),
  );
  await db.append(
    "visits",
    some(300).map((i) => ({
      who: `${names[i % names.length]} ${random.below(60)}`,
      sku: random.below(300),
      page: `/pages/${random.below(50)}`,
    })),
  );
}

const views: Readonly<Record<string, string>> = {
  sums: "SELECT sku, count(*) AS n, sum(wide) AS w, max(price) AS p, min(at) AS a FROM sales GROUP BY sku",
  people: "SELECT who, paid, count(*) AS n, max(id) AS m FROM sales GROUP BY who, paid",
  joined:
    "SELECT s.sku, count(*) AS n, max(v.page) AS p FROM sales s JOIN visits v ON v.sku = s.sku AND v.who = s.who GROUP BY s.sku",
  titled: "SELECT t.title, count(s.id) AS n FROM skus t LEFT JOIN sales s ON s.sku = t.sku GROUP BY t.title",
  last: "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY who, sku ORDER BY id DESC) AS r FROM sales) x WHERE r = 1",
  wides: "SELECT wide, count(*) AS n, max(amount) AS a FROM sales GROUP BY wide",
  known: "SELECT who, sku FROM sales WHERE amount > 1000 EXCEPT SELECT who, sku FROM visits",
  either: "SELECT sku, who FROM sales UNION SELECT sku, who FROM visits",
  first: "SELECT id, who FROM sales ORDER BY amount DESC NULLS LAST, id LIMIT 25",
  late: "SELECT sku, count(*) AS n FROM sales WHERE id >= 50000 GROUP BY sku",
  alone: "SELECT count(*) AS n, sum(wide) AS w, bool_or(paid) AS p FROM sales",
};

async function createAll(db: Database): Promise<void> {
  for (const [name, query] of Object.entries(views))
    await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
  await db.built();
}

/** Asked for its own query the database would answer with what the view keeps: so another one with the same rows says what is right. */
async function holdSame(db: Database, plain: Database): Promise<void> {
  for (const name of Object.keys(views)) {
    const [ours, theirs] = [await maintained(db, name), await maintained(plain, name)];
    expect([name, ours, theirs]).toEqual([name, expect.any(Array), expect.any(Array)]);
    expect([name, difference(ours as TextRow[], theirs as TextRow[])]).toEqual([name, null]);
  }
}

describe("views over sealed history", () => {
  for (const workers of [1, 2, 3]) {
    it(`hold the same with ${workers} workers, and go on from there`, async () => {
      const directory = await directories.make();
      const db = await start(directory, { workers });
      await fill(db, 100 + workers);
      expect(db.core.log.stats().sealing.segments).toBeGreaterThan(5);
      const read = vi.spyOn(Worker.prototype, "read");
      await createAll(db);
      expect(read.mock.calls.length).toBeGreaterThan(0);
      const plain = await start(await directories.make(), { workers: 0 });
      await fill(plain, 100 + workers);
      await createAll(plain);
      await holdSame(db, plain);
      // What is appended now has to come to the shard that has what was read.
      for (const each of [db, plain]) {
        const random = new SeededRandom(workers);
        for (let c = 0; c < 5; c++) await appendSome(each, random, 1000 + c);
      }
      await holdSame(db, plain);
    });
  }

  it("take what was written before a table was changed as it is read now", async () => {
    const db = await start(await directories.make(), { workers: 2 });
    await fill(db, 7, 25);
    await sql(
      db,
      `ALTER TABLE sales ADD COLUMN region text DEFAULT 'nowhere';
       ALTER TABLE sales ALTER COLUMN id TYPE int8;
       ALTER TABLE sales DROP COLUMN price`,
    );
    const random = new SeededRandom(8);
    for (let c = 0; c < 25; c++) {
      const rows = Array.from({ length: 200 }, (_, i) => {
        const { who, sku, wide, at } = saleOf(random, i);
        return { id: 3_000_000_000 + i, who, sku, wide, at, region: `region ${random.below(9)}` };
      });
      await db.append("sales", rows);
    }
    await db.settled();
    await db.core.log.sealed();
    const read = vi.spyOn(Worker.prototype, "read");
    const queries = {
      regions: "SELECT region, count(*) AS n, max(id) AS m FROM sales GROUP BY region",
      ids: "SELECT id, who, count(*) AS n, max(wide) AS w FROM sales GROUP BY id, who",
    };
    for (const [name, query] of Object.entries(queries))
      await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
    await db.built();
    expect(read.mock.calls.some(([{ piece }]) => piece.to !== null)).toBe(true);
    await allHold(db, queries);
    await db.append("sales", [{ id: 3, who: "Ada 3", sku: 3, wide: 5, region: "region 3" }]);
    await db.core.reached({ atLeast: db.position });
    await allHold(db, queries);
  });

  it("have few pieces under way at a time", async () => {
    const db = await start(await directories.make(), { workers: 2 });
    await fill(db, 21);
    const { log } = db.core;
    const history = log.history.bind(log);
    let [open, most, all] = [0, 0, 0];
    vi.spyOn(log, "history").mockImplementation(async function* (options) {
      for await (const part of history(options)) {
        if (part.kind === "groups") yield part;
        else {
          all++;
          most = Math.max(most, ++open);
          yield {
            ...part,
            release: () => {
              open--;
              part.release();
            },
          };
        }
      }
    });
    await sql(db, `CREATE MATERIALIZED VIEW joined AS ${views["joined"]}`);
    await db.built();
    await holds(db, "joined", views["joined"]!);
    expect(all).toBeGreaterThan(10);
    expect(most).toBeLessThanOrEqual(4);
    expect(open).toBe(0);
  });

  it("say of damage what they say without workers", async () => {
    const directory = await directories.make();
    const filled = await start(directory, {});
    await fill(filled, 31, 30);
    await filled.close();
    const segments = (await readdir(join(directory, "log"))).filter((name) => name.endsWith(".sealed"));
    const path = join(directory, "log", segments[1]!);
    const sound = await readFile(path);
    const hurt = Buffer.from(sound);
    // Behind the head lie the pages.
    for (let at = 64; at < sound.length * 0.7; at += 16) hurt[at]! ^= 1;
    await writeFile(path, hurt);
    const said: unknown[] = [];
    for (const workers of [0, 2]) {
      const db = await start(directory, { workers, report: () => {} });
      await sql(db, `CREATE MATERIALIZED VIEW people AS ${views["people"]}`).catch(() => {});
      await db.built().catch(() => {});
      said.push(db.viewFailure("people")?.code);
      await sql(db, "DROP MATERIALIZED VIEW people");
      await db.close();
    }
    // Nobody leaves a damaged log behind.
    await writeFile(path, sound);
    expect(said).toEqual(["log_damaged", "log_damaged"]);
  });
});

describe("while sealed history is read", () => {
  /** Calls it when so many pieces have been handed out to workers. */
  function afterReads(count: number, act: () => void): void {
    const read = Worker.prototype.read;
    let reads = 0;
    vi.spyOn(Worker.prototype, "read").mockImplementation(function (this: Worker, task) {
      const rows = read.call(this, task);
      if (++reads === count) act();
      return rows;
    });
  }

  it("a view can be dropped, and made anew", async () => {
    const db = await start(await directories.make(), { workers: 2 });
    await fill(db, 41);
    let dropped: Promise<unknown> = Promise.resolve();
    afterReads(3, () => {
      dropped = sql(db, "DROP MATERIALIZED VIEW people");
    });
    await sql(db, `CREATE MATERIALIZED VIEW people AS ${views["people"]}`).catch(() => {});
    await dropped;
    await db.built();
    expect(() => db.view("people")).toThrow();
    await expect.poll(() => db.core.workers!.parts).toBe(0);
    await sql(db, `CREATE MATERIALIZED VIEW people AS ${views["people"]}`);
    await db.built();
    await holds(db, "people", views["people"]!);
  });

  it("a thread that ends fails the view that it keeps a share of, which can be made anew", async () => {
    const db = await start(await directories.make(), { workers: 2, report: () => {} });
    await fill(db, 51);
    afterReads(3, () => void db.core.workers!.end(1));
    await sql(db, `CREATE MATERIALIZED VIEW people AS ${views["people"]}`).catch(() => {});
    await db.built();
    expect(db.viewFailure("people")).toMatchObject({ code: "view_failed" });
    vi.restoreAllMocks();
    await sql(db, "DROP MATERIALIZED VIEW people");
    await sql(db, `CREATE MATERIALIZED VIEW people AS ${views["people"]}`);
    await db.built();
    await holds(db, "people", views["people"]!);
  });

  it("a thread that ends gives back what it was to read for another", async () => {
    const db = await start(await directories.make(), { workers: 2, report: () => {} });
    await fill(db, 61);
    // One part, that cannot be split, in each of them; the second is ready when the first thread ends.
    await sql(db, "CREATE MATERIALIZED VIEW other AS SELECT count(DISTINCT page) AS n FROM visits");
    await db.built();
    afterReads(2, () => void db.core.workers!.end(0));
    const query = "SELECT count(DISTINCT who) AS n, sum(wide) AS w FROM sales";
    await sql(db, `CREATE MATERIALIZED VIEW indivisible AS ${query}`).catch(() => {});
    await db.built();
    expect(db.viewFailure("other")).toMatchObject({ code: "view_failed" });
    await holds(db, "indivisible", query);
  });

  it("a piece that cannot be read is no news for who waits for the one before it", async () => {
    const db = await start(await directories.make(), { workers: 2, report: () => {} });
    await fill(db, 81, 30);
    const read = Worker.prototype.read;
    let reads = 0;
    vi.spyOn(Worker.prototype, "read").mockImplementation(async function (this: Worker, task) {
      if (++reads === 2) throw new EvertError("io_error", "the second piece cannot be read");
      const rows = await read.call(this, task);
      // Turns of the event loop, which it gets only if nobody spins.
      if (reads <= 2) await new Promise((resolve) => setTimeout(resolve, 20));
      return rows;
    });
    await sql(db, `CREATE MATERIALIZED VIEW people AS ${views["people"]}`).catch(() => {});
    await db.built();
    expect(db.viewFailure("people")).toMatchObject({ code: "io_error" });
  });

  it("the database can be closed, and what it was is there at the next start", async () => {
    const directory = await directories.make();
    const db = await start(directory, { workers: 2 });
    await fill(db, 71);
    let closed: Promise<unknown> = Promise.resolve();
    const isClosing = new Promise<void>((resolve) => {
      afterReads(3, () => {
        closed = db.close();
        resolve();
      });
    });
    const made = sql(db, `CREATE MATERIALIZED VIEW people AS ${views["people"]}`).catch(() => {});
    await isClosing;
    await closed;
    await made;
    vi.restoreAllMocks();
    const again = await start(directory, { workers: 2 });
    await again.built();
    await holds(again, "people", views["people"]!);
  });
});
