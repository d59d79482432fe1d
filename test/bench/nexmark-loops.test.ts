/**
 * The loops by hand do the engine's job: over records in any order, with ids that repeat, all three have the same rows after every round, and the loops
 * count just the rows that left and came.
 */
import { describe, expect, test } from "vitest";
import { withDirectory } from "../../bench/directory.ts";
import { CircuitContender, openNexmark, planned } from "../../bench/nexmark/engine.ts";
import {
  batchOf,
  nexmark,
  type Round,
  schemas,
  type TopicName,
  type Values,
} from "../../bench/nexmark/events.ts";
import { HAND_QUERIES } from "../../bench/nexmark/loops.ts";
import { mapLoops } from "../../bench/nexmark/map-loops.ts";
import { queries } from "../../bench/nexmark/queries.ts";
import { typedLoops } from "../../bench/nexmark/typed-loops.ts";
import type { Batch } from "../../src/batch/batch.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

const ROUNDS = 60;
const STARTED_US = 1_436_918_400_000_000;

/** Few ids, few prices, four windows; times are all different. */
function* tangled(seed: number): Generator<Round> {
  const random = new SeededRandom(seed);
  const times = Array.from({ length: ROUNDS * 40 }, (_, i) => STARTED_US + i * 16_000);
  const below = (n: number) => random.below(n);
  const time = () => times.splice(below(times.length), 1)[0]!;
  const make: Record<TopicName, () => Values> = {
    person: () => {
      const where = ["OR", "ID", "CA", "WA", "O"][below(5)]!;
      return [below(12), `name ${below(1000)}`, "e", "c", `city ${below(3)}`, where, time(), ""];
    },
    auction: () => {
      const opened = STARTED_US + below(ROUNDS * 40) * 16_000;
      const category = 9 + below(3);
      return [below(15), "i", "d", 1, 1, opened, opened + below(20_000_000), below(12), category, ""];
    },
    bid: () => [below(15), below(6), 100 + below(9), `channel ${below(3)}`, `url ${below(50)}`, time(), "x"],
  };
  for (let r = 0; r < ROUNDS; r++) {
    const batches = new Map<TopicName, Batch>();
    for (const topic of ["person", "auction", "bid"] as const) {
      const rows = Array.from({ length: below(8) }, make[topic]);
      if (rows.length > 0) batches.set(topic, batchOf(schemas[topic], rows));
    }
    yield { events: 0, batches };
  }
}

function countOf(rows: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(row, (counts.get(row) ?? 0) + 1);
  return counts;
}

function changesBetween(before: readonly string[], after: readonly string[]): number {
  const [b, a] = [countOf(before), countOf(after)];
  let changes = 0;
  for (const row of new Set([...before, ...after]))
    changes += Math.abs((a.get(row) ?? 0) - (b.get(row) ?? 0));
  return changes;
}

describe.each(Object.keys(HAND_QUERIES))("%s by hand", (name) => {
  const query = queries.find((q) => q.name === name)!;
  const plan = withDirectory(async (dir) => {
    await using db = await openNexmark(dir);
    return await planned(db, query);
  });

  test.each([1, 2, 3])("has the engine's rows after every round, seed %i", async (seed) => {
    const engine = new CircuitContender(await plan);
    const [typed, maps] = [typedLoops[name]!(), mapLoops[name]!()];
    let before: string[] = [];
    for (const round of tangled(seed)) {
      const counted = { typed: typed.changes, maps: maps.changes };
      for (const contender of [engine, typed, maps]) contender.take(round);
      const rows = engine.rows().sort();
      expect(typed.rows().sort()).toEqual(rows);
      expect(maps.rows().sort()).toEqual(rows);
      const changes = changesBetween(before, rows);
      expect(typed.changes - counted.typed).toBe(changes);
      expect(maps.changes - counted.maps).toBe(changes);
      before = rows;
    }
    engine.check();
    expect(before.length).toBeGreaterThan(0);
  });

  test("counts as many changes as the engine over Nexmark's own events", async () => {
    const contenders = [new CircuitContender(await plan), typedLoops[name]!(), mapLoops[name]!()];
    for (const round of nexmark(6_000, HAND_QUERIES[name])) for (const c of contenders) c.take(round);
    const [engine, typed, maps] = contenders.map(({ changes }) => changes);
    expect(engine).toBeGreaterThan(0);
    expect([typed, maps]).toEqual([engine, engine]);
  });
});
