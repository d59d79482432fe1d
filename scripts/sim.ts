/**
 * The simulation by hand (test/sim/simulation/simulate.ts, docs/decisions/0045-simulation.md): many seeds, or one again with all that happened.
 *
 *   npm run sim -- --seeds 2000              seeds 1 to 2000
 *   npm run sim -- --seeds 100000 --from 5000 --jobs 4
 *   npm run sim -- --seed 4711 --trace       one, and what happened turn by turn
 *   npm run sim -- --copies --seeds 2000     of a leader and those that follow it (test/sim/simulation/copies.ts)
 *   npm run sim -- --parts --seeds 2000      each row of a commit is a step of its own, of which only the last is shown
 *   npm run sim -- --afterwards --seeds 2000 each log is damaged and repaired, or restored, and lived on (test/sim/simulation/afterwards.ts)
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { eachRowAPart } from "../test/engine/support/parts.ts";
import { simulateCopies } from "../test/sim/simulation/copies.ts";
import { type Outcome, simulate } from "../test/sim/simulation/simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    jobs: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
    copies: { type: "boolean", default: false },
    afterwards: { type: "boolean", default: false },
    parts: { type: "boolean", default: false },
  },
});

/** Of a failing run, what happened last. */
const LINES_SHOWN = 30;
/** Seeds after which it says how far it is. */
const SEEDS_SAID = 1000;

const { afterwards } = values;
const flags = [
  ...(values.copies ? ["--copies"] : []),
  ...(afterwards ? ["--afterwards"] : []),
  ...(values.parts ? ["--parts"] : []),
];
const of = flags.map((flag) => ` ${flag}`).join("");
if (values.parts) eachRowAPart();

async function one(seed: number, isTraced: boolean): Promise<Outcome> {
  const outcome = await (values.copies ? simulateCopies(seed) : simulate(seed, { afterwards }));
  const { violation, trace } = outcome;
  if (isTraced) console.log(trace.join("\n"));
  if (violation !== null) {
    if (!isTraced) console.log(trace.slice(-LINES_SHOWN).join("\n"));
    console.log(`\nseed ${seed}: ${violation.stack}\nAgain: npm run sim --${of} --seed ${seed} --trace\n`);
  }
  return outcome;
}

async function many(from: number, count: number): Promise<void> {
  const failed: number[] = [];
  let commits = 0;
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    const outcome = await one(from + i, false);
    commits += outcome.commits;
    if (outcome.violation !== null) failed.push(from + i);
    if ((i + 1) % SEEDS_SAID === 0 || i + 1 === count) {
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      console.log(
        `seeds ${from} to ${from + i}: ${commits} commits in ${seconds} s, ${failed.length} failed ${failed.slice(0, 20)}`,
      );
    }
  }
  if (failed.length > 0) process.exitCode = 1;
}

function inProcesses(from: number, count: number, jobs: number): Promise<unknown> {
  const share = Math.ceil(count / jobs);
  const children = Array.from({ length: jobs }, (_, i) => {
    const args = [
      ...flags,
      "--seeds",
      String(Math.min(share, count - i * share)),
      "--from",
      String(from + i * share),
    ];
    const script = fileURLToPath(import.meta.url);
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], { stdio: "inherit" });
    return new Promise<void>((done) =>
      child.on("close", (code) => {
        if (code !== 0) process.exitCode = 1;
        done();
      }),
    );
  });
  return Promise.all(children);
}

const [from, count, jobs] = [values.from, values.seeds, values.jobs].map(Number) as [number, number, number];
if (values.seed !== undefined) {
  const { violation, commits, lives } = await one(Number(values.seed), values.trace);
  if (violation === null)
    console.log(`seed ${values.seed}: ${lives} lives, ${commits} commits, all as it should be`);
  else process.exitCode = 1;
} else if (jobs > 1) await inProcesses(from, count, jobs);
else await many(from, count);
