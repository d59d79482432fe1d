/** Chains with the reach of SQL: each says the same as a SQL view beside it, after every commit of a random history. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  avg,
  count,
  cumeDist,
  type Db,
  denseRank,
  desc,
  firstValue,
  int4,
  lag,
  lastValue,
  lead,
  max,
  nthValue,
  ntile,
  nullable,
  open,
  percentRank,
  rank,
  reduce,
  rowNumber,
  sum,
  table,
  text,
  timestamptz,
  type View,
  view,
} from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const runs = Number(process.env["EVERT_CHAIN_RUNS"] ?? 15);

const a = table("a", {
  key: "id",
  schema: { id: int4, k: nullable(int4), at: nullable(timestamptz), v: int4 },
});
const b = table("b", { key: "id", schema: { id: int4, k: nullable(int4), name: text } });

const byK = (row: { k: number | null }) => row.k;

/** A chain, and the SQL that says the same. */
const pairs: readonly (readonly [View<unknown>, string])[] = [
  [
    view(
      "right_join",
      a.rightJoin(b, byK, byK, (l, r) => ({ a: l?.id ?? null, b: r.id, name: r.name }), {
        a: nullable(int4),
      }),
    ),
    "SELECT a.id AS a, b.id AS b, b.name FROM a RIGHT JOIN b ON a.k = b.k",
  ],
  [
    view(
      "full_join",
      a.fullJoin(
        b,
        byK,
        byK,
        (l, r) => ({ a: l === null ? null : l.id, b: r === null ? null : r.id, k: l?.k ?? r?.k ?? null }),
        {
          a: nullable(int4),
          b: nullable(int4),
          k: nullable(int4),
        },
      ),
    ),
    "SELECT a.id AS a, b.id AS b, coalesce(a.k, b.k) AS k FROM a FULL JOIN b ON a.k = b.k",
  ],
  [
    view(
      "right_own_key",
      a.rightJoin(
        b,
        (l) => l.v,
        (l, r) => ({ a: l?.id ?? null, b: r.id }),
        { a: nullable(int4) },
      ),
    ),
    "SELECT a.id AS a, b.id AS b FROM a RIGHT JOIN b ON a.v = b.id",
  ],
  [
    view(
      "ranks",
      a.window(
        { partitionBy: "k", orderBy: ["-v", "id"] },
        {
          n: rowNumber(),
          r: rank(),
          d: denseRank(),
          p: percentRank(),
          c: cumeDist(),
          t: ntile(2),
          before: lag("v"),
          two_before: lag("v", 2, -1),
          behind: lead((row) => row.v + 1),
          first: firstValue("id"),
          last: lastValue("id"),
          second: nthValue("id", 2),
        },
      ),
    ),
    `SELECT *, row_number() OVER w AS n, rank() OVER w AS r, dense_rank() OVER w AS d, percent_rank() OVER w AS p, cume_dist() OVER w AS c,
       ntile(2) OVER w AS t, lag(v) OVER w AS before, lag(v, 2, -1) OVER w AS two_before, lead(v + 1) OVER w AS behind,
       first_value(id) OVER w AS first, last_value(id) OVER w AS last, nth_value(id, 2) OVER w AS second
     FROM a WINDOW w AS (PARTITION BY k ORDER BY v DESC, id)`,
  ],
  [
    view(
      "frames",
      a
        .window(
          { partitionBy: (row) => row.k, orderBy: "id", frame: { rows: [-2, -1] } },
          { s: sum("v"), n: count(), some: count({ where: (row) => row.v > 2 }) },
        )
        .window({ orderBy: "v", frame: { range: [-1, 2], exclude: "group" } }, { near: sum("v") })
        .window({ orderBy: desc((row) => row.v), frame: { groups: [null, 1] } }, { most: max("id") })
        .window({}, { all_of: avg((row) => row.v) }),
    ),
    `SELECT a.*, sum(v) OVER w AS s, count(*) OVER w AS n, count(*) FILTER (WHERE v > 2) OVER w AS some,
       sum(v) OVER (ORDER BY v RANGE BETWEEN 1 PRECEDING AND 2 FOLLOWING EXCLUDE GROUP) AS near,
       max(id) OVER (ORDER BY v DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING) AS most,
       avg(v::float8) OVER () AS all_of
     FROM a WINDOW w AS (PARTITION BY k ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)`,
  ],
  [
    view(
      "folded",
      a.window(
        { orderBy: "id", frame: { rows: [-1, 1] } },
        {
          bits: reduce({
            initial: 0,
            add: (all, row) => all ^ row.v,
            remove: (all, row) => all ^ row.v,
            type: nullable(int4),
          }),
        },
      ),
    ),
    "SELECT *, bit_xor(v) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS bits FROM a",
  ],
  [
    view("range_of_time", a.window({ orderBy: "at", frame: { range: ["-1 minute", 0] } }, { n: count() })),
    "SELECT *, count(*) OVER (ORDER BY at RANGE BETWEEN '1 minute' PRECEDING AND CURRENT ROW) AS n FROM a",
  ],
  [
    view(
      "tumbling",
      a.tumble({ at: "at", size: "1 minute" }).groupBy(["window_start", "window_end"], { n: count() }),
    ),
    `SELECT date_bin('1 minute', at, '1970-01-01Z') AS window_start, date_bin('1 minute', at, '1970-01-01Z') + interval '1 minute' AS window_end,
       count(*) AS n FROM a GROUP BY 1, 2`,
  ],
  [
    view("hopping", a.hop({ at: "at", size: "2 minutes", every: "45 seconds" })),
    `SELECT a.*, w AS window_start, w + interval '2 minutes' AS window_end FROM a,
       generate_series(date_bin('45 seconds', at - interval '2 minutes', '1970-01-01Z') + interval '45 seconds',
                       date_bin('45 seconds', at, '1970-01-01Z'), interval '45 seconds') AS w`,
  ],
  [
    view(
      "sessions",
      a.session({ at: "at", gap: "30 seconds", partitionBy: "k" }).select("id", "window_start", "window_end"),
    ),
    `SELECT id, min(at) OVER s AS window_start, max(at) OVER s + interval '30 seconds' AS window_end FROM (
       SELECT *, sum(begins) OVER (PARTITION BY k ORDER BY at) AS session FROM (
         SELECT *, CASE WHEN at <= lag(at) OVER (PARTITION BY k ORDER BY at) + interval '30 seconds' THEN 0 ELSE 1 END AS begins
         FROM a WHERE at IS NOT NULL) AS x) AS y
     WINDOW s AS (PARTITION BY k, session)`,
  ],
  [
    view(
      "reached",
      b
        .filter((row) => row.id <= 1)
        .map((row) => ({ id: row.id, depth: 0 }))
        .iterate((found) =>
          found
            .join(
              a,
              (f) => f.id,
              (row) => row.k,
              (f, row) => ({ id: row.v, depth: f.depth + 1 }),
              { depth: int4 },
            )
            .filter((row) => row.depth < 5),
        ),
    ),
    `WITH RECURSIVE found AS (
       SELECT id, 0 AS depth FROM b WHERE id <= 1 UNION SELECT a.v, depth + 1 FROM found JOIN a ON a.k = found.id WHERE depth + 1 < 5)
     SELECT * FROM found`,
  ],
  [
    view(
      "reached_plainly",
      b.select("id").iterate((found) => found.join(a, "id", "k", (_, row) => ({ id: row.v }))),
    ),
    "WITH RECURSIVE found AS (SELECT id FROM b UNION SELECT a.v FROM found JOIN a ON a.k = found.id) SELECT * FROM found",
  ],
  [
    view(
      "counted_down",
      a.select("v").iterate(
        (found) =>
          found.flatMap(
            function* (row) {
              if (row.v > 0) yield { v: row.v - 1 };
            },
            { v: int4 },
          ),
        { all: true },
      ),
    ),
    "WITH RECURSIVE found AS (SELECT v FROM a UNION ALL SELECT v - 1 FROM found WHERE v > 0) SELECT * FROM found",
  ],
];

