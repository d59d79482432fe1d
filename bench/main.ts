/**
 * `npm run bench`: every number beside its peer in the same run, and beside the ratio that was kept.
 *
 *   npm run bench                         all of them
 *   npm run bench -- append join          these
 *   npm run bench -- append join --write  and keeps what they measured in baseline.json and RESULTS.md
 *   npm run bench -- tpch --peers         first brings the peers of bench/peers onto this machine; without, those that are not there are named as absent
 *
 * Each file runs in a process of its own, so that none inherits another's heap or compiled code.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { installPeers } from "./peers/install.ts";
import { type Measured, table } from "./report.ts";

/** In the order of RESULTS.md; the files have these names. */
const NAMES = [
  "append",
  "join",
  "build",
  "nexmark",
  "nexmark-peers",
  "tpch",
  "replay",
  "text",
  "ingest",
  "latency",
  "fairness",
  "state",
  "scale",
];

/** One file's numbers, as they are kept. */
interface Kept {
  readonly machine: string;
  readonly date: string;
  /** Of the system in the minute before: what else was going on. */
  readonly load: number;
  readonly measured: readonly Measured[];
}

const baselinePath = join(import.meta.dirname, "baseline.json");
const resultsPath = join(import.meta.dirname, "RESULTS.md");

const args = process.argv.slice(2);
const wanted = args.filter((a) => !a.startsWith("-"));
const unknown = args.filter((a) => a !== "--write" && a !== "--peers" && !NAMES.includes(a));
if (unknown.length > 0) {
  console.error(`not a bench: ${unknown.join(", ")}; there are ${NAMES.join(", ")}, --write and --peers`);
  process.exit(2);
}

if (args.includes("--peers")) await installPeers();
const baseline = JSON.parse(await readFile(baselinePath, "utf8")) as Record<string, Kept>;
for (const name of NAMES) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const load = loadavg()[0]!;
  const measured = await run(name);
  console.log(`\n${name}\n${table(measured, baseline[name]?.measured ?? [])}`);
  if (!args.includes("--write")) continue;
  const date = new Date().toISOString().slice(0, 10);
  baseline[name] = { machine: machine(), date, load: Math.round(load * 10) / 10, measured };
  // After each: a bench that fails does not take the others' numbers with it.
  await writeFile(baselinePath, `${JSON.stringify(baseline, null, 2)}\n`);
  await writeFile(resultsPath, results(baseline));
}

async function run(name: string): Promise<Measured[]> {
  const child = fork(join(import.meta.dirname, `${name}.ts`), {
    execArgv: ["--conditions=evert-source", "--max-old-space-size=4096"],
  });
  let measured: Measured[] | null = null;
  child.on("message", (message) => {
    measured = message as Measured[];
  });
  const [code] = await once(child, "exit");
  if (code !== 0 || measured === null) throw new Error(`bench/${name}.ts failed`);
  return measured;
}

function machine(): string {
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores, ${gib} GiB, Node ${process.version}`;
}

function results(kept: Readonly<Record<string, Kept>>): string {
  const parts = [
    "# Results",
    "",
    "Written by `npm run bench -- --write`. What a number means stands at the top of its file; every peer ran in the same process run.",
  ];
  for (const name of NAMES) {
    const { machine: where, date, load, measured } = kept[name] ?? { measured: [] };
    if (measured.length === 0) continue;
    parts.push(
      "",
      `## [${name}](${name}.ts)`,
      "",
      `${where}, ${date}; load before it began: ${load}.`,
      "",
      table(measured),
    );
  }
  return `${parts.join("\n")}\n`;
}
