/** A follower reads names as the leader's log says, and goes on so when it leads. */
import { expect, it } from "vitest";
import { rowsOf, sql } from "../support/memory.ts";
import { Node } from "./support.ts";

it("a promoted version is what the plain name means on a follower too, also when it has begun later", async () => {
  const leader = await Node.start();
  await sql(
    leader.db,
    "CREATE TABLE songs (id int4 PRIMARY KEY, plays int8); CREATE MATERIALIZED VIEW charts AS SELECT sum(plays) AS plays FROM songs",
  );
  const early = await Node.start({ follow: { url: leader.url } });
  await leader.db.append("songs", [{ id: 1, plays: 3 }]);
  await leader.db.versions.build("charts", "SELECT sum(plays) AS plays, count(*) AS songs FROM songs");
  const { position } = await leader.db.versions.promote("charts", 2);
  const late = await Node.start({ follow: { url: leader.url } });
  for (const follower of [early, late]) {
    await follower.db.reached({ atLeast: position, timeoutMs: 20_000 });
    await follower.db.built();
    expect(await rowsOf(follower.db, "SELECT * FROM charts")).toEqual([["3", "1"]]);
    expect((await follower.db.view("charts@1").rows()).rows).toHaveLength(1);
    expect(follower.db.versions.list("charts").map((v) => v.isCurrent)).toEqual([false, true]);
    await expect(follower.db.versions.rollback("charts")).rejects.toMatchObject({ code: "not_leader" });
  }
  for (const node of [early, late, leader]) await node.stop();
});
