/**
 * Mutants of SQL statements by hand (test/engine/mutants/judge.ts says what is judged): many seeds, each some dozens of statements, or one again.
 *
 *   npm run mutants -- --seeds 2000             seeds 1 to 2000
 *   npm run mutants -- --seeds 20000 --from 5000 --jobs 4 --to DIR
 *   npm run mutants -- --seed 4711              one again
 *
 * A process takes some seeds at a time. One that says nothing for a minute is stopped, with the statement that runs there and who runs it: PostgreSQL may, Evert must not. Findings that read alike are told once.
 */
import { type ChildProcess, fork } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Finding, runSeed } from "../test/engine/mutants/judge.ts";
import { Postgres } from "../test/engine/support/postgres.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    jobs: { type: "string", default: "1" },
    statements: { type: "string", default: "60" },
    to: { type: "string" },
    child: { type: "boolean", default: false },
  },
});

const SILENT_MS = 60_000;
const HELD_MS = 3000;
const SEEDS_SAID = 100;

type Message =
  | { readonly begins: string; readonly by: string; readonly seed: number }
  | {
      readonly done: number;
      readonly findings: readonly Finding[];
      readonly statements: number;
      readonly compared: number;
      readonly views: number;
    };

const statements = Number(values.statements);

/** The child: seeds as they come, one after another. */
async function child(): Promise<void> {
  let postgres = await Postgres.open();
  const say = (message: Message): void => void process.send!(message);
  process.on("message", async (seed: number) => {
    const begins = (sql: string, by: string): void => say({ begins: sql, by, seed });
    try {
      const {
        findings,
        compared,
        views,
        statements: ran,
      } = await runSeed(seed, postgres, { statements, begins, heldMs: HELD_MS, shrinks: true });
      say({ done: seed, findings, statements: ran, compared, views });
    } catch (error) {
      // PostgreSQL itself may be lost; the judge is taken anew.
      const finding: Finding = { kind: "thrown", seed, sql: "", what: String((error as Error).stack) };
      say({ done: seed, findings: [finding], statements: 0, compared: 0, views: 0 });
      postgres = await Postgres.open();
    }
  });
}

const total = { seeds: 0, statements: 0, compared: 0, views: 0 };
const told = new Map<string, number>();

function tell(finding: Finding): void {
  const { kind, sql, what, seed } = finding;
  const inShort = `${kind} ${what.split("\n")[0]!.replace(/["'`].*?["'`]|\d+/g, "_")}`;
  const count = (told.get(inShort) ?? 0) + 1;
  told.set(inShort, count);
  const text = `${kind}, seed ${seed}\n  ${sql.length > 3000 ? `${sql.slice(0, 3000)} …` : sql}\n  ${what.replaceAll("\n", "\n  ")}\n`;
  if (values.to !== undefined) appendFileSync(join(values.to, `${kind}.txt`), `${text}\n`);
  if (count <= 3) console.log(text);
  process.exitCode = 1;
}

async function seeds(from: number, count: number, jobs: number): Promise<void> {
  let next = from;
  const began = performance.now();
  const one = (): Promise<void> =>
    new Promise((done) => {
      let process_: ChildProcess;
      let watch: NodeJS.Timeout;
      let last: Extract<Message, { begins: string }> | null = null;
      const start = (): void => {
        process_ = fork(fileURLToPath(import.meta.url), ["--child", "--statements", String(statements)], {
          stdio: ["ignore", "inherit", "pipe", "ipc"],
        });
        let said = "";
        process_.stderr!.on("data", (bytes: Buffer) => {
          said = (said + bytes.toString()).slice(-4000);
        });
        process_.on("message", (message: Message) => {
          watch.refresh();
          if ("begins" in message) {
            last = message;
            return;
          }
          total.seeds++;
          total.statements += message.statements;
          total.compared += message.compared;
          total.views += message.views;
          message.findings.forEach(tell);
          if (total.seeds % SEEDS_SAID === 0) {
            const seconds = Math.round((performance.now() - began) / 1000);
            console.log(
              `${total.seeds} seeds, ${total.statements} statements, ${total.compared} compared, ${total.views} views, ${seconds} s`,
            );
          }
          give();
        });
        process_.on("exit", (code, signal) => {
          clearTimeout(watch);
          if (code === 0) return done();
          const how =
            signal === "SIGKILL" ? `silent for ${SILENT_MS} ms` : `ended with ${code ?? signal}\n${said}`;
          if (last?.by !== "postgres" || signal !== "SIGKILL")
            tell({
              kind: "thrown",
              seed: last?.seed ?? 0,
              sql: last?.begins ?? "",
              what: `the process is ${how}, in ${last?.by}`,
            });
          start();
        });
        watch = setTimeout(() => process_.kill("SIGKILL"), SILENT_MS);
        give();
      };
      const give = (): void => {
        if (next < from + count) process_.send(next++);
        else process_.disconnect();
      };
      start();
    });
  await Promise.all(Array.from({ length: jobs }, one));
}

if (values.child) await child();
else {
  if (values.to !== undefined) mkdirSync(values.to, { recursive: true });
  const [from, count] =
    values.seed === undefined ? [Number(values.from), Number(values.seeds)] : [Number(values.seed), 1];
  await seeds(from, count, Number(values.jobs));
  const kinds = [...told].sort((a, b) => b[1] - a[1]).map(([inShort, times]) => `${times} × ${inShort}`);
  console.log(
    `${total.seeds} seeds, ${total.statements} statements, ${total.compared} compared, ${total.views} views\n${kinds.join("\n")}`,
  );
}
