import { describe, expect, it } from "vitest";
import { z } from "zod";
import { EvertError } from "../../src/base/errors.ts";
import { toQuery } from "../../src/face/compile.ts";
import type { Chain, Ordered } from "../../src/face/index.ts";
import {
  avg,
  count,
  countDistinct,
  desc,
  float8,
  int4,
  int8,
  jsonb,
  list,
  max,
  min,
  mode,
  nullable,
  numeric,
  percentile,
  reduce,
  some,
  sql,
  stddev,
  sum,
  table,
  text,
  topic,
  view,
} from "../../src/face/index.ts";
import { explainQuery } from "../../src/plan/explain.ts";
import { catalogOf, explained, queryOf } from "./catalog.ts";

const songs = table("songs", {
  key: "id",
  schema: z.object({ id: z.int(), artist: z.string(), name: z.string(), genre: z.string() }),
});
const plays = topic("plays", { schema: z.object({ song_id: z.int(), duration: z.int() }) });
const orders = topic("orders", {
  schema: {
    id: int8,
    region: text,
    amount: float8,
    quantity: int4,
    price: numeric(10, 2),
    note: nullable(text),
    extra: jsonb<{ total: number }>(),
  },
});
const rates = table("rates", { key: ["region", "year"], schema: { region: text, year: int4, rate: float8 } });
const handles = [songs, plays, orders, rates];

const plan = (chain: unknown) => explained(chain as Chain<never> | Ordered<never>, handles);

