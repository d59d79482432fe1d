/** Whoever reads, or copies, while rows are taken out; and what holds them back. */
import { expect, test } from "vitest";
import { datumAt } from "../../../src/batch/column.ts";
import { backupLog } from "../../../src/log/backup.ts";
import { checkLog } from "../../../src/log/check.ts";
import { OP_DELETE } from "../../../src/log/log.ts";
import { offsetOf } from "../../../src/log/offsets.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import {
  clock,
  contents,
  fill,
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

const DAY_US = 86_400_000_000;

async function filled(seed: number, disk = new SimulatedDisk({ seed })) {
  const log = await openKept(disk);
  await fill(log, new SeededRandom(seed), 500);
  await sealAll(log);
  return { disk, log };
}

for (let seed = 1; seed <= 4; seed++) {
  test(`a reader of a table that is underway ends with the table's rows, in the order in which they came (seed ${seed})`, async () => {
    const { log } = await filled(seed);
    const before = await contents(log);
    // Deletes stay longer than anyone needs to read on.
    log.keep(rules({ [TABLE]: { tombstonesForUs: DAY_US } }));
    const table = new Map<number, string | null>();
    let last = -1;
    let groups = 0;
    let compacting: Promise<void> | null = null;
    for await (const group of log.readTopic(TABLE, 0)) {
      for (const batch of group.batches) {
        for (let row = 0; row < batch.batch.length; row++) {
          const offset = offsetOf(batch, row);
          expect(offset).toBeGreaterThan(last);
          last = offset;
          const id = datumAt(batch.batch.columns[0]!, row) as number;
          if (batch.ops?.[row] === OP_DELETE) table.delete(id);
          else table.set(id, datumAt(batch.batch.columns[1]!, row) as string | null);
        }
      }
      if (++groups === seed) compacting = log.compact();
      await new Promise((done) => setTimeout(done, 2));
    }
    await compacting;
    expect(log.stats().keeping.segments).toBeGreaterThan(1);
    expect(new Map([...table].sort(([a], [b]) => a - b))).toEqual(tableOf(of(before.rows, TABLE)));
    await log.close();
  });
}

test("a backup that is taken while rows are taken out is whole, and so is the next one", async () => {
  const { disk, log } = await filled(7);
  const before = await contents(log);
  log.keep(rules({ [TABLE]: { tombstonesForUs: 0 }, [STREAM]: { retainBytes: 0 } }));
  let reads = 0;
  const compacting: Promise<void>[] = [];
  const source = {
    files: async () => log.files(),
    read: async function* (name: string, from: number, to: number) {
      if (++reads === 2) compacting.push(log.compact());
      for await (const piece of log.readFile(name, from, to)) {
        yield piece;
        await new Promise((done) => setTimeout(done, 2));
      }
    },
  };
  const options = { source, directory: "/copy", disk, now: 0 };
  const first = await backupLog(options);
  expect(first.position).toBe(log.durablePosition);
  expect((await checkLog("/copy", disk)).damages).toEqual([]);
  await Promise.all(compacting);
  expect(log.stats().keeping.rows).toBeGreaterThan(0);
  await backupLog(options);
  const after = await contents(log);
  await log.close();

  const names = disk.files().flatMap((path) => /^\/copy\/log\/(.*)$/.exec(path)?.[1] ?? []);
  expect(names.some((name) => /\.1\.sealed$/.test(name))).toBe(true);
  const copy = await openKept(disk, { directory: "/copy" });
  expect(await contents(copy)).toEqual(after);
  expect(tableOf(of((await contents(copy)).rows, TABLE))).toEqual(tableOf(of(before.rows, TABLE)));
  await copy.close();
});

test("rows stay by bytes: at least as many as were asked for", async () => {
  const { disk, log } = await filled(3);
  const all = of((await contents(log)).rows, STREAM);
  log.keep(rules({ [STREAM]: { retainBytes: 1e9 } }));
  await log.compact();
  expect(log.topicStart(STREAM)).toBe(0);
  log.keep(rules({ [STREAM]: { retainBytes: 1 } }));
  await log.compact();
  const start = log.topicStart(STREAM);
  const sealed = all.filter(({ position }) => position <= sealedTo(disk, log.durablePosition));
  expect(start).toBeGreaterThan(0);
  // Of the last sealed segment they stay.
  expect(start).toBeLessThanOrEqual(sealed.at(-1)!.offset);
  expect((await topicRows(log, STREAM, 0)).map(({ offset }) => offset)).toEqual(
    all.map(({ offset }) => offset).filter((offset) => offset >= start),
  );
  await log.close();
});

