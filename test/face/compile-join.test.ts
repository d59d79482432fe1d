/** Joins of chains: their keys, their columns, the side that is missing. */
import { describe, expect, it } from "vitest";
import { refusal } from "../support/refusal.ts";
import { queryOf } from "./catalog.ts";
import { handles, orders, plan, plays, rates, songs } from "./compiled.ts";

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
