/** The optimizer against the naive answer, over random plans and histories; what it must never do, case by case. */
import { describe, expect, it } from "vitest";
import { schemaOf } from "../../src/batch/schema.ts";
import { bool, int4, text } from "../../src/batch/types.ts";
import * as build from "../../src/plan/build.ts";
import { explainPlan } from "../../src/plan/explain.ts";
import type { Datum, Expr, UserFunction } from "../../src/plan/expression.ts";
import type { FunctionId } from "../../src/plan/functions.ts";
import { branch, inputsOf } from "../../src/plan/inspect.ts";
import { optimize } from "../../src/plan/optimize.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { type Answer, answer } from "../dataflow/oracle.ts";
import { PlanMaker, Random, randomCommit, randomWorld } from "../dataflow/random-plans.ts";

function written(rows: Answer["rows"]): string[] {
  const text = (d: Datum) => (typeof d === "bigint" ? `${d}n` : Object.is(d, -0) ? "-0" : JSON.stringify(d));
  return rows.map((row) => row.map(text).join("|")).sort();
}

describe("random plans", () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))("keep their answer (seed %i)", (seed) => {
    const random = new Random(seed);
    const world = randomWorld();
    for (let i = 0; i < 12; i++) world.commits.push(randomCommit(random, world));
    const maker = new PlanMaker(random, world);
    for (let i = 0; i < 12; i++) {
      const plan = maker.plan(1 + random.below(4));
      const better = optimize(plan);
      const before = answer(plan, world.facts());
      const after = answer(better, world.facts());
      const shown = [...explainPlan(plan), "", ...explainPlan(better)].join("\n");
      const known = new Set(before.errors);
      expect(
        after.errors.filter((e) => !known.has(e)),
        shown,
      ).toEqual([]);
      // A column nobody reads may fail unseen; otherwise the same rows fail and the same remain.
      if (after.errors.length === before.errors.length)
        expect(written(after.rows), shown).toEqual(written(before.rows));
      expect(better.schema.fields.map((f) => [f.name, f.type])).toEqual(
        plan.schema.fields.map((f) => [f.name, f.type]),
      );
      if (plan.key !== null) expect(better.key, shown).not.toBeNull();
      expect(written(answer(optimize(better), world.facts()).rows), shown).toEqual(written(after.rows));
      checkClaims(better, after, shown);
    }
  });
});

/** What a plan says of its rows, its rows must keep: no null where none may be, no key twice. */
function checkClaims(plan: Plan, { rows }: Answer, shown: string): void {
  plan.schema.fields.forEach((field, i) => {
    if (!field.nullable)
      expect(
        rows.some((row) => row[i] === null),
        `${field.name} null in\n${shown}`,
      ).toBe(false);
  });
  if (plan.key === null) return;
  const keys = written(rows.map((row) => plan.key!.map((k) => row[k]!)));
  expect(new Set(keys).size, `key of\n${shown}`).toBe(keys.length);
}

const songs = build.source({
  id: 1,
  name: "songs",
  kind: "table",
  schema: schemaOf([
    { name: "id", type: int4, nullable: false },
    { name: "name", type: text, nullable: true },
    { name: "plays", type: int4, nullable: true },
  ]),
  key: [0],
  appendOnly: false,
});

const column = (index: number) => build.column(songs, index);
const one = build.constant(1, int4);
const call = (fn: FunctionId, args: readonly Expr[], type = bool): Expr => ({ kind: "call", fn, args, type });
const named = call("text_eq", [column(1), build.constant("x", text)]);
const ratio = call("int4_div", [one, column(2)], int4);
const fails = call("int4_gt", [ratio, one]);
const optimized = (plan: Plan) => explainPlan(optimize(plan)).join("\n");

describe("a fallible expression stays where it is", () => {
  it("and holds back the conjuncts behind it, not those before it", () => {
    const join = build.join({ type: "inner", left: songs, right: songs, leftKeys: [0], rightKeys: [0] });
    const plan = build.filter(join, { kind: "and", args: [named, fails, call("int4_gt", [column(0), one])] });
    expect(optimized(plan)).toBe(
      [
        "Filter: (id#1 > 1) and ((1 / plays#3) > 1)",
        "  ->  Inner join on id = id",
        "        ->  Filter: name = 'x'",
        "              ->  Source table songs",
        "        ->  Source table songs",
      ].join("\n"),
    );
  });

  it("when a filter would pass the project that computes it", () => {
    const plan = build.filter(build.project(songs, [ratio, column(1)], ["r", "name"]), {
      ...named,
      args: [{ kind: "column", index: 1, type: text, nullable: true }, build.constant("x", text)],
    } as Expr);
    expect(optimized(plan)).toMatch(/^Filter: name = 'x'\n {2}-> {2}Project: 1 \/ plays as r, name/);
  });

  it("when a second filter would share a predicate that goes on after null", () => {
    const plan = build.filter(build.filter(songs, named), fails);
    expect(optimized(plan)).toBe(
      "Filter: (1 / plays) > 1\n  ->  Filter: name = 'x'\n        ->  Source table songs",
    );
  });

  it("when a project would take it into a CASE", () => {
    const inner = build.project(songs, [ratio, column(1)], ["r", "name"]);
    const guarded: Expr = {
      kind: "case",
      branches: [branch({ kind: "isNull", arg: build.column(inner, 1) }, build.column(inner, 0))],
      otherwise: one,
      type: int4,
    };
    expect(optimized(build.project(inner, [guarded], ["x"]))).toMatch(
      /Project: case when .* as x\n {2}-> {2}Project: 1 \/ plays as r, name/,
    );
  });

  it("but is not computed at all when nobody reads it", () => {
    const inner = build.project(songs, [ratio, column(1)], ["r", "name"]);
    expect(optimized(build.projectColumns(inner, [1]))).toBe("Project: name\n  ->  Source table songs");
  });
});

describe("columns", () => {
  it("that a function of the user reads are kept, and moved", () => {
    const fn: UserFunction = {
      call: (row) => row,
      source: "(row) => row",
      rows: [{ fields: [{ name: "plays", column: 2 }], presentColumn: 0 }],
    };
    const plan = build.mapFunction(songs, fn, false, [{ name: "plays", type: int4, nullable: false }]);
    const better = optimize(plan);
    expect(optimized(plan)).toBe(
      "Map: (row) => row\n  ->  Project: id, plays\n        ->  Source table songs",
    );
    expect(better.kind === "mapFunction" && better.fn.rows).toEqual([
      { fields: [{ name: "plays", column: 1 }], presentColumn: 0 },
    ]);
  });

  it("that a top-k does not show still settle its ties", () => {
    const first = build.topK(songs, { partition: [], order: [], limit: 1, offset: 0 });
    expect(optimized(build.projectColumns(first, [1]))).toBe(
      "Project: name\n  ->  Top 1\n        ->  Source table songs",
    );
  });

  it("only a filter read do not reach a join", () => {
    const join = build.join({
      type: "inner",
      left: build.filter(songs, named),
      right: songs,
      leftKeys: [0],
      rightKeys: [0],
    });
    const left = inputsOf(inputsOf(optimize(build.projectColumns(join, [5])))[0]!)[0]!;
    expect(left.schema.fields.map((f) => f.name)).toEqual(["id"]);
  });
});
