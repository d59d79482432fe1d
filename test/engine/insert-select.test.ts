import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "./support/memory.ts";

let engine: Awaited<ReturnType<typeof openInMemory>>;

beforeEach(async () => {
  engine = await openInMemory(new SimulatedDisk());
  await sql(engine, "CREATE TABLE a (x int PRIMARY KEY, y text)");
  await sql(engine, "CREATE TABLE b (x int, y text DEFAULT 'none')");
  await sql(engine, "INSERT INTO a VALUES (1, 'one'), (2, 'two'), (3, NULL)");
});

afterEach(() => engine.close());

async function rows(query: string): Promise<unknown> {
  const { results, error } = await engine.sql(query);
  if (error !== undefined) throw error;
  return results[0]!.rowsText();
}

describe("INSERT of a query", () => {
  it("takes any query, its columns cast and the others' defaults filled in", async () => {
    await sql(engine, "INSERT INTO b SELECT * FROM a WHERE x > 1");
    await sql(engine, "INSERT INTO b (x) SELECT count(*) FROM a UNION ALL SELECT 9 EXCEPT ALL SELECT 7");
    await sql(engine, "INSERT INTO b (y, x) WITH w AS (SELECT x * 10 AS x FROM a) SELECT 'w', max(x) FROM w");
    expect(await rows("SELECT * FROM b ORDER BY x, y")).toEqual([
      ["2", "two"],
      ["3", "none"],
      ["3", null],
      ["9", "none"],
      ["30", "w"],
    ]);
  });

  it("reads the table it writes as it was before", async () => {
    await sql(engine, "INSERT INTO a SELECT x + 10, y FROM a");
    expect(await rows("SELECT x FROM a ORDER BY x")).toEqual([["1"], ["2"], ["3"], ["11"], ["12"], ["13"]]);
  });

  it("takes subqueries in VALUES, beside DEFAULT", async () => {
    await sql(
      engine,
      "INSERT INTO b VALUES ((SELECT max(x) FROM a), DEFAULT), (5, (SELECT y FROM a WHERE x = 2)), (6, 'six')",
    );
    expect(await rows("SELECT * FROM b ORDER BY x")).toEqual([
      ["3", "none"],
      ["5", "two"],
      ["6", "six"],
    ]);
  });

  it("decides conflicts of what a query gives", async () => {
    await sql(
      engine,
      "INSERT INTO a SELECT x + 1, 'n' FROM a ON CONFLICT (x) DO UPDATE SET y = excluded.y || coalesce(a.y, '-')",
    );
    expect(await rows("SELECT * FROM a ORDER BY x")).toEqual([
      ["1", "one"],
      ["2", "ntwo"],
      ["3", "n-"],
      ["4", "n"],
    ]);
  });

  it("stores nothing of a query that fails", async () => {
    const { error } = await engine.sql("INSERT INTO b (x) SELECT 1 / (x - 3) FROM a");
    expect(error?.sqlstate).toBe("22012");
    expect(await rows("SELECT * FROM b")).toEqual([]);
  });
});
