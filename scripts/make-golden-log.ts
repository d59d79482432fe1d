/**
 * Writes a golden directory: a small log in the format of this release, and what it says, for all later releases to read.
 *
 *   node --conditions=evert-source scripts/make-golden-log.ts NAME [--frames]
 *
 * Run it once per format version, and never again for a name that is there: a golden directory is what a release wrote. With --frames nothing is
 * sealed. Zeros at the end of a file are left away.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { SeededRandom } from "../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../src/testing/simulated-disk.ts";
import { anyRow } from "../test/batch/fixtures.ts";
import { describeLog } from "../test/log/golden/describe.ts";
import { fillMixed, openMixed } from "../test/log/sealed/support.ts";

const [name, ...flags] = process.argv.slice(2);
if (name === undefined) throw new Error("a name is needed");
const isFrames = flags.includes("--frames");
const disk = new SimulatedDisk({ seed: 1 });
const log = await openMixed(disk, { groupBytesMax: 16 * 1024 });
const wideRows = fc.sample(anyRow, { numRuns: 12, seed: 5 });
await fillMixed(log, new SeededRandom(1), wideRows, { commits: isFrames ? 40 : 220 });
if (!isFrames) {
  log.startSealing();
  await log.sealed();
}
const said = await describeLog(log);
await log.close();

const target = join(import.meta.dirname, "../test/log/golden", name);
await mkdir(target);
for (const path of disk.files()) {
  const file = path.replace("/data/log/", "");
  if (!/^\d+\.(log|sealed)$/.test(file)) continue;
  const bytes = disk.contents(path);
  let end = bytes.length;
  if (file.endsWith(".log")) while (end > 0 && bytes[end - 1] === 0) end--;
  // A frame ends at a multiple of 8.
  await writeFile(join(target, file), bytes.subarray(0, Math.ceil(end / 8) * 8));
}
await writeFile(join(target, "says.txt.gz"), gzipSync(said));
