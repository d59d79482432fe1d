/**
 * Three copies of a log, of which one leads, through a random life: appends, definitions and deletes, deaths of processes and power cuts, and promotions, after which the former
 * leader follows, or begins again from a copy where it had commits of its own. At rest all are the same, and what was acknowledged by two is there.
 */
import { afterEach, describe, expect, it } from "vitest";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { seed } from "../../support/seed.ts";
import { rowsOf, sql } from "../support/memory.ts";
import { change, contents, level, Node, TABLES } from "./support.ts";

const nodes: Node[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0).reverse()) await node.stop().catch(() => {});
});

describe("three copies of a log", () => {
  for (const n of [seed, seed + 1, seed + 2]) {
    it(`are one (seed ${n})`, async () => {
      const random = new SeededRandom(n);
      const pause = () => new Promise((resolve) => setTimeout(resolve, random.below(60)));
      const death = () => (random.oneIn(2) ? "process" : "power cut");
      let leader = await Node.start();
      nodes.push(leader);
      await sql(leader.db, `${TABLES}; CREATE TABLE acknowledged (n int4)`);
      let others: Node[] = [];
      for (let i = 0; i < 2; i++) others.push(await Node.start({ follow: { url: leader.url } }));
      nodes.push(...others);
      const known: number[] = [];
      for (let round = 0; round < 10; round++) {
        const work = change(leader.db, random, 20 + random.below(40)).catch(() => {});
        await pause();
        const what = random.below(4);
        if (what === 0) {
          const one = others[random.below(2)] as Node;
          await one.kill(death());
          await pause();
          await one.start({ follow: { url: leader.url } });
        } else if (what === 1) {
          await leader.kill(death());
          await work;
          await leader.start({ follow: undefined });
        } else if (what === 2) {
          // The leader dies, in the midst of it; one of the others takes its place, and all follow that one.
          await work;
          const [heir, third] = others as [Node, Node];
          await level(leader.db, heir.db);
          const last = change(leader.db, random, 20).catch(() => {});
          await pause();
          await leader.kill(death());
          await last;
          await heir.db.replication.promote();
          const follow = { url: heir.url, rejoin: true };
          await third.stop();
          await third.start({ follow });
          await leader.start({ follow });
          others = [third, leader];
          leader = heir;
        }
        await work;
        await leader.db.append("acknowledged", [{ n: round }]);
        for (const other of others) await level(leader.db, other.db);
        known.push(round);
        const all = await contents(leader.db);
        for (const other of others) expect(await contents(other.db), `round ${round}`).toEqual(all);
        const rows = await rowsOf(leader.db, "SELECT n FROM acknowledged ORDER BY n");
        expect(rows.map(([text]) => Number(text))).toEqual(known);
      }
      for (const node of nodes.splice(0)) {
        await node.stop();
        expect((await checkLog("/data", node.disk)).damages).toEqual([]);
      }
    });
  }
});
