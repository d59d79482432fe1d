/**
 * `npm run bench`: every number beside its peer in the same run, and beside the ratio that was kept.
 *
 *   npm run bench -- append join          these
 *   npm run bench -- append join --write  and keeps what they measured in baseline.json and RESULTS.md
 *   npm run bench -- --all                all of them but disturb and start, at sizes that fit two cores and some twenty minutes; then all figures in one table, and what
 *                                         missed its goal
 *   npm run bench -- --all text ingest    the same of these
 *   npm run bench -- --all --large        at the sizes that are spoken of elsewhere, for as long as it takes
 *   npm run bench -- tpch --peers         first brings the peers of bench/peers onto this machine; without, those that are not there are named as absent
 *
 * Each file runs in a process of its own, so that none inherits another's heap or compiled code. With --all, a file whose verdict is close (a figure
 * within a sixth of its goal, or just beyond it) runs again at the end, as long as there is time, up to three times in all; its figures are then the
 * medians. What else a machine does would otherwise decide.
 */
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { installPeers } from "./peers/install.ts";
import { isClose, type Measured, medians, table, verdictOf } from "./report.ts";

/** In the order of RESULTS.md; the files have these names. With --large they get these arguments. */
const BENCHES: Readonly<Record<string, readonly string[]>> = {
  append: [],
  durable: [],
  transactions: [],
  disturb: [],
  start: ["--gib", "10"],
  join: [],
  build: [],
  nexmark: ["--events", "1000000"],
  "nexmark-peers": ["--events", "2000000"],
  tpch: ["--scale", "0.1"],
  replay: [],
  text: [],
  ingest: [],
  latency: [],
  fairness: [],
  cores: [],
  state: [],
  cold: ["--limit-mib", "256"],
  scale: ["--largest", "7"],
};
const NAMES = Object.keys(BENCHES);
/** Not part of --all unless they are named: they take a while. */
const BY_NAME: ReadonlySet<string> = new Set(["disturb", "start"]);

const RUNS_MOST = 3;
/** When --all begins nothing again. */
const MINUTES = 15;

/** One file's numbers, as they are kept. */
interface Kept {
  readonly machine: string;
  readonly date: string;
  /** What was measured: the last commit, with "+" where files had changed since. */
  readonly commit?: string;
  /** Of the system in the minute before: what else was going on. */
  readonly load: number;
  readonly measured: readonly Measured[];
}

/** One file's runs within this run of all. */
interface Ran {
  readonly name: string;
  readonly load: number;
  readonly seconds: number;
  readonly runs: Measured[][];
}

const baselinePath = join(import.meta.dirname, "baseline.json");
const resultsPath = join(import.meta.dirname, "RESULTS.md");

const { values: flags, positionals: wanted } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    peers: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const unknown = wanted.filter((name) => !NAMES.includes(name));
if (unknown.length > 0) {
  console.error(`not a bench: ${unknown.join(", ")}; there are ${NAMES.join(", ")}`);
  process.exit(2);
}

if (flags.peers) await installPeers();
const baseline = JSON.parse(await readFile(baselinePath, "utf8")) as Record<string, Kept>;
const started = performance.now();
const commit = await commitHere();
const done: Ran[] = [];
const failed: string[] = [];
for (const name of NAMES) {
  if (wanted.length > 0 ? !wanted.includes(name) : BY_NAME.has(name)) continue;
  const load = loadavg()[0]!;
  const began = performance.now();
  const measured = await run(name);
  if (measured === null) continue;
  const seconds = (performance.now() - began) / 1000;
  const ran = { name, load, seconds, runs: [measured] };
  done.push(ran);
  console.log(
    `\n${name}, ${seconds.toFixed(0)} s\n${table(measured, { kept: baseline[name]?.measured ?? [] })}`,
  );
  await keep(ran);
}
if (flags.all) {
  await runCloseAgain();
  summarize();
}
if (failed.length > 0) {
  console.error(`\nended with an error: ${failed.join(", ")}`);
  process.exitCode = 1;
}

