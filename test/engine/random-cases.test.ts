/**
 * Random schemas, queries and histories, judged by PostgreSQL after every commit (random/judge.ts says how). What was found once stands in
 * random-cases/ and is judged anew each time.
 *
 * EVERT_SEED=n is where the seeds of the cases begin, EVERT_CASES how many there are, EVERT_CASES_IN_WORKERS how many of them are judged once more with worker
 * threads, EVERT_CASES_TO a folder that takes those that fail.
 * `npm run soak -- 20 test/engine/random-cases.test.ts` looks at other seeds.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { seed } from "../support/seed.ts";
import { type Case, caseText, makeCase, readCase } from "./random/case.ts";
import { judge, type Verdict } from "./random/judge.ts";
import { shrink } from "./random/shrink.ts";
import { Postgres } from "./support/postgres.ts";

const cases = Number(process.env["EVERT_CASES"] ?? 40);
/** How many of them are judged once more with their views in worker threads. */
const casesInWorkers = Number(process.env["EVERT_CASES_IN_WORKERS"] ?? 6);
const shrinkMs = Number(process.env["EVERT_SHRINK_MS"] ?? 30_000);
const folder = join(import.meta.dirname, "random-cases");
const output = process.env["EVERT_CASES_TO"];

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

/** What is alike in all forms of one failure. */
function inShort(wrong: string): string {
  return wrong
    .replace(/view v\d+/, "view")
    .replace(/\d+ rows where.*/s, "rows")
    .replace(/\n.*/s, "")
    .replace(/after .*:/, "after:")
    .replace(/changes \d+ rows.*/, "changes");
}

/** Of every third case, rows of tables go to disk as soon as they may. Every second case runs against a clock by which everything takes long: each bound on a turn of the event loop strikes, at its first look. */
async function judgeHurried(events: Case, hurried: boolean, warm?: 0): Promise<Verdict> {
  const now = performance.now.bind(performance);
  if (hurried) vi.spyOn(performance, "now").mockImplementation(() => now() * 500);
  try {
    return await judge(postgres, events, { warm });
  } finally {
    vi.restoreAllMocks();
  }
}

async function failure(events: Case, hurried: boolean, warm?: 0): Promise<string | null> {
  try {
    const { wrong } = await judgeHurried(events, hurried, warm);
    return wrong === null ? null : inShort(wrong);
  } catch (error) {
    return inShort(`threw ${(error as Error).message}`);
  }
}

describe("a case that was found", () => {
  const files = readdirSync(folder).filter((f) => f.endsWith(".sql"));

  it.each(files)("%s", async (file) => {
    const { wrong, left } = await judge(postgres, readCase(readFileSync(join(folder, file), "utf8")));
    expect(wrong).toBeNull();
    expect(left).toEqual([]);
  });
});

describe("a random case", () => {
  it("holds what PostgreSQL answers, after every commit, however it came there", async () => {
    const random = { made: 0, compared: 0, left: [] as string[] };
    const found: string[] = [];
    if (output !== undefined) mkdirSync(output, { recursive: true });
    for (let i = 0; i < cases; i++) {
      const caseSeed = (seed * 100_003 + i) >>> 0;
      const events = makeCase(caseSeed);
      const hurried = i % 2 === 1;
      const warm = process.env["EVERT_WARM"] === "0" || i % 3 === 2 ? 0 : undefined;
      let wrong: string | null;
      try {
        const verdict = await judgeHurried(events, hurried, warm);
        wrong = verdict.wrong;
        random.made++;
        random.compared += verdict.compared;
        random.left.push(...verdict.left);
      } catch (error) {
        wrong = `threw ${(error as Error).stack}`;
      }
      if (wrong === null) continue;
      const small = await shrink(events, {
        failure: (c) => failure(c, hurried, warm),
        until: performance.now() + shrinkMs,
      });
      const said = await judgeHurried(small, hurried, warm).then(
        (v) => v.wrong,
        (e: Error) => e.stack,
      );
      const text = `-- case ${caseSeed}\n${String(said ?? wrong).replace(/^/gm, "-- ")}\n${caseText(small)}`;
      found.push(text);
      if (output === undefined) break;
      writeFileSync(join(output, `${caseSeed}.sql`), text);
    }
    if (output !== undefined) {
      writeFileSync(join(output, "left.txt"), random.left.join("\n"));
      console.log(
        `${random.made} cases, ${random.compared} comparisons, ${random.left.length} views left out`,
      );
    }
    if (found.length > 0) throw new Error(found.join("\n\n"));
    // Lest all are refused.
    expect(random.compared).toBeGreaterThan(cases * 10);
    expect(random.left.length).toBeLessThan(cases);
  }, 3_600_000);

  it("is the same where two workers keep its views", async () => {
    let compared = 0;
    for (let i = 0; i < casesInWorkers; i++) {
      const caseSeed = (seed * 100_003 + i) >>> 0;
      const events = makeCase(caseSeed);
      const verdict = await judge(postgres, events, { workers: 2, warm: i % 3 === 2 ? 0 : undefined });
      expect(
        verdict.wrong === null ? null : `-- case ${caseSeed}\n${verdict.wrong}\n${caseText(events)}`,
      ).toBeNull();
      compared += verdict.compared;
    }
    expect(compared).toBeGreaterThan(casesInWorkers * 10);
  }, 3_600_000);
});