const small = fc.integer({ min: 0, max: 4 });
const at = fc
  .integer({ min: 0, max: 20 })
  .map((n) => new Date(Date.UTC(2024, 4, 6) + n * 13_000).toISOString());
const change = fc.oneof(
  fc.record({
    topic: fc.constant("a"),
    row: fc.record({ id: small, k: fc.option(small), at: fc.option(at), v: small }),
  }),
  fc.record({
    topic: fc.constant("b"),
    row: fc.record({ id: small, k: fc.option(small), name: fc.constantFrom("x", "y") }),
  }),
  fc.record({ topic: fc.constantFrom("a", "b"), gone: small }),
);

async function commit(db: Db, changes: readonly unknown[]): Promise<void> {
  for (const c of changes as readonly { topic: string; row?: unknown; gone?: number }[]) {
    if (c.row !== undefined) await db.engine.append(c.topic, [c.row]);
    else await db.engine.deleteKey(c.topic, c.gone!);
  }
  await db.settled();
}

async function textOf(db: Db, name: string): Promise<string[]> {
  const { results, error } = await db.engine.sql(`SELECT * FROM ${name}`);
  if (error !== undefined) throw new Error(`${name}: ${error.message}`);
  return results[0]!
    .rowsText()
    .map((row) => JSON.stringify(row))
    .sort();
}

interface Opened {
  readonly disk: SimulatedDisk;
  readonly views: readonly View<unknown>[];
}

function opened({ disk, views }: Opened): Promise<Db> {
  return open({ dir: "data", disk, topics: [a, b], views, checkpointIntervalMs: 0 });
}

async function createSql(db: Db): Promise<void> {
  for (const [{ name }, sql] of pairs) {
    const { error } = await db.engine.sql(`CREATE MATERIALIZED VIEW sql_${name} AS ${sql}`);
    if (error !== undefined) throw new Error(`${name}: ${error.message}`);
  }
}

async function compare(db: Db): Promise<void> {
  for (const [{ name }] of pairs)
    expect([name, ...(await textOf(db, name))]).toEqual([name, ...(await textOf(db, `sql_${name}`))]);
}

const histories = fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 8 });
const views = pairs.map(([chain]) => chain);

test("equal the SQL that says the same, after every commit and a restart", async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const disk = new SimulatedDisk();
      let db = await opened({ disk, views });
      try {
        await createSql(db);
        for (const changes of history) {
          await commit(db, changes);
          await compare(db);
        }
        await db.close();
        db = await opened({ disk, views });
        await compare(db);
      } finally {
        await db.close();
      }
    }),
    { numRuns: runs },
  );
});

test("equal it when they are built late", async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const disk = new SimulatedDisk();
      let db = await opened({ disk, views: [] });
      try {
        await createSql(db);
        for (const changes of history) await commit(db, changes);
        await db.close();
        db = await opened({ disk, views });
        await compare(db);
      } finally {
        await db.close();
      }
    }),
    { numRuns: runs },
  );
});
