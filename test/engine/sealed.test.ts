/** Views over sealed segments: the same as over frames, from fewer bytes. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rangesOf } from "../../src/engine/builds/ranges.ts";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { bindView } from "../../src/sql/statement.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

let disk: SimulatedDisk;
let db: Database;

const start = (): Promise<Database> =>
  openEngine({ directory: "/data", disk, segmentBytes: 256 * 1024, checkpointIntervalMs: 0 });

async function run(sql: string): Promise<readonly string[]> {
  const { results, error } = await db.sql(sql);
  if (error !== undefined) throw new Error(`${error.message}: ${sql}`);
  return results.at(-1)?.rowsJson ?? [];
}

/** Opens anew, from the log alone. */
async function reopen(): Promise<void> {
  await db.close();
  for (const path of disk.files()) if (path.startsWith("/data/checkpoint/")) await disk.unlink(path);
  db = await start();
  await db.built();
}

const sealed = async (): Promise<void> => {
  await db.core.log.sealed();
  expect(db.stats()).toMatchObject({ unsealedSegments: 0, sealingFailed: false });
};

beforeEach(async () => {
  disk = new SimulatedDisk({ seed: 1 });
  db = await start();
  await run("CREATE TABLE prices (sku int PRIMARY KEY, price numeric(10,2))");
  await run(
    "CREATE TABLE sales (id int, sku int, country text, amount float8, note text) WITH (append_only)",
  );
  await run("CREATE TABLE gone (a int, b text) WITH (append_only)");
  for (let i = 0; i < 40; i++) {
    if (i === 0) await run("INSERT INTO prices SELECT g, g FROM generate_series(1, 50) g");
    else await run(`UPDATE prices SET price = sku * ${i}`);
    await run(
      `INSERT INTO sales SELECT ${i * 500} + g, g % 50 + 1, CASE g % 3 WHEN 0 THEN 'AT' WHEN 1 THEN 'CH' ELSE NULL END, sqrt(${i * 500} + g), 'note ' || sqrt(${i * 500} + g) FROM generate_series(0, 499) g`,
    );
    await run(`INSERT INTO gone SELECT g, 'gone ' || g FROM generate_series(1, 100) g`);
    if (i === 20) await run("DELETE FROM prices WHERE sku > 45");
  }
  await db.settled();
});

afterEach(async () => {
  await db.close();
});

const queries = [
  "SELECT country, count(*) AS n, sum(amount), min(id), max(note) FROM sales GROUP BY country",
  "SELECT count(*), sum(id) FROM sales WHERE id >= 12345 AND id < 12500",
  "SELECT count(*) FROM sales WHERE country = 'AT' AND 19000 <= id",
  "SELECT id, note FROM sales WHERE id = 19999 OR id = 3",
  "SELECT s.sku, count(*), min(p.price) FROM sales s JOIN prices p ON p.sku = s.sku WHERE s.id > 15000 GROUP BY s.sku",
  "SELECT a.id, b.id FROM sales a JOIN sales b ON a.id = b.id + 1 WHERE a.id < 5 AND b.id > 1",
  "SELECT id FROM sales WHERE id > 19990 AND amount > 141.4",
  "SELECT count(*) FROM sales WHERE note > 'note 49' AND note < 'note 5'",
  "SELECT sku, price FROM prices",
];

/** Column names must differ in a view. */
const viewable = [queries[0]!, queries[2]!, queries[3]!, queries[4]!, queries[6]!, queries[8]!];

const answers = async (): Promise<string[]> => {
  const all: string[] = [];
  for (const query of queries) {
    all.push([...(await run(query))].sort().join("\n"));
  }
  return all;
};

describe("queries and views", () => {
  test("say the same from frames, from sealed segments, and after a start from the log alone", async () => {
    const before = await answers();
    await sealed();
    expect(db.stats().sealedSegments).toBeGreaterThan(2);
    expect(db.stats().sealedBytes).toBeLessThan(db.stats().sealedOriginalBytes / 2);
    expect(await answers()).toEqual(before);
    for (const [i, query] of viewable.entries()) await run(`CREATE MATERIALIZED VIEW v${i} AS ${query}`);
    await db.built();
    const views = db.views().map(({ name }) => name);
    expect(views.length).toBe(viewable.length);
    const shown = async (): Promise<unknown[]> =>
      Promise.all(views.map(async (name) => [...(await run(`SELECT * FROM ${name}`))].sort()));
    const built = await shown();
    await reopen();
    expect(await answers()).toEqual(before);
    expect(await shown()).toEqual(built);
  });

  test("a topic that was dropped is passed over, before and after it is sealed", async () => {
    const before = await answers();
    await run("DROP TABLE gone");
    await reopen();
    expect(await answers()).toEqual(before);
    await sealed();
    await reopen();
    expect(await answers()).toEqual(before);
  });

  test("a row that fails is met, whatever the filter's other half says", async () => {
    await sealed();
    const failing = "SELECT id FROM sales WHERE id > 19990 AND 1 / (id - 5) > 0";
    const { error } = await db.sql(failing);
    await run(`CREATE MATERIALIZED VIEW failing AS ${failing}`);
    await db.built();
    const live = db.viewFailure("failing")?.code ?? null;
    expect(live).toBe(error?.code ?? null);
  });

  test("a query over few columns and few rows reads little of the log", async () => {
    await sealed();
    let read = 0;
    const open = disk.open.bind(disk);
    disk.open = async (path, mode) => {
      const file = await open(path, mode);
      if (!path.endsWith(".sealed")) return file;
      const readFile = file.read.bind(file);
      return Object.assign(file, {
        read: async (target: Uint8Array, at: number) => {
          const count = await readFile(target, at);
          read += count;
          return count;
        },
      });
    };
    const cost = async (sql: string): Promise<number> => {
      read = 0;
      await run(sql);
      return read;
    };
    const all = await cost("SELECT max(note), sum(amount), min(country), max(id), max(sku) FROM sales");
    expect(all).toBeGreaterThan(20_000);
    expect(await cost("SELECT max(id) FROM sales")).toBeLessThan(0.3 * all);
    const few = "SELECT max(note), sum(amount), min(country), max(id), max(sku) FROM sales WHERE id < 10";
    expect(await cost(few)).toBeLessThan(0.5 * all);
    expect(await cost("SELECT max(price) FROM prices")).toBe(0);
  });
});

test("what a plan says of its streams' rows", () => {
  const of = (where: string): unknown => {
    const { plan } = bindView(`SELECT id, note FROM sales WHERE ${where}`, null, db.core.catalog);
    return [...rangesOf(plan).values()].flat().map(({ column, min, max }) => [column, text(min), text(max)]);
  };
  const text = (bound: number | Uint8Array | undefined): unknown =>
    bound instanceof Uint8Array ? new TextDecoder().decode(bound) : (bound ?? null);
  expect(of("id = 5")).toEqual([[0, 5, 5]]);
  expect(of("id > 5 AND 7 >= id")).toEqual([
    [0, 5, null],
    [0, null, 7],
  ]);
  expect(of("country < 'CH'")).toEqual([[2, null, "CH"]]);
  expect(of("id = 5 OR id = 6")).toEqual([]);
  expect(of("id <> 5")).toEqual([]);
  expect(of("id = 5 AND 1 / id > 0")).toEqual([]);
  expect(of("amount > 'NaN'")).toEqual([]);
});
