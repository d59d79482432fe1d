/**
 * PostgreSQL is the judge: after every commit of a random history every one of a set of random views, some of them over others, holds what
 * the same query gives in PGlite. EVERT_ORACLE_RUNS=2000 looks longer.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { commitTo } from "./support/commit.ts";
import { createTable, forPostgres, type ViewText } from "./support/grammar.ts";
import { commitText } from "./support/history.ts";
import { allHold } from "./support/holds.ts";
import { openInMemory } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";
import { type Program, programs } from "./support/program.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

const runs = Number(process.env["EVERT_ORACLE_RUNS"] ?? 150);

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(async () => {
  await postgres.close();
});

function floatsOf(view: ViewText): ReadonlySet<number> {
  return new Set(view.columns.flatMap((c, i) => (c.kind === "float8" ? [i] : [])));
}

/** The values the rows are ordered by, row after row. */
function orderValues(view: ViewText, rows: readonly TextRow[]): unknown {
  return rows.map((row) => view.order.map((o) => row[o.column]));
}

async function run({ bases, views, commits }: Program): Promise<void> {
  await postgres.reset();
  const engine = await openInMemory();
  const told: string[] = [];
  const say = (ours: string, theirs = ours): string => {
    told.push(`${ours};`);
    return theirs;
  };
  const random = new SeededRandom(commits.length);
  // Views come before, between and after the commits; the order keeps a view behind those it reads.
  const due = views.map(() => random.below(commits.length + 1)).sort((a, b) => a - b);
  let made = 0;
  const makeViews = async (at: number): Promise<void> => {
    for (; made < views.length && (due[made] as number) <= at; made++) {
      const { name, sql } = views[made] as ViewText;
      await postgres.define(`CREATE VIEW ${name} AS ${forPostgres(sql)}`);
      const { error } = await engine.sql(say(`CREATE MATERIALIZED VIEW ${name} AS ${sql}`));
      expect(error).toBeUndefined();
    }
    await engine.built();
  };
  const compare = async (): Promise<void> => {
    for (const view of views.slice(0, made)) {
      const theirs = await postgres.query(`SELECT * FROM ${view.name}`);
      const ours = await maintained(engine, view.name);
      expect(theirs.refused).toBeNull();
      if ("sqlstate" in ours) throw new Error(`${view.name} fails with ${ours.sqlstate}`);
      const wrong = difference(ours, theirs.rows, floatsOf(view));
      if (wrong !== null) throw new Error(`${view.name}: ${wrong}`);
      const floating = view.order.some((o) => view.columns[o.column]?.kind === "float8");
      if (!floating) expect(orderValues(view, ours)).toEqual(orderValues(view, theirs.rows));
    }
  };
  try {
    for (const base of bases) {
      await postgres.define(createTable(base, "postgres"));
      const { error } = await engine.sql(say(createTable(base, "evert")));
      expect(error).toBeUndefined();
    }
    for (let i = 0; i <= commits.length; i++) {
      await makeViews(i);
      await compare();
      const commit = commits[i];
      if (commit === undefined) break;
      say(commitText(commit));
      const theirs = await postgres.transaction(commit.postgres);
      const ours = await commitTo(engine, commit);
      expect(ours.refused).toBe(theirs.refused);
      if (ours.affected !== null) expect(ours.affected).toBe(theirs.affected);
    }
    await allHold(engine, Object.fromEntries(views.map((view) => [view.name, view.sql])));
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${told.join("\n")}`, { cause: error });
  } finally {
    await engine.close();
  }
}

it("every view holds what PostgreSQL answers, after every commit", async () => {
  await fc.assert(fc.asyncProperty(programs, run), { numRuns: runs });
}, 3_600_000);
