/**
 * A replica that had the beginning of a stream in a file of its own took over a segment out of which the leader had let records go: queries and views made there met the earlier records and the later ones,
 * and not those between. A stream begins behind what has been given up, whatever lies before it; and that goes with the next pass, whether or not a rule still says so.
 * Found by the simulation of copies, seeds 833067 and 834080.
 */
import { expect, it } from "vitest";
import { networked, started } from "../engine/replica/nodes.ts";
import { level, type Node } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const numbers = async ({ db }: Node): Promise<number[]> =>
  ((await rowsOf(db, "SELECT n FROM old ORDER BY n")) as string[][]).map(([n]) => Number(n));

async function offsets({ db }: Node, from: number | Date): Promise<number[]> {
  const found: number[] = [];
  for await (const { offset } of db.readTopic("old", { from })) found.push(offset);
  return found;
}

async function append({ db }: Node, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await db.append("old", [{ n, text: "x".repeat(2000) }]);
}

/** A replica that has 0 to 9 in its own file, and of the leader's next segment what the leader has kept of it. */
async function both(): Promise<{ leader: Node; replica: Node }> {
  const leader = await started();
  await sql(leader.db, "CREATE TABLE old (n int4, text text) WITH (append_only, retain_bytes = '0')");
  const network = await networked(leader);
  const replica = await started({ follow: { url: network.url } });
  await append(leader, 0, 10);
  await level(leader.db, replica.db);
  const turnOver = async (): Promise<void> => {
    leader.db.core.log.turnOver();
    await sql(leader.db, "CREATE TABLE filler (x int4); DROP TABLE filler");
  };
  await turnOver();
  await level(leader.db, replica.db);
  network.cut();
  await append(leader, 10, 20);
  await turnOver();
  await append(leader, 20, 25);
  await leader.db.checkpoint();
  await leader.db.core.log.sealed();
  await leader.db.compact();
  expect(leader.db.topic("old").start).toBe(20);
  network.mend();
  await level(leader.db, replica.db);
  return { leader, replica };
}

const KEPT = [20, 21, 22, 23, 24];

it("is met by nobody", async () => {
  const { leader, replica } = await both();
  for (const node of [leader, replica]) {
    expect(node.db.topic("old").start).toBe(20);
    expect(await numbers(node)).toEqual(KEPT);
  }
  await expect(offsets(replica, 3)).rejects.toMatchObject({ code: "records_gone" });
  // From a time before all of them.
  expect(await offsets(replica, new Date(0))).toEqual(KEPT);

  await sql(leader.db, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, min(n) AS first FROM old");
  await level(leader.db, replica.db);
  for (const { db } of [leader, replica]) expect(await rowsOf(db, "SELECT * FROM v")).toEqual([["5", "20"]]);
  await replica.kill("process");
  await replica.start();
  await level(leader.db, replica.db);
  expect(await numbers(replica)).toEqual(KEPT);
  expect(await rowsOf(replica.db, "SELECT * FROM v")).toEqual([["5", "20"]]);
});

it("is filled by taking out what lies before it, though the rule has gone", async () => {
  const { leader, replica } = await both();
  await sql(leader.db, "ALTER TABLE old RESET (retain_bytes)");
  await level(leader.db, replica.db);
  await replica.db.checkpoint();
  await replica.db.core.log.sealed();
  const before = replica.db.core.log.stats().keeping.rows;
  await replica.db.compact();
  expect(replica.db.core.log.stats().keeping.rows - before).toBe(10);
  expect(await numbers(replica)).toEqual(KEPT);
  await replica.db.compact();
  expect(replica.db.core.log.stats().keeping.rows - before).toBe(10);
});
