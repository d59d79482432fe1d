/**
 * Mutants of the SQL that there is, some seeds of them: mutants/judge.ts says how they are made and what must hold. `npm run mutants -- --seeds 2000 --jobs 4` runs others.
 *
 * EVERT_SEED=n is where the seeds begin, EVERT_MUTANT_SEEDS how many there are.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { seed } from "../support/seed.ts";
import { readCorpus } from "./mutants/corpus.ts";
import { runSeed } from "./mutants/judge.ts";
import { Mutator } from "./mutants/mutate.ts";
import { Ring } from "./mutants/ring.ts";
import { textOf, tokensOf, treeOf } from "./mutants/tree.ts";
import { Postgres } from "./support/postgres.ts";

const seeds = Number(process.env["EVERT_MUTANT_SEEDS"] ?? 12);

describe("a tree of a statement", () => {
  it("has the tokens of its text, in their order", () => {
    const text = `SELECT a.b::numeric(5, 2)[], CASE WHEN x THEN 'it''s' ELSE E'\\'' END, "q""d", $$a b$$ -- said
      FROM t JOIN u USING (k) /* also */ WHERE a <= -1.5e3 AND (b || 'c') IN (SELECT 1 UNION ALL VALUES (2), (3)) ORDER BY 1`;
    expect(tokensOf(textOf(treeOf(text)))).toEqual(tokensOf(text));
    expect(tokensOf(text).slice(0, 8)).toEqual(["SELECT", "a", ".", "b", "::", "numeric", "(", "5"]);
  });

  it("is made of whatever is between brackets that are not closed, too", () => {
    for (const text of ["SELECT ((1", "CASE WHEN", ") SELECT [", ""])
      expect(tokensOf(textOf(treeOf(text)))).toEqual(tokensOf(text));
  });
});

it("a draw from a ring gives what it gave when an item comes, but for the new one's share", () => {
  const items = Array.from({ length: 500 }, (_, i) => `item ${i}`);
  const [few, more] = [items, [...items, "a new one"]].map((texts) => new Ring(texts, (text) => text));
  const random = new SeededRandom(1);
  const other = Array.from({ length: 2000 }, () => random.u32()).filter(
    (draw) => few!.at(draw) !== more!.at(draw),
  );
  expect(other.length).toBeLessThan(40);
  expect(new Set(other.map((draw) => more!.at(draw)))).toEqual(
    new Set(other.length === 0 ? [] : ["a new one"]),
  );
});

it("the same seed makes the same mutants", async () => {
  const corpus = await readCorpus();
  expect(corpus.athome.size).toBeGreaterThan(300);
  const mutants = (): string[] => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 50 }, () =>
      new Mutator(random, corpus).mutant(corpus.queries.at(random.u32())),
    );
  };
  expect(mutants()).toEqual(mutants());
});

describe("mutants", () => {
  let postgres: Postgres;

  beforeAll(async () => {
    postgres = await Postgres.open();
  });

  afterAll(() => postgres.close());

  it("are answered as PostgreSQL answers them, or refused; their views follow what is changed", async () => {
    let [compared, views] = [0, 0];
    for (let i = 0; i < seeds; i++) {
      const outcome = await runSeed(seed * 1000 + i, postgres, { statements: 40, shrinks: true });
      expect(outcome.findings).toEqual([]);
      compared += outcome.compared;
      views += outcome.views;
    }
    // Lest all are refused.
    expect(compared).toBeGreaterThan(seeds * 2);
    expect(views).toBeGreaterThan(seeds / 2);
  }, 3_600_000);
});