function refusal(make: () => unknown): EvertError {
  try {
    make();
  } catch (error) {
    if (error instanceof EvertError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

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

describe("map", () => {
  it("reads an object literal of columns and constants", () => {
    expect(
      plan(orders.map((o) => ({ id: o.id, where: o.region, kind: "order", one: 1, none: null }))),
    ).toMatchInlineSnapshot(`
      "
      Project: id, region as where, 'order' as kind, 1 as one, null as none
        ->  Source stream orders
      (id int8, where text, kind text, one int4, none jsonb?)
      "
    `);
  });

  it("spreads, renames and takes the rest", () => {
    expect(plan(plays.map((p) => ({ ...p, at: p.duration })))).toMatchInlineSnapshot(`
      "
      Project: song_id, duration, duration as at
        ->  Source stream plays
      (song_id int8, duration int8, at int8)
      "
    `);
    expect(plan(plays.map(({ song_id, duration }) => ({ duration, id: song_id })))).toMatchInlineSnapshot(`
      "
      Project: duration, song_id as id
        ->  Source stream plays
      (duration int8, id int8)
      "
    `);
    expect(plan(songs.map(({ genre, ...rest }) => rest))).toMatchInlineSnapshot(`
      "
      Project: id, artist, name
        ->  Source table songs
      (id int8, artist text, name text)
      "
    `);
  });

  it("calls anything else, with types the text gives", () => {
    expect(
      plan(
        orders.map((o) => ({
          id: o.id,
          total: o.amount * o.quantity,
          label: `${o.region}!`,
          lower: o.region.toLowerCase(),
          big: o.amount > 100,
          first: o.note?.[0],
          note: o.note ?? "none",
          size: o.quantity > 10 ? "large" : "small",
        })),
      ),
    ).toMatchInlineSnapshot(`
      "
      Map: (o) => ({ id: o.id, total: o.amount * o.quantity, label: ...
        ->  Source stream orders
      (id int8, total float8, label text, lower text, big bool, first jsonb?, note text, size text)
      "
    `);
  });

  it("takes types from a declaration, and the columns where the text does not show them", () => {
    const of = (o: { region: string }) => ({ region: o.region, parts: o.region.split("/").length });
    expect(
      plan(orders.map((o) => ({ region: o.region, parts: o.region.split("/").length }), { parts: int4 })),
    ).toMatchInlineSnapshot(`
      "
      Map: (o) => ({ region: o.region, parts: o.region.split("/").le...
        ->  Source stream orders
      (region text, parts int4)
      "
    `);
    expect(plan(orders.map((o) => of(o), { region: text, parts: int4 }))).toMatchInlineSnapshot(`
      "
      Map: (o) => of(o)
        ->  Source stream orders
      (region text, parts int4)
      "
    `);
    expect(
      plan(orders.map((o) => of(o), z.object({ region: z.string(), parts: z.int32() }))),
    ).toMatchInlineSnapshot(`
      "
      Map: (o) => of(o)
        ->  Source stream orders
      (region text, parts int4)
      "
    `);
  });

  it("refuses columns it cannot know, and says how to declare them", () => {
    const of = (o: { region: string }) => ({ region: o.region });
    const error = refusal(() => plan(orders.map((o) => of(o))));
    expect(error.code).toBe("invalid_table_definition");
    expect(error.message).toBe('view "v": the columns of a function\'s result are not known');
    expect(error.detail).toContain("of(o)");
    expect(error.hint).toContain("declare the columns");
  });

  it("refuses a property that is no column, and a declared one the function does not make", () => {
    const o = orders as unknown as Chain<{ nope: string }>;
    expect(refusal(() => plan(o.map((row) => ({ a: row.nope })))).message).toBe(
      'view "v": the row has no column "nope"',
    );
    const loose = (chain: Chain<{ id: number }>) =>
      chain.map((row) => ({ id: row.id }), { other: text } as never);
    expect(refusal(() => plan(loose(orders))).message).toBe(
      'view "v": column "other" is declared, but the function does not make it',
    );
  });

  it("refuses async functions", () => {
    const error = refusal(() => plan(orders.map(async (o) => ({ id: o.id }))));
    expect(error.message).toBe('view "v": an async function cannot be part of a view');
  });
});

describe("flatMap", () => {
  it("reads the elements of an array, of map and of a generator", () => {
    expect(plan(plays.flatMap((p) => [{ id: p.song_id }, { id: p.duration }]))).toMatchInlineSnapshot(`
      "
      FlatMap: (p) => [{ id: p.song_id }, { id: p.duration }]
        ->  Source stream plays
      (id int8)
      "
    `);
    expect(
      plan(orders.flatMap((o) => o.region.split("/").map((part) => ({ id: o.id, part: part.trim() })))),
    ).toMatchInlineSnapshot(`
      "
      FlatMap: (o) => o.region.split("/").map((part) => ({ id: o.id, par...
        ->  Source stream orders
      (id int8, part text)
      "
    `);
    expect(
      plan(
        orders.flatMap(function* (o) {
          for (let i = 0; i < o.quantity; i++) yield { id: o.id, i };
        }),
      ),
    ).toMatchInlineSnapshot(`
      "
      FlatMap: function* (o) { for (let i = 0; i < o.quantity; i++) yiel...
        ->  Source stream orders
      (id int8, i jsonb?)
      "
    `);
    expect(plan(orders.flatMap((o) => (o.note === null ? [] : [{ note: o.note }])))).toMatchInlineSnapshot(`
      "
      FlatMap: (o) => o.note === null ? [] : [{ note: o.note }]
        ->  Source stream orders
      (note text?)
      "
    `);
  });
});

describe("groupBy", () => {
  it("names its key after the property, the literal, or `key`", () => {
    const columns = (chain: Chain<never>) =>
      queryOf(chain, handles).plan.schema.fields.map((f) => `${f.name} ${f.type.name}`);
    const n = { n: count() };
    expect(columns(songs.groupBy((s) => s.genre, n) as never)).toEqual(["genre text", "n int8"]);
    expect(columns(songs.groupBy(({ genre }) => genre, n) as never)).toEqual(["genre text", "n int8"]);
    expect(columns(songs.groupBy("genre", n) as never)).toEqual(["genre text", "n int8"]);
    expect(columns(songs.groupBy(["genre", "artist"], n) as never)).toEqual([
      "genre text",
      "artist text",
      "n int8",
    ]);
    expect(columns(songs.groupBy((s) => ({ g: s.genre, a: s.artist }), n) as never)).toEqual([
      "g text",
      "a text",
      "n int8",
    ]);
    expect(columns(songs.select("id", "name").groupBy((s) => s, n) as never)).toEqual([
      "id int8",
      "name text",
      "n int8",
    ]);
    expect(columns(songs.groupBy((s) => s.genre.toLowerCase(), n) as never)).toEqual(["key text", "n int8"]);
    expect(columns(songs.groupBy((s) => ({ g: s.genre.toLowerCase() }), n) as never)).toEqual([
      "g text",
      "n int8",
    ]);
    expect(columns(songs.groupBy((s) => [s.genre], n) as never)).toEqual(["key jsonb", "n int8"]);
    expect(columns(songs.groupBy((s) => s.genre.split("-")[0], n) as never)).toEqual(["key jsonb", "n int8"]);
    expect(columns(songs.groupBy((s) => s.genre.split("-")[0], n, { key: text } as never) as never)).toEqual([
      "key text",
      "n int8",
    ]);
    expect(columns(orders.groupBy((o) => o.note ?? o.region, n) as never)).toEqual(["key text", "n int8"]);
    expect(columns(orders.groupBy((o) => o.note ?? null, n) as never)).toEqual(["note text", "n int8"]);
  });

  it("computes one property of a key at a time", () => {
    const { plan: group } = queryOf(
      songs.groupBy((s) => ({ id: s.id, g: s.genre.toLowerCase() }), {}) as never,
      handles,
    );
    if (group.kind !== "group") throw new Error("no group");
    expect(group.keys[0]).toMatchObject({ kind: "column", index: 0 });
    const computed = group.keys[1]!;
    if (computed.kind !== "js") throw new Error("not computed");
    expect(computed.fn.call({ id: 1, genre: "Punk" })).toBe("punk");
  });

  it("stops a key whose columns could not be read", () => {
    const keyOf = (s: { genre: string }) => ({ a: s.genre });
    const { plan: group } = queryOf(songs.groupBy((s) => keyOf(s), {}) as never, handles);
    if (group.kind !== "group" || group.keys[0]!.kind !== "js")
      throw new Error("no group with a computed key");
    const { call } = group.keys[0].fn;
    expect(refusal(() => call({ genre: "punk" })).code).toBe("function_failed");
  });

  it("types its aggregates", () => {
    expect(
      plan(
        orders.groupBy((o) => o.region, {
          n: count(),
          notes: count((o) => o.note),
          large: count({ where: (o) => o.amount > 100 }),
          amount: sum("amount"),
          quantity: sum((o) => o.quantity),
          price: sum("price"),
          total: sum((o) => o.extra.total),
          product: sum((o) => o.amount * o.quantity),
          mean: avg("quantity"),
          first: min("region"),
          last: max((o) => o.note),
        }),
      ),
    ).toMatchInlineSnapshot(`
      "
      Group by region: count(*), count(note), count(*) filter ([(o) => o.amount > 100]), sum(amount), sum(quantity), sum(price), sum([(o) => o.extra.total]), sum([(o) => o.amount * o.quantity]), avg(quantity), min(region), max(note)
        ->  Source stream orders
      (region text, n int8, notes int8, large int8, amount float8, quantity int8, price numeric, total float8?, product float8?, mean float8, first text, last text?)
      "
    `);
  });

  it("has lists, modes, percentiles and different values", () => {
    expect(
      plan(
        orders.groupBy((o) => o.region, {
          notes: list("note", { orderBy: "-amount", where: (o) => o.amount > 1 }),
          regions: list((o) => o.region, { distinct: true }),
          different: countDistinct("note"),
          usual: mode("note"),
          median: percentile("quantity", 0.5),
          spread: stddev((o) => o.price),
          cheap: some((o) => o.amount < 1),
        }),
      ),
    ).toMatchInlineSnapshot(`
      "
      Group by region: jsonb_agg(note order by amount desc) filter ([(o) => o.amount > 1]), jsonb_agg(distinct region), count(distinct note), mode(note order by note), percentile_cont(quantity::float8, 0.5 order by quantity::float8), stddev_samp(price::float8), bool_or([(o) => o.amount < 1])
        ->  Source stream orders
      (region text, notes jsonb?, regions jsonb?, different int8, usual text?, median float8?, spread float8?, cheap bool?)
      "
    `);
    expect(() => plan(orders.reduce({ spread: stddev("note") }))).toThrow('stddev of "spread" needs numbers');
    expect(() => plan(orders.reduce({ p: percentile("amount", 50) }))).toThrow("is not between 0 and 1");
    expect(() => plan(orders.reduce({ l: list("note", { distinct: true, orderBy: "note" }) }))).toThrow(
      "which have their own order",
    );
  });

  it("calls a reducer with the accumulator and the row", () => {
    const { plan: group } = queryOf(
      orders.groupBy((o) => o.region, {
        list: reduce({
          initial: 0,
          add: (total, o) => total + o.quantity,
          remove: (total, o) => total - o.quantity,
          type: int8,
        }),
      }) as never,
      handles,
    );
    if (group.kind !== "group") throw new Error("no group");
    const reducer = group.aggregates[0]!.reducer!;
    expect(reducer.add.rows).toEqual([{ fields: [{ name: "quantity", column: 3 }], presentColumn: null }]);
    expect(reducer.add.call(1, { quantity: 2 })).toBe(3);
    expect(reducer.remove.call(3, { quantity: 2 })).toBe(1);
    expect(group.schema.fields[1]).toMatchObject({ name: "list", type: { name: "int8" } });
  });

  it("refuses what has no sum, no order, or two columns of one name", () => {
    const loose = orders as unknown as Chain<{ region: number; extra: number }>;
    expect(refusal(() => plan(loose.groupBy("region", { s: sum("region") }))).message).toBe(
      'view "v": sum of "s" needs numbers',
    );
    expect(refusal(() => plan(loose.groupBy("region", { s: min("extra") }))).code).toBe("datatype_mismatch");
    expect(refusal(() => plan(orders.groupBy("region", { region: count() }))).code).toBe("duplicate_column");
  });

  it("reduces everything to one row", () => {
    expect(plan(orders.reduce({ n: count(), total: sum("amount") }))).toMatchInlineSnapshot(`
      "
      Aggregate: count(*), sum(amount)
        ->  Source stream orders
      (n int8, total float8?)
      "
    `);
  });
});

describe("joins", () => {
  it("joins on the other side's key and takes its columns after the left's", () => {
    expect(plan(plays.join(songs, "song_id"))).toMatchInlineSnapshot(`
      "
      Project: song_id, duration, id, artist, name, genre
        ->  Inner join on song_id = id
              ->  Source stream plays
              ->  Source table songs
      (song_id int8, duration int8, id int8, artist text, name text, genre text)
      "
    `);
  });

  it("takes the left's column where both sides have one of that name", () => {
    expect(
      plan(orders.select("id", "region").join(orders.select("id", "amount"), "id", "id")),
    ).toMatchInlineSnapshot(`
      "
      Project: id#1 as id, region, amount
        ->  Inner join on id = id
              ->  Project: id, region
                    ->  Source stream orders
              ->  Project: id, amount
                    ->  Source stream orders
      (id int8, region text, amount float8)
      "
    `);
  });

  it("joins on several columns, by place or by name", () => {
    const byPlace = orders.join(
      rates,
      (o) => [o.region, o.quantity],
      (o, r) => ({ id: o.id, rate: r.rate }),
    );
    expect(plan(byPlace)).toMatchInlineSnapshot(`
      "
      Project: id, rate
        ->  Inner join on region = region and quantity = year
              ->  Source stream orders
              ->  Source table rates
      (id int8, rate float8)
      "
    `);
    const byName = orders.join(
      rates,
      (o) => ({ year: o.quantity, region: o.region }),
      (o, r) => ({ id: o.id, rate: r.rate }),
    );
    expect(plan(byName)).toBe(plan(byPlace));
  });

  it("computes a key, of the other side's type", () => {
    expect(
      plan(
        orders.join(
          songs,
          (o) => Number.parseInt(o.region.slice(2), 10),
          (o, s) => ({ id: o.id, name: s.name }),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      Project: id#1 as id, name
        ->  Inner join on ?column1? = id
              ->  Project: id, region, amount, quantity, price, note, extra, [(o) => Number.parseInt(o.region.slice(2), 10)] as ?column1?
                    ->  Source stream orders
              ->  Source table songs
      (id int8, name text)
      "
    `);
  });

  it("makes the missing side null", () => {
    expect(
      plan(
        plays.leftJoin(
          songs,
          (p) => p.song_id,
          (p, song) => ({ duration: p.duration, name: song?.name }),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      Project: duration, name
        ->  Left join on song_id = id
              ->  Source stream plays
              ->  Source table songs
      (duration int8, name text?)
      "
    `);
    const { plan: map } = queryOf(
      plays.leftJoin(
        songs,
        (p) => p.song_id,
        (p, song) => ({ duration: p.duration, name: song === null ? "unknown" : song.name }),
      ) as never,
      handles,
    );
    expect(map).toMatchObject({
      kind: "mapFunction",
      fn: { rows: [{ presentColumn: null }, { presentColumn: 2 }] },
    });
  });

  it("does not read through a null row: what throws in JavaScript is called and throws", () => {
    const chain = plays.leftJoin(
      songs,
      (p) => p.song_id,
      (p, song) => ({ duration: p.duration, name: song!.name }),
    );
    expect(queryOf(chain as never, handles).plan.kind).toBe("mapFunction");
    const spread = songs.leftJoin(
      songs,
      (s) => s.id,
      (a, b) => ({ ...a, ...b }),
    );
    expect(queryOf(spread as never, handles).plan.kind).toBe("mapFunction");
  });

  it("meets the table as of the record", () => {
    expect(
      plan(
        plays.asOfJoin(
          songs,
          (p) => p.song_id,
          (p, song) => ({ duration: p.duration, name: song.name }),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "
      Project: duration, name
        ->  Inner as-of join on song_id = id
              ->  Source stream plays
              ->  Source table songs
      (duration int8, name text)
      "
    `);
    expect(plan(plays.leftAsOfJoin(songs, "song_id"))).toMatchInlineSnapshot(`
      "
      Project: song_id, duration, id, artist, name, genre
        ->  Left as-of join on song_id = id
              ->  Source stream plays
              ->  Source table songs
      (song_id int8, duration int8, id int8?, artist text?, name text?, genre text?)
      "
    `);
  });

  it("refuses keys that cannot be equal, and sides without a key", () => {
    expect(refusal(() => plan(orders.join(songs, (o) => o.region))).code).toBe("datatype_mismatch");
    expect(refusal(() => plan(orders.join(plays, (o) => o.id))).message).toContain("no key to join on");
    expect(refusal(() => plan(orders.join(rates, (o) => o.region))).message).toContain(
      "1 parts on the left and 2 on the right",
    );
    expect(refusal(() => plan(songs.asOfJoin(songs, (s) => s.id))).message).toContain(
      "left side of an as-of join",
    );
    expect(refusal(() => plan(plays.asOfJoin(songs.groupBy("id", {}), "song_id"))).message).toContain(
      "not a table",
    );
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
