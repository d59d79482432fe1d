/** Lists of topics and views, and the rows of views. */
import { expect, it } from "vitest";
import { ask, error, events, listen, ndjson, ok, position } from "./walk.ts";

export function topicsAndViews(): void {
  it("GET /topics and GET /views list what there is, with figures", async () => {
    const topics = (await ok("GET /v1/topics")).body as { topics: { name: string }[] };
    expect(topics.topics.map((t) => t.name).sort()).toEqual([
      "event",
      "item",
      "large",
      "loose",
      "pair",
      "plays",
      "songs",
    ]);
    const views = (await ok("GET /v1/views")).body as { views: { name: string }[] };
    expect(views.views.map((v) => v.name).sort()).toEqual([
      "charts",
      "inverse",
      "items",
      "pairs",
      "play_counts",
      "ranked",
      "words",
    ]);
    const { operators, ...figures } = (await ok("GET /v1/views/items")).body as {
      operators: { operator: string }[];
    };
    expect(figures).toEqual(views.views.find((v) => v.name === "items"));
    expect(operators.map((o) => o.operator)).toContain("table item");
    expect(await ask("GET /v1/views/nothing")).toMatchObject({
      status: 404,
      body: error("undefined_table", "42P01"),
    });
  });

  const rowsCases: [query: string, status: number, body: unknown][] = [
    [
      "items/rows?order=id&limit=2",
      200,
      {
        rows: [
          { id: 1, name: "one", price: 1.5 },
          { id: 2, name: "two", price: null },
        ],
        position,
      },
    ],
    ["items/rows?order=-id&limit=1", 200, { rows: [{ id: 3, name: "drei", price: null }], position }],
    ["items/rows?name=two", 200, { rows: [{ id: 2, name: "two", price: null }], position }],
    ["items/rows?name=two&id=1", 200, { rows: [], position }],
    ["items/rows?id=1&atLeast=1", 200, { rows: [{ id: 1, name: "one", price: 1.5 }], position }],
    ["items/rows?limit=0", 200, { rows: [], position }],
    [
      "ranked/rows",
      200,
      {
        rows: [
          { name: "two", id: 2 },
          { name: "one", id: 1 },
          { name: "drei", id: 3 },
        ],
        position,
      },
    ],
    ["pairs/rows?b=x%2Fy", 200, { rows: [{ a: 1, b: "x/y", n: 10 }], position }],
    ["items/rows/1", 200, { row: { id: 1, name: "one", price: 1.5 }, position }],
    [`pairs/rows/${encodeURIComponent('[1,"x/y"]')}`, 200, { row: { a: 1, b: "x/y", n: 10 }, position }],
    [
      `pairs/rows/${encodeURIComponent('[1,"ü \\"z\\""]')}`,
      200,
      { row: { a: 1, b: 'ü "z"', n: 20 }, position },
    ],
    ["items/rows/9", 404, { ...error("not_found", "02000", { detail: expect.any(String) }), position }],
    ["items/rows/abc", 400, error("invalid_text_representation", "22P02")],
    [
      "pairs/rows/1",
      400,
      error("invalid_text_representation", "22P02", { hint: expect.stringContaining("2 values") }),
    ],
    [
      "items/rows?order=nothing",
      400,
      error("undefined_column", "42703", { hint: "Columns: id, name, price." }),
    ],
    [
      "items/rows?nothing=1",
      400,
      error("invalid_request", "22023", { hint: expect.stringContaining("price") }),
    ],
    ["items/rows?id=x", 400, error("invalid_text_representation", "22P02")],
    ["items/rows?limit=x", 400, error("invalid_request", "22023", { detail: expect.any(String) })],
    ["items/rows?from=1", 400, error("invalid_request", "22023", { hint: expect.stringContaining(events) })],
    [
      "items/rows?atLeast=999999&timeoutMs=20",
      504,
      error("timeout", "57014", { detail: expect.any(String), hint: expect.any(String) }),
    ],
    ["items/rows?atLeast=x", 400, error("invalid_request", "22023", { hint: expect.any(String) })],
    ["nothing/rows", 404, error("undefined_table", "42P01", { hint: expect.any(String) })],
    ["nothing/rows/1", 404, error("undefined_table", "42P01", { hint: expect.any(String) })],
  ];
  it.each(rowsCases)("GET /views/%s", async (path, status, body) => {
    const answer = await ask(`GET /v1/views/${path}`);
    expect([answer.status, answer.body]).toEqual([status, body]);
  });

  it("a view with an error in its rows answers with it, and heals", async () => {
    await ok("POST /v1/topics/item/records", { id: 0, name: "zero" });
    for (const path of ["inverse/rows", "inverse/rows/1"]) {
      expect(await ask(`GET /v1/views/${path}`)).toMatchObject({ body: error("division_by_zero", "22012") });
    }
    await ok("DELETE /v1/topics/item/records/0");
    expect((await ok("GET /v1/views/inverse/rows/2")).body).toMatchObject({ row: { share: 50 } });
  });

  it("gives a long view whole", async () => {
    const body = Array.from({ length: 30_000 }, (_, n) => `{"n":${n},"word":"long ${n}"}\n`).join("");
    await ok("POST /v1/sql", {
      sql: "CREATE TABLE many (n int4 PRIMARY KEY, word text); CREATE MATERIALIZED VIEW many_rows AS SELECT n, word FROM many",
    });
    const { body: written } = await ok("POST /v1/topics/many/records", body, { type: ndjson });
    const { position: atLeast } = written as { position: string };
    const { rows } = (await ok(`GET /v1/views/many_rows/rows?order=n&atLeast=${atLeast}`)).body as {
      rows: { n: number }[];
    };
    expect(rows.map((r) => r.n)).toEqual(Array.from({ length: 30_000 }, (_, n) => n));
    const stream = await listen("/v1/views/many_rows/rows");
    const sizes: [number, boolean][] = [];
    do {
      const { data } = (await stream.next("SnapshotEvent")) as { data: { rows: unknown[]; last: boolean } };
      sizes.push([data.rows.length, data.last]);
    } while (!sizes.at(-1)![1]);
    await stream.close();
    expect(sizes.every(([rowCount]) => rowCount <= 10_000)).toBe(true);
    expect(sizes.reduce((sum, [n]) => sum + n, 0)).toBe(30_000);
  });

  it("DELETE drops one", async () => {
    await ok("POST /v1/sql", { sql: "CREATE MATERIALIZED VIEW gone AS SELECT 1 AS one" });
    expect((await ok("DELETE /v1/views/gone")).body).toEqual({ position });
    expect((await ask("DELETE /v1/views/gone")).status).toBe(404);
    expect(await ask("DELETE /v1/views/play_counts")).toMatchObject({
      status: 409,
      body: { error: { code: "dependent_objects" } },
    });
  });
}
