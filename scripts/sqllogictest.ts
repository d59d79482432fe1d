/**
 * Runs sqllogictest files (SQLite's corpus, or our own in test/sqllogictest/) against this database.
 *
 *   npm run sqllogictest -- test/sqllogictest                    both modes, all files of a directory
 *   npm run sqllogictest -- --mode views-first corpus/select5.test
 *   npm run sqllogictest -- --jobs 4 --not 3mod4 corpus/random   four processes; without files whose number is 3 mod 4
 *
 * The corpus is https://www.sqlite.org/sqllogictest; it is not part of this repository. What the modes do stands in
 * sqllogictest/run-file.ts. Records on which PostgreSQL itself disagrees (--no-judge: do not ask it) are counted as disputed. Ends with 1
 * when a record fails, a file crashes or takes too long.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import type { Mode } from "./sqllogictest/run-file.ts";
import type { Outcome, Task } from "./sqllogictest/worker.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: "string", multiple: true, default: ["plain", "views-first"] },
    jobs: { type: "string", default: "1" },
    not: { type: "string" },
    "no-judge": { type: "boolean", default: false },
    "queries-max": { type: "string", default: "Infinity" },
    "views-max": { type: "string", default: "500" },
    "seconds-max": { type: "string", default: "1800" },
    "failures-shown": { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
  },
});

const worker = new URL("./sqllogictest/worker.ts", import.meta.url);
const secondsMax = Number(values["seconds-max"]);
const total = { passed: 0, disputed: 0, failed: 0 };
const tasks = positionals.flatMap(filesOf).flatMap((file) => values.mode.map((mode) => taskOf(file, mode)));
let shown = 0;

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const files = readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(test|slt)$/.test(file))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return files.map((file) => join(path, file)).filter((file) => !isLeftOut(file));
}

/** `--not 3mod4` leaves out the files whose number (slt_good_7.test) has that remainder. */
function isLeftOut(file: string): boolean {
  const rule = /^(\d+)mod(\d+)$/.exec(values.not ?? "");
  const number = /(\d+)\.\w+$/.exec(basename(file))?.[1];
  return rule !== null && number !== undefined && Number(number) % Number(rule[2]) === Number(rule[1]);
}

function taskOf(file: string, mode: string): Task {
  if (mode !== "plain" && mode !== "views-first") throw new Error(`unknown mode "${mode}"`);
  return {
    file,
    options: {
      mode: mode satisfies Mode,
      judge: !values["no-judge"],
      queriesMax: Number(values["queries-max"]),
      viewsMax: Number(values["views-max"]),
      seed: Number(values.seed),
    },
  };
}

/** Takes tasks until there are none. A process lives for one task: it takes its memory with it. */
async function work(): Promise<void> {
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
    const began = performance.now();
    const outcome = await run(task);
    tell(task, outcome, (performance.now() - began) / 1000);
  }
}

function run(task: Task): Promise<Outcome> {
  const child: ChildProcess = fork(worker, { serialization: "advanced" });
  const timer = setTimeout(() => child.kill("SIGKILL"), secondsMax * 1000);
  return new Promise<Outcome>((done) => {
    child.once("message", (outcome) => done(outcome as Outcome));
    child.once("exit", (code, signal) =>
      done({
        crashed: signal === "SIGKILL" ? `killed (limit ${secondsMax} s)` : `ended with ${code ?? signal}`,
      }),
    );
    child.send(task);
  }).finally(() => {
    clearTimeout(timer);
    child.kill();
  });
}

function tell({ file, options }: Task, outcome: Outcome, seconds: number): void {
  const name = `${options.mode.padEnd(11)} ${file}`;
  if ("crashed" in outcome) {
    total.failed++;
    console.log(`CRASHED ${name}: ${outcome.crashed}`);
    return;
  }
  const { passed, disputed, failures } = outcome.report;
  total.passed += passed;
  total.disputed += disputed;
  total.failed += failures.length;
  const numbers = `${passed} passed, ${failures.length} failed, ${disputed} disputed`;
  console.log(
    `${failures.length === 0 ? "ok     " : "FAILED "} ${name}: ${numbers} (${seconds.toFixed(1)} s)`,
  );
  for (const { line, sql, why } of failures) {
    if (shown++ >= Number(values["failures-shown"])) return;
    console.log(`  ${file}:${line}: ${why}\n    ${sql.replaceAll(/\s+/g, " ").slice(0, 400)}`);
  }
}

if (tasks.length === 0) throw new Error("no files");
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
console.log(`${total.passed} passed, ${total.failed} failed, ${total.disputed} disputed`);
if (total.failed > 0) process.exitCode = 1;
