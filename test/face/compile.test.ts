/** Chains to plans: the example of the documentation, what orders and unites, what they stand on. */
import { describe, expect, it } from "vitest";
import { toQuery } from "../../src/face/compile.ts";
import type { Chain } from "../../src/face/index.ts";
import { count, desc, int8, sql, view } from "../../src/face/index.ts";
import { explainQuery } from "../../src/plan/explain.ts";
import { refusal } from "../support/refusal.ts";
import { catalogOf, queryOf } from "./catalog.ts";
import { handles, orders, plan, plays, songs } from "./compiled.ts";

describe("the example of the documentation", () => {
  const playCounts = view(
    "play_counts",
    plays
      .filter((p) => p.duration >= 30_000)
      .join(
        songs,
        (p) => p.song_id,
        (_, song) => song,
      )
      .groupBy((s) => s.id, { plays: count() }),
  );

  it("reads columns, and calls only the filter", () => {
    const query = toQuery(playCounts, catalogOf(handles));
    expect(query.plan.key).toEqual([0]);
    expect(query.plan.schema.fields).toEqual([
      { name: "id", type: int8.type, nullable: false },
      { name: "plays", type: int8.type, nullable: false },
    ]);
    expect(`\n${explainQuery(query).join("\n")}\n`).toMatchInlineSnapshot(`
      "
      Group by id: count(*)
        ->  Project: id, artist, name, genre
              ->  Inner join on song_id = id
                    ->  Filter: [(p) => p.duration >= 3e4]
                          ->  Source stream plays
                    ->  Source table songs
      "
    `);
  });

  it("hands the filter a row with the one property it looks at", () => {
    const { plan: filter } = queryOf(plays.filter((p) => p.duration >= 30_000) as Chain<never>, handles);
    expect(filter).toMatchObject({
      kind: "filter",
      predicate: {
        kind: "js",
        type: { name: "bool" },
        fn: { rows: [{ fields: [{ name: "duration", column: 1 }] }] },
      },
    });
  });
});

describe("topK, union, distinct, orderBy", () => {
  it("ranks, and gives the view the same order", () => {
    expect(plan(songs.topK({ orderBy: ["-genre", "id"], limit: 5 }))).toMatchInlineSnapshot(`
      "
      Order by genre desc, id
      Top 5 by genre desc, id
        ->  Source table songs
      (id int8, artist text, name text, genre text)
      "
    `);
    expect(
      plan(songs.topK({ partitionBy: (s) => s.genre, orderBy: "id", limit: 2, offset: 1 })),
    ).toMatchInlineSnapshot(`
      "
      Order by genre, id
      Top 2 from 2 per genre by id
        ->  Source table songs
      (id int8, artist text, name text, genre text)
      "
    `);
  });

  it("ranks by functions of the row, which are no columns of the result", () => {
    const top = songs.topK({
      partitionBy: (s) => s.genre.toLowerCase(),
      orderBy: desc((s) => s.name.length),
      limit: 5,
    });
    expect(plan(top)).toMatchInlineSnapshot(`
      "
      Order by ?column1?, ?column2? desc
      Top 5 per ?column1? by ?column2? desc
        ->  Project: id, artist, name, genre, [(s) => s.genre.toLowerCase()] as ?column1?, [(s) => s.name.length] as ?column2?
              ->  Source table songs
      (id int8, artist text, name text, genre text)
      "
    `);
    expect(plan(top.filter((s) => s.id > 3))).toMatchInlineSnapshot(`
      "
      Filter: [(s) => s.id > 3]
        ->  Project: id, artist, name, genre
              ->  Top 5 per ?column1? by ?column2? desc
                    ->  Project: id, artist, name, genre, [(s) => s.genre.toLowerCase()] as ?column1?, [(s) => s.name.length] as ?column2?
                          ->  Source table songs
      (id int8, artist text, name text, genre text)
      "
    `);
  });

  it("orders what is shown", () => {
    expect(plan(songs.orderBy("-name", (s) => s.genre.toLowerCase()))).toMatchInlineSnapshot(`
      "
      Order by name desc, ?column1?
      Project: id, artist, name, genre, [(s) => s.genre.toLowerCase()] as ?column1?
        ->  Source table songs
      (id int8, artist text, name text, genre text)
      "
    `);
  });

  it("matches the columns of a union by name and makes their types one", () => {
    const a = orders.map((o) => ({ id: o.quantity, region: o.region }));
    const b = orders.map((o) => ({ region: o.region, id: o.id }));
    expect(plan(a.union(b).distinct())).toMatchInlineSnapshot(`
      "
      Distinct
        ->  Union all
              ->  Project: id::int8 as id, region
                    ->  Project: quantity as id, region
                          ->  Source stream orders
              ->  Project: id, region
                    ->  Project: region, id
                          ->  Source stream orders
      (id int8, region text)
      "
    `);
  });

  it("refuses unequal unions and counts that are none", () => {
    const loose = orders as unknown as Chain<{ song_id: number; duration: number }>;
    expect(refusal(() => plan(plays.union(loose))).code).toBe("datatype_mismatch");
    const a = orders.map((o) => ({ id: o.id }));
    const b = orders.map((o) => ({ id: o.region })) as unknown as typeof a;
    expect(refusal(() => plan(a.union(b))).message).toContain('disagree on the type of column "id"');
    expect(refusal(() => plan(songs.topK({ orderBy: "id", limit: -1 }))).code).toBe("invalid_row_count");
    expect(refusal(() => plan(songs.topK({ orderBy: "id", limit: 1.5 }))).code).toBe("invalid_row_count");
  });
});

describe("relations", () => {
  it("stands on a SQL view, whose columns only the catalog knows", () => {
    const charts = view("charts", sql<{ id: number; plays: number }>`SELECT 1`);
    const top = view(
      "top",
      charts.filter((c) => c.plays > 3).map((c) => ({ id: c.id })),
    );
    const schema = {
      fields: [
        { name: "id", type: { name: "int8" as const }, nullable: false },
        { name: "plays", type: { name: "int8" as const }, nullable: false },
      ],
    };
    const catalog = catalogOf([charts], { charts: schema });
    expect(toQuery(top, catalog).plan.schema.fields).toEqual([
      { name: "id", type: { name: "int8" }, nullable: false },
    ]);
  });

  it("names a relation that was not passed to open()", () => {
    const error = refusal(() => toQuery(view("v", songs), catalogOf([plays])));
    expect(error.code).toBe("undefined_table");
    expect(error.message).toBe('view "v": relation "songs" does not exist');
    expect(error.hint).toBe("Pass it to open() too. There are plays.");
  });
});