test("rows that somebody needs stay, and everything behind them; who it is can be seen", async () => {
  const { log } = await filled(4);
  const before = await contents(log);
  const all = [{ name: "totals", ranges: [] }];
  log.keep(rules({ [STREAM]: { retainForUs: 0, neededBy: all } }));
  clock.advance(1);
  await log.compact();
  expect(log.stats().keeping.heldBack.get(STREAM)).toEqual(["totals"]);
  expect(await contents(log)).toEqual(before);

  // Ids are below 40: one view needs what no row has, the other what every block has.
  const none = { name: "none", ranges: [{ column: 0, min: 40 }] };
  const some = { name: "some", ranges: [{ column: 0, min: 3, max: 5 }] };
  log.keep(rules({ [STREAM]: { retainForUs: 0, neededBy: [none, some] } }));
  await log.compact();
  expect(log.stats().keeping.heldBack.get(STREAM)).toEqual(["some"]);
  expect(await contents(log)).toEqual(before);

  log.keep(rules({ [STREAM]: { retainForUs: 0, neededBy: [none] } }));
  await log.compact();
  expect(log.stats().keeping.heldBack.size).toBe(0);
  expect(log.topicStart(STREAM)).toBeGreaterThan(0);
  expect(of((await contents(log)).rows, WHOLE)).toEqual(of(before.rows, WHOLE));
  await log.close();
});

test("a view that is made while a pass is on its way keeps what it needs, and a rule that is taken back takes no more", async () => {
  const { disk, log } = await filled(4);
  const before = await contents(log);
  const needed = rules({ [STREAM]: { retainForUs: 0, neededBy: [{ name: "totals", ranges: [] }] } });
  for (const [then, held] of [
    [needed, ["totals"]],
    [rules({}), undefined],
  ] as const) {
    let asked = 0;
    // The first time, when the pass begins, nobody needs anything.
    log.keep(() =>
      (asked++ === 0 ? rules({ [STREAM]: { retainForUs: 0 }, [TABLE]: { tombstonesForUs: 0 } }) : then)(),
    );
    clock.advance(1);
    await log.compact();
    expect(asked).toBeGreaterThan(1);
    expect(log.stats().keeping.heldBack.get(STREAM)).toEqual(held);
    expect(await contents(log)).toEqual(before);
  }
  await log.close();
  expect((await disk.list("/data/log")).filter((name) => name.includes("compacting"))).toEqual([]);
});

test("by itself it begins when half of a table's rows have not been looked at, and when rows are old enough", async () => {
  const disk = new SimulatedDisk({ seed: 5 });
  const log = await openKept(disk, { keepEveryMs: 1 });
  await fill(log, new SeededRandom(5), 500);
  clock.advance(60_000_000);
  log.keep(rules({ [TABLE]: { tombstonesForUs: 0 }, [STREAM]: { retainForUs: 30_000_000 } }));
  await sealAll(log);
  while (log.topicStart(STREAM) === 0 || log.stats().keeping.rows === 0)
    await new Promise((done) => setTimeout(done, 1));
  await log.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
});

test("an erased key is in no file, and everything else is", async () => {
  const { disk, log } = await filled(6);
  const before = await contents(log);
  log.keep(rules({}));
  const { schema } = await import("../harness.ts");
  const { BatchBuilder } = await import("../../../src/batch/builder.ts");
  const builder = new BatchBuilder(schema);
  builder.appendRow({ id: 7, note: null });
  const to = sealedTo(disk, log.durablePosition);
  const key = builder.finish();
  await expect(log.erase(TABLE, key, to + 1)).rejects.toMatchObject({ code: "conflict" });
  await log.erase(TABLE, key, to);
  const left = before.rows.filter((row) => row.topicId !== TABLE || row.id !== 7 || row.position > to);
  expect(left.length).toBeLessThan(before.rows.length);
  expect((await contents(log)).rows).toEqual(left);
  await log.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
});
