/**
 * Random schemas, queries and histories, judged by PostgreSQL after every commit (random/judge.ts says how). What was found once stands in
 * random-cases/ and is judged anew each time. The wide cases (random/wide/) go to the ends of the types and take constructs that the others
 * have not; the others keep to values of which every order of computing is right, and go deeper.
 *
 * EVERT_SEED=n is where the seeds of the cases begin, EVERT_CASES how many there are, EVERT_CASES_IN_WORKERS how many of them are judged once more with worker
 * threads, EVERT_WIDE_CASES how many wide ones there are, EVERT_CASES_TO a folder that takes those that fail.
 * `npm run soak -- 20 test/engine/random-cases.test.ts` looks at other seeds.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { caseText, makeCase, readCase } from "./random/case.ts";
import { caseSeed, hunt, warmOf } from "./random/hunt.ts";
import { judge } from "./random/judge.ts";
import { makeWideCase } from "./random/wide/case.ts";
import { Postgres } from "./support/postgres.ts";

const cases = Number(process.env["EVERT_CASES"] ?? 40);
/** How many of them are judged once more with their views in worker threads. */
const casesInWorkers = Number(process.env["EVERT_CASES_IN_WORKERS"] ?? 6);
const wideCases = Number(process.env["EVERT_WIDE_CASES"] ?? 25);
const folder = join(import.meta.dirname, "random-cases");

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

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
    const { compared, left } = await hunt(postgres, cases, makeCase);
    // Lest all are refused.
    expect(compared).toBeGreaterThan(cases * 10);
    expect(left.length).toBeLessThan(cases);
  }, 3_600_000);

  it("is the same where two workers keep its views", async () => {
    let compared = 0;
    for (let i = 0; i < casesInWorkers; i++) {
      const events = makeCase(caseSeed(i));
      const verdict = await judge(postgres, events, { workers: 2, warm: warmOf(i) });
      expect(
        verdict.wrong === null ? null : `-- case ${caseSeed(i)}\n${verdict.wrong}\n${caseText(events)}`,
      ).toBeNull();
      compared += verdict.compared;
    }
    expect(compared).toBeGreaterThan(casesInWorkers * 10);
  }, 3_600_000);
});

describe("a wide case", () => {
  it("holds what PostgreSQL answers, with types to their ends and every construct", async () => {
    const { compared, left } = await hunt(postgres, wideCases, makeWideCase);
    expect(compared).toBeGreaterThan(wideCases * 10);
    expect(left.length).toBeLessThan(wideCases);
  }, 3_600_000);
});
