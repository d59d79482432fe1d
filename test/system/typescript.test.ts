/** The TypeScript of the interface page, line by line: in process, and from a client of a server that runs the same app. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { comparePositions, count, type Db, EvertError, open, sql, topic, view } from "evert";
import { connect } from "evert/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { removeChecked } from "../support/left-behind.ts";
import { charts, playCounts, plays, songs } from "./app.ts";
import { TestServer } from "./server.ts";

const song = (id: number) => ({ id, artist: `a${id}`, name: `n${id}`, genre: "punk" });

describe("open()", () => {
  let dir: string;
  let db: Db;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "evert-typescript-"));
    db = await open({ dir, topics: [songs, plays], views: [playCounts, charts] });
  });
  afterEach(async () => {
    await db.close();
    await removeChecked(dir);
  });

  it("append gives a position, and a read with atLeast has what was written", async () => {
    await db.append(songs, [song(1), song(2), song(3)]);
    const { position } = await db.append(plays, { song_id: 3, duration: 60_000 });
    expectTypeOf(position).toEqualTypeOf<string>();
    const row = await db.view(playCounts).get(3, { atLeast: position });
    expectTypeOf(row).toEqualTypeOf<{ id: number; plays: number } | undefined>();
    expect(row).toEqual({ id: 3, plays: 1 });
    expect(await db.view(playCounts).get(2)).toBeUndefined();
  });

  it("subscribe gives the view, then one item per step", async () => {
    await db.append(songs, [song(1), song(2)]);
    const stop = new AbortController();
    const items: unknown[] = [];
    for await (const { position, changes } of db.view(charts).subscribe({ signal: stop.signal })) {
      expectTypeOf(position).toEqualTypeOf<string>();
      items.push(changes.map(({ op, key }) => [op, key]));
      if (items.length === 1)
        await db.append(
          plays,
          [1, 1, 2].map((song_id) => ({ song_id, duration: 30_000 })),
        );
      if (items.length === 2) await db.append(songs, { ...song(1), name: "renamed" });
      if (items.length === 3) stop.abort();
    }
    expect(items[0]).toEqual([]);
    expect(items[1]).toEqual(
      expect.arrayContaining([
        ["insert", 1],
        ["insert", 2],
      ]),
    );
    expect(items[2]).toEqual([["update", 1]]);
  });

  it("rows come in the view's order; where, order and limit", async () => {
    await db.append(songs, [song(1), song(2)]);
    const { position: atLeast } = await db.append(
      plays,
      [2, 2, 1].map((song_id) => ({ song_id, duration: 30_000 })),
    );
    const rows = await db.view(charts).rows({ atLeast });
    expectTypeOf(rows).toEqualTypeOf<{ id: number; name: string; plays: number }[]>();
    expect(rows).toEqual([
      { id: 2, name: "n2", plays: 2 },
      { id: 1, name: "n1", plays: 1 },
    ]);
    expect(await db.view(charts).rows({ order: ["id"], limit: 1 })).toEqual([rows[1]]);
    expect(await db.view(charts).rows({ where: { plays: 2 } })).toEqual([rows[0]]);
  });

  it("transact: all or nothing, at one position", async () => {
    const { position } = await db.transact([
      { topic: songs, append: [song(1)] },
      { topic: plays, append: [{ song_id: 1, duration: 40_000 }] },
    ]);
    expect(await db.view(playCounts).get(1, { atLeast: position })).toEqual({ id: 1, plays: 1 });
    const refused = db.transact([
      { topic: songs, delete: [1] },
      { topic: plays, append: [{ song_id: "x", duration: 1 }] },
    ]);
    await expect(refused).rejects.toThrow(/^operations\[1\]\.append\[0\]\.song_id: /);
    expect(await db.view(playCounts).get(1)).toEqual({ id: 1, plays: 1 });
  });

  it("what a schema refuses is an EvertError that names path and reason", async () => {
    const refused = await db
      .append(plays, [
        { song_id: 1, duration: 1 },
        { song_id: 1.5, duration: 1 },
      ])
      .catch((e: unknown) => e);
    expect(refused).toBeInstanceOf(EvertError);
    expect(refused).toMatchObject({
      code: "invalid_value",
      sqlstate: "22000",
      message: expect.stringMatching(/^records\[1\]\.song_id: /),
    });
    // @ts-expect-error a record of another topic
    await expect(db.append(plays, song(1))).rejects.toThrow(EvertError);
  });

  it("positions can be compared", async () => {
    const first = await db.append(songs, song(1));
    const second = await db.append(songs, song(2));
    expect(comparePositions(first.position, second.position)).toBeLessThan(0);
    expect(comparePositions(second.position, second.position)).toBe(0);
  });
});

it("views may be listed in any order, and name each other in SQL's text alone", async () => {
  const dir = await mkdtemp(join(tmpdir(), "evert-typescript-"));
  const events = topic("events", { schema: z.object({ n: z.int() }) });
  const third = view("third", sql<{ n: number }>`WITH a AS (SELECT n FROM second) SELECT n + 1 AS n FROM a`);
  const second = view(
    "second",
    sql<{ n: number }>`SELECT n + 1 AS n FROM first WHERE n IN (SELECT n FROM events)`,
  );
  const first = view(
    "first",
    events.groupBy((e) => e.n, { times: count() }),
  );
  const db = await open({ dir, topics: [events], views: [third, second, first] });
  const { position } = await db.append(events, { n: 1 });
  expect(await db.view(third).rows({ atLeast: position })).toEqual([{ n: 3 }]);
  await db.close();
  await removeChecked(dir);
});

describe("connect()", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(join(import.meta.dirname, "app.ts"));
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  it("a view by its name, typed by the app's, live", async () => {
    const client = connect(server.url);
    const live = client.view<typeof charts>("charts");
    const shown = new Promise<void>((resolve) => {
      live.subscribe(() => {
        if (live.snapshot.rows.length === 2) resolve();
      });
    });
    await client.append("songs", [song(1), song(2)]);
    const { position } = await client.append(
      "plays",
      [2, 2, 1].map((song_id) => ({ song_id, duration: 30_000 })),
    );
    await shown;
    const { rows, position: at, status } = live.snapshot;
    expectTypeOf(rows).toEqualTypeOf<readonly { id: number; name: string; plays: number }[]>();
    expect(rows).toEqual([
      { id: 2, name: "n2", plays: 2 },
      { id: 1, name: "n1", plays: 1 },
    ]);
    expect(status).toBe("live");
    expect(comparePositions(at!, position)).toBeGreaterThanOrEqual(0);
    expect(await client.get("charts", 1, { atLeast: position })).toEqual({ id: 1, name: "n1", plays: 1 });
    client.close();
  });
});
