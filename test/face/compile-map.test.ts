/** Chains that make other rows of rows: map and flatMap, read where they can be and called where not. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Chain } from "../../src/face/index.ts";
import { int4, text } from "../../src/face/index.ts";
import { refusal } from "../support/refusal.ts";
import { orders, plan, plays, songs } from "./compiled.ts";

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