/** Null where it failed: the others' numbers are not lost with it. */
async function run(name: string): Promise<Measured[] | null> {
  const child = fork(join(import.meta.dirname, `${name}.ts`), flags.large ? BENCHES[name]! : [], {
    execArgv: ["--conditions=evert-source", "--max-old-space-size=4096"],
  });
  let measured: Measured[] | null = null;
  child.on("message", (message) => {
    measured = message as Measured[];
  });
  const [code] = await once(child, "exit");
  if (code === 0 && measured !== null) return measured;
  failed.push(name);
  return null;
}

/** The shortest first, so that most come to more runs. */
async function runCloseAgain(): Promise<void> {
  for (const ran of [...done].sort((a, b) => a.seconds - b.seconds)) {
    while (ran.runs.length < RUNS_MOST && medians(ran.runs).some(isClose)) {
      const minutes = ((performance.now() - started) / 1000 + ran.seconds) / 60;
      if (!flags.large && minutes > MINUTES) {
        console.log(`${ran.name} is close to a goal, but there is no time to run it again`);
        break;
      }
      console.log(`${ran.name} is close to a goal: again`);
      const measured = await run(ran.name);
      if (measured === null) break;
      ran.runs.push(measured);
    }
    if (ran.runs.length > 1) await keep(ran);
  }
}

function summarize(): void {
  const rows = done.flatMap(({ name, runs }) => medians(runs).map((m) => ({ bench: name, ...m })));
  console.log(`\nAll figures\n\n${table(rows, { benches: rows.map((r) => r.bench) })}`);
  const judged = rows.filter((m) => verdictOf(m) !== null);
  const missed = judged.filter((m) => verdictOf(m) === "missed");
  const absent = rows.filter((m) => m.value === null);
  console.log(`\n${judged.length - missed.length} of ${judged.length} goals are met.`);
  if (missed.length > 0)
    console.log(`\nMissed:\n\n${table(missed, { benches: missed.map((r) => r.bench) })}`);
  for (const { bench, name, note } of absent) console.log(`Not measured: ${bench}, ${name}: ${note}`);
  const minutes = (performance.now() - started) / 60_000;
  console.log(`\n${machine()}, commit ${commit}, ${today()}, ${minutes.toFixed(1)} minutes`);
}

/** After each: a bench that fails does not take the others' numbers with it. */
async function keep({ name, load, runs }: Ran): Promise<void> {
  if (!flags.write) return;
  baseline[name] = {
    machine: machine(),
    date: today(),
    commit,
    load: Math.round(load * 10) / 10,
    measured: medians(runs),
  };
  await writeFile(baselinePath, `${JSON.stringify(baseline, null, 2)}\n`);
  await writeFile(resultsPath, results(baseline));
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function machine(): string {
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores, ${gib} GiB, Node ${process.version}`;
}

async function commitHere(): Promise<string> {
  try {
    const git = async (...args: string[]) =>
      (await promisify(execFile)("git", args, { cwd: import.meta.dirname })).stdout.trim();
    const changed = await git(
      "status",
      "--porcelain",
      "--",
      "../src",
      ".",
      ":!RESULTS.md",
      ":!baseline.json",
    );
    return `${await git("rev-parse", "--short", "HEAD")}${changed === "" ? "" : "+"}`;
  } catch {
    // Not a clone, or no git here.
    return "unknown";
  }
}

function results(kept: Readonly<Record<string, Kept>>): string {
  const parts = [
    "# Results",
    "",
    "Written by `npm run bench -- --write`. What a number means stands at the top of its file; every peer ran in the same process run. A ratio is the median of the rounds' ratios, where there are rounds: not the quotient of the two medians beside it.",
  ];
  for (const name of NAMES) {
    const { machine: where, date, commit: of, load, measured } = kept[name] ?? { measured: [] };
    if (measured.length === 0) continue;
    parts.push(
      "",
      `## [${name}](${name}.ts)`,
      "",
      `${where}, ${date}${of === undefined ? "" : `, commit ${of}`}; load before it began: ${load}.`,
      "",
      table(measured),
    );
  }
  return `${parts.join("\n")}\n`;
}
