/** What is left after rows have been taken out, against a plain list: nothing else is gone, and nothing that is there has changed. */
import { describe, expect, test } from "vitest";
import { checkLog } from "../../../src/log/check.ts";
import type { Log } from "../../../src/log/log.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import {
  clock,
  compacted,
  contents,
  fill,
  type KeptRow,
  of,
  openKept,
  rules,
  STREAM,
  sealAll,
  sealedTo,
  TABLE,
  tableOf,
  topicRows,
  WHOLE,
} from "./support.ts";

/** Ranges by topic: in a frame they stand in the order in which the commit touched them. */
function known(log: Log, keys: readonly (string | null)[]): unknown[] {
  return keys.flatMap((key) => {
    const commit = key === null ? null : log.knownCommit(key);
    return commit === null
      ? []
      : [{ ...commit, ranges: [...commit.ranges].sort((a, b) => a.topicId - b.topicId) }];
  });
}

/** Of the whole history, what the log should hold now. */
class Oracle {
  table: KeptRow[] = [];
  stream: KeptRow[] = [];
  whole: KeptRow[] = [];
  lastPosition = 0;

  /** Rows that have come since. */
  add(rows: readonly KeptRow[]): void {
    const news = rows.filter(({ position }) => position > this.lastPosition);
    this.table.push(...of(news, TABLE));
    this.stream.push(...of(news, STREAM));
    this.whole.push(...of(news, WHOLE));
    this.lastPosition = Math.max(this.lastPosition, ...news.map(({ position }) => position));
  }

  get rows(): KeptRow[] {
    return [...this.table, ...this.stream, ...this.whole];
  }
}

