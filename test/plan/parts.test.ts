/** What of a plan threads of their own may keep, and by which columns it is split: asked of plans as the engine makes them. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { sourcesOf } from "../../src/plan/inspect.ts";
import { overStreams, partsOf } from "../../src/plan/parts.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

let db: Database;

beforeAll(async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (id int8 PRIMARY KEY, g text, f float8, n numeric, v int8);
     CREATE TABLE s (g text, h int4, v int8) WITH (append_only);
     CREATE MATERIALIZED VIEW below AS SELECT g, sum(v) AS v FROM t GROUP BY g`,
  );
});

afterAll(() => db.close());

async function planOf(query: string): Promise<Plan> {
  await sql(db, `CREATE MATERIALIZED VIEW asked AS ${query}`);
  await db.built();
  const { plan } = db.core.views.named("asked").query!;
  await sql(db, "DROP MATERIALIZED VIEW asked");
  return plan;
}

/** "group by t(g), s(g)": the part's kind, and of each topic the columns by which it is split. */
async function told(query: string, threads = 3): Promise<string[]> {
  return partsOf(await planOf(query), threads).map(({ plan, keys, keysMove, twoSteps }) => {
    if (keys === null) return `${plan.kind} whole`;
    const topics = [...keys].map(([id, columns]) => {
      const { name, schema } = sourcesOf(plan).find((source) => source.id === id)!;
      return `${name}(${columns.map((c) => schema.fields[c]!.name).join()})`;
    });
    return `${plan.kind} by ${topics.sort().join(" ")}${keysMove ? ", keys move" : ""}${twoSteps === null ? "" : ", in two steps"}`;
  });
}

it.each([
  ["a group by its keys", "SELECT g, h, count(*) FROM s GROUP BY g, h", ["group by s(g,h)"]],
  [
    "a group below one of other keys",
    "SELECT h, max(c) FROM (SELECT g, h, count(*) AS c FROM s GROUP BY g, h) AS x GROUP BY h",
    ["group by s(h)"],
  ],
  [
    "a group of a join by what joins",
    "SELECT t.g, count(*) FROM t JOIN s ON t.g = s.g GROUP BY t.g",
    ["group by s(g) t(g)"],
  ],
  [
    "the part below, where the rest cannot be split",
    "SELECT count(DISTINCT c) FROM (SELECT g, count(*) AS c FROM s GROUP BY g) AS x",
    ["group by s(g)"],
  ],
  [
    "a group of what is split otherwise in two steps",
    "SELECT max(c), avg(c) FROM (SELECT g, count(*) AS c FROM s GROUP BY g) AS x",
    ["group by s(g), in two steps"],
  ],
  [
    "a group by a column of what is joined in two steps",
    "SELECT t.g, count(*), sum(s.h) FROM t JOIN s ON t.v = s.v GROUP BY t.g",
    ["group by s(v,v) t(v,v), in two steps"],
  ],
  ["one group of a stream in two steps", "SELECT count(*), max(v) FROM s", ["group by s(v), in two steps"]],
  [
    "one group of two streams in two steps",
    "SELECT sum(v) FROM (SELECT v FROM s UNION ALL SELECT id FROM t) AS x",
    ["group by s(v) t(id), in two steps"],
  ],
  [
    "a join below a group whose sums are not exact in two steps",
    "SELECT t.g, sum(t.f) FROM t JOIN s ON t.v = s.v GROUP BY t.g",
    ["join by s(v,v) t(v,v)"],
  ],
  [
    "a join below a group that collects rows",
    "SELECT t.g, array_agg(s.h) FROM t JOIN s ON t.v = s.v GROUP BY t.g",
    ["join by s(v,v) t(v,v)"],
  ],
  [
    "first rows by their partition",
    "SELECT DISTINCT ON (g) g, v FROM s ORDER BY g, v DESC",
    ["topK by s(g)"],
  ],
  [
    "a window by its partition",
    "SELECT g, v, rank() OVER (PARTITION BY g ORDER BY v) FROM s",
    ["window by s(g)"],
  ],
  ["different rows by any column", "SELECT DISTINCT h, v FROM s", ["distinct by s(h,v)"]],
  [
    "a join whose key says nothing of it",
    "SELECT t.id, s.v FROM t LEFT JOIN (SELECT g, max(v) AS v FROM s GROUP BY g) AS s ON t.g = s.g",
    ["join by s(g) t(g), keys move"],
  ],
  [
    "an outer join by the side that stays",
    "SELECT t.g, s.v FROM t LEFT JOIN s ON t.g = s.g",
    ["project by s(g) t(g)"],
  ],
  ["nothing by what is not there", "SELECT s.g, s.v FROM t FULL JOIN s ON t.g = s.g", ["project whole"]],
  [
    "nothing by a float or a numeric, whose equals differ",
    "SELECT f, n, count(*) FROM t GROUP BY f, n",
    ["group whole"],
  ],
  ["nothing by what is computed", "SELECT v % 10, count(*) FROM s GROUP BY v % 10", ["group whole"]],
  [
    "two sides of one topic in one way only",
    "SELECT a.g, count(*) FROM s a JOIN s b ON a.g = b.g AND a.h = b.h GROUP BY a.g",
    ["group by s(g)"],
  ],
  ["what keeps no rows stays", "SELECT g, v FROM s WHERE v > 1", []],
  ["what reads a view stays", "SELECT max(v) FROM below", []],
  ["what depends on time stays", "SELECT g, count(*) FROM t WHERE to_timestamp(v) > now() GROUP BY g", []],
  [
    "what iterates stays",
    "WITH RECURSIVE r(n) AS (SELECT v FROM s UNION SELECT n - 1 FROM r WHERE n > 0) SELECT n FROM r",
    [],
  ],
])("splits %s", async (_, query, parts) => {
  expect(await told(query)).toEqual(parts);
});

it("gives one thread the whole plan", async () => {
  expect(await told("SELECT max(c) FROM (SELECT g, count(*) AS c FROM s GROUP BY g) AS x", 1)).toEqual([
    "group whole",
  ]);
});

it("knows of rows over streams what it knew of rows over tables", async () => {
  const plan = await planOf("SELECT t.g, count(*) FROM t JOIN s ON t.g = s.g GROUP BY t.g");
  const over = overStreams(plan);
  expect(
    sourcesOf(over).map(({ name, relation, key, appendOnly }) => [name, relation, key, appendOnly]),
  ).toEqual([
    ["t", "stream", [0], false],
    ["s", "stream", null, true],
  ]);
  expect([over.key, over.appendOnly, over.schema]).toEqual([plan.key, plan.appendOnly, plan.schema]);
});
