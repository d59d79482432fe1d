/** groupBy: its keys, its aggregates, reducers. */
import { describe, expect, it } from "vitest";
import type { Chain } from "../../src/face/index.ts";
import {
  avg,
  count,
  countDistinct,
  int8,
  list,
  max,
  min,
  mode,
  percentile,
  reduce,
  some,
  stddev,
  sum,
  text,
} from "../../src/face/index.ts";
import { refusal } from "../support/refusal.ts";
import { queryOf } from "./catalog.ts";
import { handles, orders, plan, songs } from "./compiled.ts";

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
