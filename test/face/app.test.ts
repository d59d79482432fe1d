import { describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { definitionText } from "../../src/face/describe.ts";
import { count, desc, int4, sql, sum, table, text, topic, view } from "../../src/face/index.ts";
import { loadApp } from "../../src/face/load-app.ts";

const songs = table("songs", { key: "id", schema: { id: int4, name: text } });
const plays = topic("plays", { schema: { song_id: int4 } });
const counts = view("counts", plays.groupBy("song_id", { plays: count() }));
const charts = view(
  "charts",
  sql<{ name: string }>`SELECT name FROM ${counts} JOIN ${songs} ON id = song_id WHERE plays > ${3}`,
);
const top = view("top", charts.topK({ orderBy: "name", limit: 3 }));

describe("loadApp", () => {
  it("collects what is exported and what that stands on, each before its readers", () => {
    const { topics, views } = loadApp({
      top,
      settings: { port: 1 },
      helper: () => 1,
      list: [songs, songs],
      nothing: null,
    });
    expect(topics).toEqual([plays, songs]);
    expect(views).toEqual([counts, charts, top]);
  });

  it("refuses two handles of one name", () => {
    const other = topic("songs", { schema: { a: int4 } });
    expect(() => loadApp({ songs, other })).toThrow(EvertError);
    expect(() => loadApp({ songs, other })).toThrow('"songs" names both a table and another topic');
  });
});

describe("sql", () => {
  it("puts names in as quoted identifiers and values as parameters", () => {
    const odd = topic('odd "name"', { schema: { a: int4 } });
    const query = sql`SELECT * FROM ${odd} WHERE a = ${1} OR b = ${"x'; DROP TABLE songs"} OR c = ${null}`;
    expect(query.text).toBe('SELECT * FROM "odd ""name""" WHERE a = $1 OR b = $2 OR c = $3');
    expect(query.params).toEqual([1, "x'; DROP TABLE songs", null]);
    expect(query.relations).toEqual([odd]);
  });
});

describe("handles", () => {
  it("are frozen and hold what they were declared with", () => {
    expect(Object.isFrozen(songs) && Object.isFrozen(counts)).toBe(true);
    expect(songs).toMatchObject({ kind: "table", name: "songs", key: ["id"] });
    expect(songs.schema.fields).toEqual([
      { name: "id", type: { name: "int4" }, nullable: false },
      { name: "name", type: { name: "text" }, nullable: false },
    ]);
    expect(view("v", plays, { onError: "skip", version: "2" }).options).toEqual({
      onError: "skip",
      version: "2",
    });
  });

  it.each([
    [() => topic("", { schema: { a: int4 } }), "invalid_name"],
    [() => topic("é".repeat(32), { schema: { a: int4 } }), "invalid_name"],
    [() => topic("t", { schema: { "a\0": int4 } }), "invalid_name"],
    [() => topic("t", { schema: {} }), "invalid_table_definition"],
    [() => topic("t", { schema: { a: "text" as never } }), "invalid_table_definition"],
    [() => table("t", { key: [], schema: { a: int4 } }), "invalid_table_definition"],
    [() => table("t", { key: "b" as "a", schema: { a: int4 } }), "invalid_table_definition"],
    [() => table("t", { key: ["a", "a"], schema: { a: int4 } }), "invalid_table_definition"],
  ])("refuses a declaration that cannot be: %s", (make, code) => {
    expect(make).toThrow(expect.objectContaining({ code }));
  });
});

describe("definitionText", () => {
  it("writes a view as its author did", () => {
    const id = (row: { song_id: number }) => row.song_id;
    const v = view(
      "v",
      plays
        .filter((p) => p.song_id > 3)
        .leftJoin(songs, "song_id", "id")
        .groupBy(id, { n: count({ where: (p) => p.song_id > 4 }), s: sum("song_id") })
        .topK({ orderBy: ["-n", desc((r) => r.s)], limit: 2, offset: 1 }),
    );
    expect(definitionText(v)).toBe(
      'plays.filter((p) => p.song_id > 3).leftJoin(songs, "song_id", "id")' +
        '.groupBy((row) => row.song_id, { n: count({ where: (p) => p.song_id > 4 }), s: sum("song_id") })' +
        '.topK({ orderBy: ["-n", desc((r) => r.s)], limit: 2, offset: 1 })',
    );
    expect(definitionText(charts)).toBe(
      'SELECT name FROM "counts" JOIN "songs" ON id = song_id WHERE plays > $1',
    );
  });
});
