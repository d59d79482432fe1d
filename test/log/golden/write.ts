/**
 * Writes a golden directory with the release that is checked out: node --conditions=evert-source test/log/golden/write.ts frames|taken-out NAME
 *
 * Once for each form of the files, by the release that has it first; never again.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import type { Log } from "../../../src/log/log.ts";
import { repairLog } from "../../../src/log/repair/repair.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { append, room, schema, stage } from "../harness.ts";
import { fillMixed, openMixed, widen } from "../sealed/support.ts";
import { describeLog } from "./describe.ts";

const [form, name] = process.argv.slice(2);

/** Several batches of a topic in a frame: large ones among small ones, with deletes. */
async function frames(disk: SimulatedDisk): Promise<void> {
  const log = await openMixed(disk, { groupBytesMax: 1 << 20 });
  await fillMixed(log, new SeededRandom(6), [], { commits: 40 });
  await room(log, 100_000);
  const staged: Promise<void>[] = [];
  for (const [i, rows] of [3, 1100, 2, 1024, 1].entries()) {
    const builder = new BatchBuilder(schema);
    for (let id = 0; id < rows; id++) builder.appendRow({ id, note: i % 2 === 0 ? "few" : null });
    const draft = log.begin();
    draft.appendBatch(1, builder.finish());
    staged.push(draft.commit().durable);
    staged.push(stage(log, [{ topicId: 2, id: i, note: null, isDelete: true }], `large ${i}`).durable);
  }
  await Promise.all(staged);
  await log.close();
}

/** Segments that rows were taken out of, and one in the place of commits that are lost. */
async function takenOut(disk: SimulatedDisk): Promise<void> {
  let log = await openMixed(disk);
  for (let turn = 0; turn < 4; turn++) {
    await fillMixed(log, new SeededRandom(turn), [], { commits: 60 });
    for (let i = 0; i < 2; i++)
      await append(log, [{ topicId: 1, id: i, note: "x".repeat(40_000) }], `key ${turn} ${i}`);
  }
  await sealed(log);
  log.keep(() => ({
    horizon: log.lastPosition,
    isDropped: () => false,
    topics: new Map([
      [2, { retainForUs: null, retainBytes: 600, neededBy: [], tombstonesForUs: null }],
      [3, { retainForUs: null, retainBytes: null, neededBy: [], tombstonesForUs: 0 }],
    ]),
  }));
  await log.compact();
  await log.close();
  const middle = disk.files().filter((path) => path.endsWith(".sealed"))[2]!;
  await disk.unlink(middle);
  await repairLog({ directory: "/data", disk, clock: new SimulatedClock(), derived: [] });
  await disk.removeTree(
    disk
      .files()
      .find((path) => path.includes("/damaged-"))!
      .split("/")
      .slice(0, 3)
      .join("/"),
  );
  log = await openMixed(disk);
  widen(log);
  await append(log, [{ topicId: 2, id: 1, note: "after" }]);
  await log.close();
}

async function sealed(log: Log): Promise<void> {
  log.startSealing();
  await log.sealed();
}

const disk = new SimulatedDisk({ seed: 1 });
await (form === "frames" ? frames(disk) : takenOut(disk));
const log = await openMixed(disk);
widen(log);
const directory = join(import.meta.dirname, name!);
await mkdir(directory);
await writeFile(join(directory, "says.txt.gz"), gzipSync(await describeLog(log)));
await log.close();
for (const path of disk.files().filter((one) => /\/log\/\d{20}.*\.(log|sealed)$/.test(one))) {
  const bytes = disk.contents(path);
  // Zeros that were made ahead say nothing.
  await writeFile(
    join(directory, basename(path)),
    bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1),
  );
}