describe("random histories, compacted and trimmed at random places", () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const disk = new SimulatedDisk({ seed });
      const options = seed % 3 === 0 ? { compactedKeysMax: 10 } : {};
      let log = await openKept(disk, options);
      const oracle = new Oracle();
      for (let round = 0; round < 5; round++) {
        await fill(log, random, 40 + random.below(160));
        if (random.oneIn(3)) {
          await log.close();
          log = await openKept(disk, options);
        }
        const before = await contents(log);
        oracle.add(before.rows);
        expect(before.rows).toEqual(oracle.rows);
        const keys = known(
          log,
          before.commits.map(({ idempotencyKey }) => idempotencyKey),
        );
        await sealAll(log);
        const tombstonesForUs = random.oneIn(2) ? 0 : 40_000_000;
        const retainForUs = random.oneIn(2) ? 60_000_000 : null;
        log.keep(rules({ [TABLE]: { tombstonesForUs }, [STREAM]: { retainForUs } }));
        const nowUs = log.nowUs();
        await log.compact();

        const to = sealedTo(disk, log.durablePosition);
        oracle.table = compacted(oracle.table, to, nowUs - tombstonesForUs);
        const after = await contents(log);
        expect(after.commits).toEqual(before.commits);
        expect(of(after.rows, WHOLE)).toEqual(oracle.whole);
        expect(of(after.rows, TABLE)).toEqual(oracle.table);
        expect(tableOf(of(after.rows, TABLE))).toEqual(tableOf(of(before.rows, TABLE)));
        const start = log.topicStart(STREAM);
        const gone = oracle.stream.filter(({ offset }) => offset < start);
        oracle.stream = oracle.stream.slice(gone.length);
        expect(of(after.rows, STREAM)).toEqual(oracle.stream);
        if (retainForUs === null) expect(gone).toEqual([]);
        for (const { timeUs } of gone) expect(timeUs).toBeLessThan(nowUs - retainForUs!);
        expect(
          known(
            log,
            before.commits.map(({ idempotencyKey }) => idempotencyKey),
          ),
        ).toEqual(keys);

        for (const [topicId, rows] of [
          [TABLE, oracle.table],
          [STREAM, oracle.stream],
        ] as const) {
          const from = random.below(log.topicEnd(topicId) + 1);
          expect(await topicRows(log, topicId, from)).toEqual(
            rows.filter(({ offset }) => offset >= from).map(({ offset, id }) => ({ offset, id })),
          );
          const timeUs = nowUs - random.below(100_000_000);
          const found = rows.find((row) => row.timeUs >= timeUs)?.offset ?? log.topicEnd(topicId);
          expect(await log.offsetAt(topicId, timeUs)).toBe(found);
        }
        if (random.oneIn(2)) {
          await log.close();
          expect((await checkLog("/data", disk)).damages).toEqual([]);
          log = await openKept(disk, options);
          expect(log.topicStart(STREAM)).toBe(start);
          expect(await contents(log)).toEqual(after);
          expect(
            known(
              log,
              before.commits.map(({ idempotencyKey }) => idempotencyKey),
            ),
          ).toEqual(keys);
        }
        clock.advance(random.below(30_000_000));
      }
      expect(oracle.table.length).toBeLessThan(400);
      await log.close();
      expect((await checkLog("/data", disk)).damages).toEqual([]);
    });
  }

  test("a second compaction finds nothing to do", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const log = await openKept(disk);
    await fill(log, new SeededRandom(1), 400);
    await sealAll(log);
    log.keep(rules({ [TABLE]: { tombstonesForUs: 0 } }));
    await log.compact();
    const { segments } = log.stats().keeping;
    expect(segments).toBeGreaterThan(0);
    await log.compact();
    expect(log.stats().keeping.segments).toBe(segments);
    await log.close();
  });

  test("nothing goes without a rule, nor behind the horizon", async () => {
    const disk = new SimulatedDisk({ seed: 2 });
    const log = await openKept(disk);
    await fill(log, new SeededRandom(2), 400);
    await sealAll(log);
    const before = await contents(log);
    await log.compact();
    expect(await contents(log)).toEqual(before);
    log.keep(rules({ [TABLE]: { tombstonesForUs: 0 }, [STREAM]: { retainBytes: 0 } }, 1));
    await log.compact();
    expect(await contents(log)).toEqual(before);
    await log.close();
  });

  test("a log at rest forgets no idempotency key, nor what it stands for", async () => {
    const disk = new SimulatedDisk({ seed: 4 });
    let log = await openKept(disk);
    await fill(log, new SeededRandom(4), 300);
    await sealAll(log);
    const { commits } = await contents(log);
    const keys = commits.map(({ idempotencyKey }) => idempotencyKey);
    const before = known(log, keys);
    clock.advance(48 * 3_600_000_000);
    log.keep(rules({ [TABLE]: { tombstonesForUs: 0 }, [STREAM]: { retainBytes: 0 } }));
    await log.compact();
    expect(log.stats().keeping.rows).toBeGreaterThan(0);
    await log.close();
    log = await openKept(disk);
    expect(known(log, keys)).toEqual(before);
    await log.close();
  });

  test("of a dropped topic nothing stays, and its name for what it spanned does", async () => {
    const disk = new SimulatedDisk({ seed: 3 });
    let log = await openKept(disk);
    await fill(log, new SeededRandom(3), 400);
    await sealAll(log);
    const before = await contents(log);
    const end = log.topicEnd(WHOLE);
    log.keep(rules({}, Number.POSITIVE_INFINITY, [WHOLE]));
    await log.compact();
    const to = sealedTo(disk, log.durablePosition);
    const left = before.rows.filter(({ topicId, position }) => topicId !== WHOLE || position > to);
    expect(left.length).toBeLessThan(before.rows.length);
    expect((await contents(log)).rows).toEqual(left);
    await log.close();
    log = await openKept(disk);
    expect((await contents(log)).rows).toEqual(left);
    expect(log.topicEnd(WHOLE)).toBe(end);
    await log.close();
    expect((await checkLog("/data", disk)).damages).toEqual([]);
  });
});
