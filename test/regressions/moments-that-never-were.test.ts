/**
 * A replica that went through segments out of which its leader had taken rows showed rows that were long replaced beside newer ones: money that was moved was
 * missing on one side. The simulation found it (--copies, seed 6000494 on acf09e9).
 */
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { networked, started } from "../engine/replica/nodes.ts";
import { level, type Node, until } from "../engine/replica/support.ts";
import { Client } from "../engine/support/client.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const ACCOUNTS = 8;
const EACH = 100;

/** Moves money among the first accounts, so many times. */
async function move(
  { db }: Node,
  random: SeededRandom,
  times: number,
  held: number[],
  first: number,
): Promise<void> {
  for (let i = 0; i < times; i++) {
    const from = random.below(first);
    const to = (from + 1 + random.below(first - 1)) % first;
    held[from]!--;
    held[to]!++;
    const rows = [from, to].map((k) => ({ k, held: held[k], note: "x".repeat(400) }));
    await db.transact([{ topic: "accounts", upsert: rows }]);
  }
}

/** What a subscriber of the view is shown, moment by moment. */
function watch({ db }: Node): { seen: string[]; client: Client; ended: Promise<void> } {
  const seen: string[] = [];
  const client = new Client();
  const watching = async (): Promise<void> => {
    for await (const event of db.subscribe([{ view: "total" }])) {
      client.apply(event);
      seen.push(...(client.views.get("total")?.values() ?? []));
    }
  };
  return { seen, client, ended: watching().catch(() => {}) };
}

it.each([{ does: "goes on" }, { does: "begins again" }])(
  "a replica that $does in the midst of a compacted history shows no moment that never was",
  {
    timeout: 60_000,
  },
  async ({ does }) => {
    const random = new SeededRandom(41);
    const held = Array.from({ length: ACCOUNTS }, () => EACH);
    const leader = await started();
    await sql(
      leader.db,
      `CREATE TABLE accounts (k int4 PRIMARY KEY, held int4, note text) WITH (compact);
     CREATE MATERIALIZED VIEW total AS SELECT sum(held) AS held, count(*) AS accounts FROM accounts`,
    );
    await leader.db.transact([
      { topic: "accounts", upsert: held.map((all, k) => ({ k, held: all, note: "" })) },
    ]);
    const network = await networked(leader);
    const replica = await started({ follow: { url: network.url } });
    await level(leader.db, replica.db);

    const first = watch(replica);
    const total = `{"held":${ACCOUNTS * EACH},"accounts":${ACCOUNTS}}`;
    await until(() => first.seen.length > 0, "the first snapshot");

    network.cut();
    // The last accounts are as they come to be here; what the first ones had meanwhile is replaced segments later.
    for (let round = 0; round < 4; round++) {
      await move(leader, random, 100, held, ACCOUNTS - 2 * round);
      await leader.db.core.log.sealed();
    }
    await leader.db.core.log.sealed();
    await leader.db.checkpoint();
    await leader.db.compact();
    const before = Number(replica.db.position);
    let asked = 0;
    network.heard = (piece) => {
      if (piece.includes("/v1/backup/") && ++asked === 3) network.cut();
    };
    network.mend();
    await until(() => asked === 3, "two segments");
    await until(() => Number(replica.db.position) > before, "some of what was missed");

    expect(replica.db.readiness().ready).toBe(false);
    const late = { code: "not_ready", retryable: true };
    await expect(replica.db.view("total").rows({ timeoutMs: 1 })).rejects.toMatchObject(late);
    await expect(replica.db.sql("SELECT sum(held) FROM accounts", { timeoutMs: 1 })).rejects.toMatchObject(
      late,
    );
    // Who comes now waits.
    const second = watch(replica);
    if (does === "begins again") {
      await replica.stop();
      await replica.start();
      await expect(replica.db.view("total").rows({ timeoutMs: 1 })).rejects.toMatchObject(late);
    }
    const third = watch(replica);

    network.heard = () => {};
    network.mend();
    const waited = await replica.db.view("total").rowsJson({ timeoutMs: 30_000 });
    const rows: string[] = [];
    for await (const chunk of waited.rowsJson) rows.push(...chunk);
    await level(leader.db, replica.db);
    expect(rows).toEqual([total]);
    if (does === "goes on")
      await until(() => first.client.resets.length > 0 && second.seen.length > 0, "who was there before");
    await until(() => third.seen.length > 0, "who came in the midst of it");
    for (const { seen } of [first, second, third])
      expect(new Set([...seen, total])).toEqual(new Set([total]));
    expect(await rowsOf(replica.db, "SELECT k, held FROM accounts ORDER BY k")).toEqual(
      held.map((all, k) => [String(k), String(all)]),
    );

    // And all of them go on from there.
    const told = does === "goes on" ? [first, second, third] : [third];
    await leader.db.transact([{ topic: "accounts", upsert: [{ k: ACCOUNTS, held: 1, note: "" }] }]);
    const more = `{"held":${ACCOUNTS * EACH + 1},"accounts":${ACCOUNTS + 1}}`;
    await until(() => told.every(({ seen }) => seen.at(-1) === more), "what comes behind it");
  },
);
