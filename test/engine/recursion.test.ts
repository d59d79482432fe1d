/** Recursions that do not end, or too late: an error of their view, which goes when its reason goes. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { maintained } from "./support/views.ts";

const limits = { recursion: { rowsMax: 2000, iterationsMax: 300 } };

let disk: SimulatedDisk;
let engine: Database;

beforeEach(async () => {
  disk = new SimulatedDisk();
  engine = await openInMemory(disk, limits);
  await sql(engine, "CREATE TABLE e (x int, y int, PRIMARY KEY (x, y))");
  await sql(engine, "INSERT INTO e VALUES (1, 2), (1, 3), (2, 4), (3, 4)");
});

afterEach(() => engine.close());

const error = (sqlstate: string) => ({ sqlstate });

async function view(name: string, query: string): Promise<void> {
  await sql(engine, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
  await engine.built();
}

async function restart(options: Parameters<typeof openInMemory>[1] = limits): Promise<void> {
  await engine.close();
  engine = await openInMemory(disk, options);
  await engine.built();
}

const WAYS =
  "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT e.y FROM r JOIN e ON e.x = r.n) SELECT n, count(*) AS ways FROM r GROUP BY n";
const REACHED =
  "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT e.y FROM r JOIN e ON e.x = r.n) SELECT n FROM r";

describe("a cycle that UNION ALL follows for ever", () => {
  const ways = [
    ["1", "1"],
    ["2", "1"],
    ["3", "1"],
    ["4", "2"],
  ];

  beforeEach(async () => {
    await view("ways", WAYS);
    await view("reached", REACHED);
  });

  it("is an error of its view while it is there; the others go on", async () => {
    expect(await maintained(engine, "ways")).toEqual(expect.arrayContaining(ways));
    await sql(engine, "INSERT INTO e VALUES (4, 1)");
    expect(await maintained(engine, "ways")).toEqual(error("54000"));
    await sql(engine, "INSERT INTO e VALUES (4, 5)");
    expect(await maintained(engine, "ways")).toEqual(error("54000"));
    expect(await rowsOf(engine, "SELECT n FROM reached ORDER BY n")).toEqual([
      ["1"],
      ["2"],
      ["3"],
      ["4"],
      ["5"],
    ]);
    await sql(engine, "DELETE FROM e WHERE x = 4");
    const healed = await maintained(engine, "ways");
    expect(healed).toHaveLength(4);
    expect(healed).toEqual(expect.arrayContaining(ways));
    await sql(engine, "DELETE FROM e WHERE x = 3");
    await engine.settled();
    expect(await rowsOf(engine, "SELECT * FROM ways WHERE n = 4")).toEqual([["4", "1"]]);
  });

  it("is one after a restart too, and heals after one", async () => {
    await sql(engine, "INSERT INTO e VALUES (4, 1)");
    await restart();
    expect(await maintained(engine, "ways")).toEqual(error("54000"));
    await sql(engine, "DELETE FROM e WHERE x = 4");
    expect(await maintained(engine, "ways")).toHaveLength(4);
    await restart();
    expect(await maintained(engine, "ways")).toEqual(expect.arrayContaining(ways));
    await sql(engine, "INSERT INTO e VALUES (4, 5)");
    // What is acknowledged may not be stepped yet.
    await engine.settled();
    expect(await rowsOf(engine, "SELECT * FROM ways WHERE n = 5")).toEqual([["5", "2"]]);
  });

  it("is refused when it is asked ad hoc, and when it stands in a transaction", async () => {
    await sql(engine, "INSERT INTO e VALUES (2, 1)");
    // The view of the same query takes its time to find that it never ends.
    await engine.settled();
    const { error: refused } = await engine.sql(WAYS);
    expect(refused).toMatchObject({ code: "recursion_limit", sqlstate: "54000" });
    expect(await rowsOf(engine, REACHED)).toHaveLength(4);
  });
});

it("tells a recursion that goes too deep", async () => {
  const counting = (least: string) =>
    `WITH RECURSIVE r(n) AS (SELECT ${least} UNION SELECT n + 1 FROM r WHERE n < 300) SELECT n FROM r`;
  expect(await rowsOf(engine, counting("5"))).toHaveLength(296);
  expect((await engine.sql(counting("-5"))).error?.message).toBe(
    "a recursive query goes deeper than 300 iterations",
  );
});

it("stops amid an iteration that explodes", async () => {
  const { error: refused } = await engine.sql(
    `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT r.n + g FROM r, generate_series(1, 100000000) AS g) SELECT n FROM r`,
  );
  expect(refused).toMatchObject({ code: "recursion_limit" });
});

it("answers again when it is opened with room for it", async () => {
  await view(
    "many",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r JOIN e ON e.x = 1 AND e.y = 2 WHERE n < 1000) SELECT n FROM r",
  );
  expect(await maintained(engine, "many")).toEqual(error("54000"));
  await restart({});
  await sql(engine, "INSERT INTO e VALUES (7, 7)");
  expect(await maintained(engine, "many")).toHaveLength(1000);
});

it("tells only what a step has changed", async () => {
  await sql(engine, "INSERT INTO e VALUES (4, 5)");
  await view("reached", REACHED);
  await restart();
  const changes: unknown[] = [];
  const stop = new AbortController();
  let isWatched = false;
  const told = (async () => {
    for await (const event of engine.subscribe([{ view: "reached" }], { signal: stop.signal }))
      if (event.type === "snapshot" && event.last) isWatched = true;
      else if (event.type === "step")
        for (const piece of event.views.get("reached") ?? [])
          changes.push(JSON.parse(`[${decodeUtf8(piece)}]`));
  })();
  await expect.poll(() => isWatched, { interval: 5 }).toBe(true);
  // 4 and 5 are found by later iterations than before, 4 by an earlier one again; the rows stay.
  await sql(engine, "DELETE FROM e WHERE x = 2 OR x = 3; INSERT INTO e VALUES (3, 6), (6, 4)");
  await sql(engine, "INSERT INTO e VALUES (1, 4)");
  await sql(engine, "DELETE FROM e WHERE x = 1 AND y = 4");
  await sql(engine, "INSERT INTO e VALUES (5, 9)");
  await expect.poll(() => JSON.stringify(changes), { interval: 5 }).toContain('{"n":9}');
  stop.abort();
  await told.catch(() => {});
  const flat = (changes as { op: string; row?: { n: number }; old?: { n: number } }[][]).flat();
  const ops = flat.map((c) => `${c.op} ${c.row?.n ?? c.old?.n}`);
  expect(ops.filter((o) => o.startsWith("update"))).toEqual([]);
  expect(ops.at(-1)).toBe("insert 9");
  expect(ops).not.toContain("insert 2");
});
