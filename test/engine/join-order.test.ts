/** The order of joins follows the rows there are; a view's the rows there were when it was made, also after a restart. */
import { expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const tables = `
  CREATE TABLE big (id int PRIMARY KEY, mid int);
  CREATE TABLE mid (id int PRIMARY KEY, small int);
  CREATE TABLE small (id int PRIMARY KEY, name text);
`;
const query =
  "SELECT big.id, name FROM big, mid, small WHERE big.mid = mid.id AND mid.small = small.id AND name <> 'b'";

async function fill(
  engine: Database,
  table: "big" | "mid" | "small",
  from: number,
  to: number,
): Promise<void> {
  const rows = Array.from({ length: to - from }, (_, i) => {
    const second = table === "small" ? `'${"abc"[i % 3]}'` : String(i % (table === "big" ? 30 : 3));
    return `(${from + i}, ${second})`;
  });
  await sql(engine, `INSERT INTO ${table} VALUES ${rows.join(", ")}`);
  await engine.settled();
}

/** The two tables that stand deepest in the plan: they are joined first. */
async function first(engine: Database, statement: string): Promise<string[]> {
  const lines = (await rowsOf(engine, `EXPLAIN ${statement}`)).flat().join("\n");
  const sources = [...lines.matchAll(/^( *).*Source table (\w+)/gm)].map((m) => ({
    at: m[1]!.length,
    name: m[2]!,
  }));
  const deepest = sources.sort((x, y) => y.at - x.at).slice(0, 2);
  return deepest.map((x) => x.name).sort();
}

it("a query joins what is small first", async () => {
  const engine = await openInMemory();
  await sql(engine, tables);
  expect(await first(engine, query)).toEqual(["big", "mid"]);
  await fill(engine, "small", 0, 3);
  await fill(engine, "mid", 0, 30);
  await fill(engine, "big", 0, 300);
  expect(await first(engine, query)).toEqual(["mid", "small"]);
  await engine.close();
});

it("a view is planned with the rows there were, and comes back from a checkpoint as it was", async () => {
  const disk = new SimulatedDisk();
  const reports: string[] = [];
  const open = () => openInMemory(disk, { report: (message) => void reports.push(message) });
  let engine = await open();
  await sql(engine, tables);
  await sql(engine, `CREATE MATERIALIZED VIEW before AS ${query}`);
  await fill(engine, "small", 0, 3);
  await fill(engine, "mid", 0, 30);
  await fill(engine, "big", 0, 300);
  await sql(engine, `CREATE MATERIALIZED VIEW after AS ${query}`);
  const rows = await rowsOf(engine, "SELECT * FROM before ORDER BY id");
  expect(rows).toHaveLength(200);
  expect(await rowsOf(engine, "SELECT * FROM after ORDER BY id")).toEqual(rows);
  await fill(engine, "mid", 30, 3000);
  expect(await first(engine, query)).toEqual(["big", "mid"]);
  await engine.close();
  reports.length = 0;
  engine = await open();
  expect(await rowsOf(engine, "SELECT * FROM before ORDER BY id")).toEqual(rows);
  expect(await rowsOf(engine, "SELECT * FROM after ORDER BY id")).toEqual(rows);
  expect(reports).toEqual([]);
  for (const name of ["before", "after"]) {
    expect(engine.view(name).info.status).toBe("live");
  }
  await sql(engine, "DELETE FROM mid WHERE id < 10");
  const fewer = await rowsOf(engine, `${query} ORDER BY 1`);
  expect(await rowsOf(engine, "SELECT * FROM before ORDER BY id")).toEqual(fewer);
  expect(await rowsOf(engine, "SELECT * FROM after ORDER BY id")).toEqual(fewer);
  await engine.close();
});
