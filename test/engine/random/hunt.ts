/** Random cases one after another, each judged by PostgreSQL; one that fails is made smaller and printed as a case that replays. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { seed } from "../../support/seed.ts";
import type { Postgres } from "../support/postgres.ts";
import { type Case, caseText } from "./case.ts";
import { judge, type Verdict } from "./judge.ts";
import { shrink } from "./shrink.ts";

const shrinkMs = Number(process.env["EVERT_SHRINK_MS"] ?? 30_000);
const output = process.env["EVERT_CASES_TO"];

/** The seed of the case with this number. */
export function caseSeed(number: number): number {
  return (seed * 100_003 + number) >>> 0;
}

/** Of every third case, rows of tables go to disk as soon as they may. */
export function warmOf(number: number): 0 | undefined {
  return process.env["EVERT_WARM"] === "0" || number % 3 === 2 ? 0 : undefined;
}

/** What is alike in all forms of one failure. */
function inShort(wrong: string): string {
  return wrong
    .replace(/view v\d+/, "view")
    .replace(/\d+ rows where.*/s, "rows")
    .replace(/\n.*/s, "")
    .replace(/after .*:/, "after:")
    .replace(/changes \d+ rows.*/, "changes");
}

export interface Hunted {
  readonly compared: number;
  /** Views that were left out. */
  readonly left: readonly string[];
}

/** @throws Error whose message is the failing cases: the first, or all of them where EVERT_CASES_TO takes them. */
export async function hunt(postgres: Postgres, count: number, make: (seed: number) => Case): Promise<Hunted> {
  const left: string[] = [];
  const found: string[] = [];
  let compared = 0;
  if (output !== undefined) mkdirSync(output, { recursive: true });
  for (let i = 0; i < count; i++) {
    const events = make(caseSeed(i));
    const verdict = await judgeHurried(postgres, events, i);
    compared += verdict.compared;
    left.push(...verdict.left);
    if (verdict.wrong === null) continue;
    const small = await shrink(events, {
      failure: async (c) => {
        const { wrong } = await judgeHurried(postgres, c, i);
        return wrong === null ? null : inShort(wrong);
      },
      until: performance.now() + shrinkMs,
    });
    const said = (await judgeHurried(postgres, small, i)).wrong ?? verdict.wrong;
    const text = `-- case ${caseSeed(i)}\n${said.replace(/^/gm, "-- ")}\n${caseText(small)}`;
    found.push(text);
    if (output === undefined) break;
    writeFileSync(join(output, `${caseSeed(i)}.sql`), text);
  }
  if (output !== undefined) {
    writeFileSync(join(output, "left.txt"), left.join("\n"));
    console.log(`${count} cases, ${compared} comparisons, ${left.length} views left out`);
  }
  if (found.length > 0) throw new Error(found.join("\n\n"));
  return { compared, left };
}

/** Every second case runs against a clock by which everything takes long: each bound on a turn of the event loop strikes, at its first look. */
async function judgeHurried(postgres: Postgres, events: Case, number: number): Promise<Verdict> {
  const now = performance.now.bind(performance);
  if (number % 2 === 1) vi.spyOn(performance, "now").mockImplementation(() => now() * 500);
  try {
    return await judge(postgres, events, { warm: warmOf(number) });
  } catch (error) {
    return { wrong: `threw ${(error as Error).stack}`, compared: 0, left: [] };
  } finally {
    vi.restoreAllMocks();
  }
}
