/**
 * A replica that had the beginning of a segment as frames, and took over the sealed one in their place, remembered the idempotency keys of both. Keys that had been forgotten a day later were known there once more, behind
 * newer ones, and so for longer than anywhere else; and where the segment could not be taken over, those of commits that it did not have were known, too. Led by that replica, an append under such a key was answered with
 * an earlier commit, or with one that was nowhere, and was not stored. Found by the simulation of copies, seed 7450281.
 */
import { expect, it } from "vitest";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import type { Network } from "../engine/replica/network.ts";
import { networked, started } from "../engine/replica/nodes.ts";
import { level, type Node, until } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

const HOUR_US = 3_600_000_000;

const append = ({ db }: Node, n: number, idempotencyKey: string) =>
  db.append("s", [{ n }], { idempotencyKey });

const numbers = async ({ db }: Node): Promise<number[]> => {
  const found: number[] = [];
  for await (const { valueJson } of db.readTopic("s")) found.push(JSON.parse(valueJson as string).n);
  return found;
};

interface Both {
  readonly clock: SimulatedClock;
  readonly leader: Node;
  readonly network: Network;
  readonly replica: Node;
}

/** A replica that has as frames what came under "early", and under "later" a day later. */
async function both(): Promise<Both> {
  const clock = new SimulatedClock();
  const leader = await started({ clock });
  await sql(leader.db, "CREATE TABLE s (n int4) WITH (append_only)");
  const network = await networked(leader);
  const replica = await started({ clock, follow: { url: network.url } });
  await append(leader, 1, "early");
  clock.advance(25 * HOUR_US);
  await append(leader, 2, "later");
  await level(leader.db, replica.db);
  return { clock, leader, network, replica };
}

/** The leader's segment is sealed, with one more commit. */
async function sealed({ leader, network }: Both): Promise<void> {
  network.cut();
  await append(leader, 3, "unseen");
  const { log } = leader.db.core;
  log.turnOver();
  await sql(leader.db, "CREATE TABLE filler (x int4)");
  await log.sealed();
}

it("are forgotten when they are everywhere else", async () => {
  const set = await both();
  const { clock, leader, network, replica } = set;
  await sealed(set);
  network.mend();
  await level(leader.db, replica.db);
  const known = ({ db }: Node) =>
    ["early", "later", "unseen"].map((key) => db.core.log.knownCommit(key)?.position ?? null);
  expect(known(leader)).toEqual([null, expect.any(Number), expect.any(Number)]);
  expect(known(replica)).toEqual(known(leader));
  await leader.stop();
  await replica.db.replication.promote();
  await append(replica, 4, "early");
  await append(replica, 3, "unseen");
  expect(await numbers(replica)).toEqual([1, 2, 3, 4]);
  // A day after it came, and not after what came behind it.
  clock.advance(25 * HOUR_US);
  await append(replica, 6, "much later");
  expect(known(replica)).toEqual([null, null, null]);
});

it("are not known where the segment could not be taken over", async () => {
  const set = await both();
  const { leader, network, replica } = set;
  await sealed(set);
  let failed = 0;
  const { rename } = replica.disk;
  replica.disk.rename = (from, to) => {
    if (!to.endsWith(".sealed")) return rename.call(replica.disk, from, to);
    failed++;
    return Promise.reject(Object.assign(new Error("EIO: i/o error, rename"), { code: "EIO" }));
  };
  network.mend();
  await until(() => failed > 0, "a segment that is taken over");
  await until(() => replica.db.replication.info().following?.state !== "following");
  expect(replica.db.core.log.knownCommit("unseen")).toBeNull();
  network.cut();
  await leader.stop();
  await replica.db.replication.promote();
  replica.disk.rename = rename;
  await append(replica, 3, "unseen");
  expect(await numbers(replica)).toEqual([1, 2, 3]);
});
