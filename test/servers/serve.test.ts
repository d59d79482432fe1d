/** `evert/server`: a program serves what it has opened. A leader, its replicas and their clients live in one process here, as in a test of somebody's own. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { count, type Db, int4, open, table, text, topic, view } from "evert";
import { connect } from "evert/client";
import { type HttpServer, serve } from "evert/server";
import { SimulatedDisk } from "evert/testing";
import { afterEach, expect, test } from "vitest";
import { removeChecked } from "../support/left-behind.ts";

const songs = table("songs", { key: "id", schema: { id: int4, name: text } });
const plays = topic("plays", { schema: { song: int4 } });
const charts = view(
  "charts",
  plays
    .join(
      songs,
      (p) => p.song,
      (_, s) => s,
    )
    .groupBy("name", { plays: count() }),
);
const app = { topics: [songs, plays], views: [charts] };

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function member(follow?: string): Promise<{ db: Db; server: HttpServer }> {
  const db = await open({
    dir: "data",
    disk: new SimulatedDisk(),
    ...app,
    ...(follow === undefined ? {} : { follow }),
  });
  ending.push(() => db.close());
  const server = await serve(db, { port: 0 });
  ending.push(() => server.close());
  return { db, server };
}

test("a cluster in one process: replicas answer, and one takes the leader's place", async () => {
  const leader = await member();
  const [first, second] = [await member(leader.server.url), await member(leader.server.url)];
  await leader.db.append(songs, { id: 1, name: "One" });
  const { position } = await connect(leader.server.url).append<typeof plays>("plays", [
    { song: 1 },
    { song: 1 },
  ]);
  for (const { db, server } of [leader, first, second]) {
    // A replica that has just begun may still be making its views.
    await expect
      .poll(() =>
        db
          .view(charts)
          .get("One", { atLeast: position })
          .catch(({ code }) => code),
      )
      .toEqual({ name: "One", plays: 2 });
    const client = connect(server.url);
    expect((await client.rows<typeof charts>("charts", { atLeast: position })).rows).toEqual([
      { name: "One", plays: 2 },
    ]);
    client.close();
  }
  await expect(first.db.append(plays, { song: 1 })).rejects.toMatchObject({ code: "not_leader" });
  await expect(leader.db.promote()).rejects.toMatchObject({ code: "invalid_request" });
  expect(await first.db.promote()).toMatchObject({ epoch: 1 });
  const after = await first.db.append(plays, { song: 1 });
  expect(await first.db.view(charts).get("One", { atLeast: after.position })).toEqual({
    name: "One",
    plays: 3,
  });
  await expect(leader.db.append(plays, { song: 1 })).rejects.toMatchObject({ code: "not_leader" });
});

test("a page is served beside the database; a port that is taken is refused", async () => {
  const page = await mkdtemp(join(tmpdir(), "evert-serve-"));
  ending.push(() => removeChecked(page));
  await writeFile(join(page, "index.html"), "<p>charts</p>");
  const db = await open({ dir: "data", disk: new SimulatedDisk(), ...app });
  ending.push(() => db.close());
  const server = await serve(db, { port: 0, page });
  expect(await (await fetch(server.url)).text()).toBe("<p>charts</p>");
  expect(await (await fetch(`${server.url}/v1/health`)).json()).toMatchObject({ status: "ok" });
  await expect(serve(db, { port: server.port })).rejects.toMatchObject({ code: "connection_failed" });
  await server.close();
  await db.append(songs, { id: 1, name: "the database goes on" });
  await expect(fetch(server.url)).rejects.toThrow();
});
