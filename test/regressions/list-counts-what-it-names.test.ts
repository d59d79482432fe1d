/**
 * Where a view's plain name means another version than the first, the list of views showed the first one's figures under the plain name: two rows were said
 * of "charts", and reading "charts" gave one. The first version is "charts@1" there, in the metrics, and where it is asked for by that name.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Db, open } from "../../src/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

let db: Db;
let server: Awaited<ReturnType<typeof createHttpServer>>;

beforeEach(async () => {
  db = await open({ dir: "data", disk: new SimulatedDisk() });
  await db.sql("CREATE TABLE plays (song text, n int)");
  await db.sql("INSERT INTO plays VALUES ('a', 1), ('b', 2)");
  await db.sql("CREATE MATERIALIZED VIEW charts AS SELECT song FROM plays");
  await db.sql('CREATE MATERIALIZED VIEW "charts@2" AS SELECT song FROM plays WHERE n > 1');
  server = await createHttpServer(db.engine, { port: 0 });
});

afterEach(async () => {
  await server.close();
  await db.close();
});

interface Listed {
  readonly name: string;
  readonly rows: number;
}

const get = async (path: string): Promise<unknown> => (await fetch(server.url + path)).json();

/** Rows by name, as the list says them and as reading by that name gives them; and what the metrics say. */
async function counts(): Promise<[Record<string, number>, Record<string, number>, Record<string, number>]> {
  const { views } = (await get("/v1/views")) as { views: Listed[] };
  const read = await Promise.all(
    views.map(async ({ name }) => {
      const one = (await get(`/v1/views/${name}`)) as Listed;
      const { rows } = (await get(`/v1/views/${name}/rows`)) as { rows: object[] };
      expect(one).toMatchObject({ rows: rows.length });
      return [name, rows.length] as const;
    }),
  );
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const measured = [...metrics.matchAll(/^evert_view_rows\{view="(.*)"\} (\d+)$/gm)].map((m) => [
    m[1],
    Number(m[2]),
  ]);
  return [
    Object.fromEntries(views.map(({ name, rows }) => [name, rows])),
    Object.fromEntries(read),
    Object.fromEntries(measured),
  ];
}

it("a view in the list has the rows that its name gives", async () => {
  for (const all of await counts()) expect(all).toEqual({ charts: 2, "charts@2": 1 });
  await db.engine.versions.promote("charts", 2);
  for (const all of await counts()) expect(all).toEqual({ "charts@1": 2, "charts@2": 1 });
  expect(await get("/v1/views/charts@1")).toMatchObject({ name: "charts@1", rows: 2 });
  expect(await get("/v1/views/charts")).toMatchObject({ name: "charts@2", rows: 1 });
  await db.engine.versions.rollback("charts");
  for (const all of await counts()) expect(all).toEqual({ charts: 2, "charts@2": 1 });
});
