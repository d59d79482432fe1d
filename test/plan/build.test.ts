/** Keys, nullability and append-only of each kind of node; and that a node cannot be changed. */
import { describe, expect, it } from "vitest";
import { AssertionError } from "../../src/base/assert.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { bool, int4, int8, numeric, type SqlType, text } from "../../src/batch/types.ts";
import * as build from "../../src/plan/build.ts";
import type { Expr } from "../../src/plan/expression.ts";
import type { Aggregate, Plan } from "../../src/plan/plan.ts";

function relation(id: number, kind: "stream" | "table" | "view", key: readonly number[] | null): Plan {
  const fields = [
    { name: "a", type: int4, nullable: false },
    { name: "b", type: text, nullable: true },
    { name: "c", type: int8, nullable: false },
  ];
  return build.source({
    id,
    name: `r${id}`,
    kind,
    schema: schemaOf(fields),
    key,
    appendOnly: kind === "stream",
  });
}

const table = relation(1, "table", [0]);
const pairs = relation(2, "table", [0, 1]);
const stream = relation(3, "stream", null);

const isTrue = build.constant(true, bool);
const sum: Aggregate = { fn: "sum", arg: build.column(table, 0), filter: null, type: int8, reducer: null };
const count: Aggregate = { fn: "count", arg: null, filter: null, type: int8, reducer: null };

const join = (type: "inner" | "left", left: Plan, right: Plan, leftKeys: number[], rightKeys: number[]) =>
  build.join({ type, left, right, leftKeys, rightKeys });
const nullable = (plan: Plan) => plan.schema.fields.map((f) => f.nullable);

describe("keys", () => {
  it.each<[string, Plan, readonly number[] | null]>([
    ["a source's", table, [0]],
    ["none of a stream", stream, null],
    ["kept by a filter", build.filter(table, isTrue), [0]],
    ["moved by a project", build.projectColumns(pairs, [2, 1, 0]), [2, 1]],
    ["lost by a project without it", build.projectColumns(pairs, [0, 2]), null],
    [
      "extended by a series",
      build.series(table, build.column(table, 0), build.constant(3, int4), build.constant(1, int4), "n"),
      [0, 3],
    ],
    ["both sides' of a join", join("inner", table, pairs, [1], [1]), [0, 3, 4]],
    ["the left's where the right matches once", join("inner", pairs, table, [0], [0]), [0, 1]],
    ["the right's where the left matches once", join("inner", table, pairs, [0], [0]), [3, 4]],
    ["not the right's in a left join", join("left", table, pairs, [0], [0]), [0, 3, 4]],
    ["none with a stream", join("inner", stream, table, [0], [0]), null],
    [
      "the groups'",
      build.group(table, [build.column(table, 1), build.column(table, 2)], [count], ["b", "c", "n"]),
      [0, 1],
    ],
    [
      "some of the groups'",
      build.group(table, [build.column(table, 0), build.column(table, 1)], [count], ["a", "b", "n"], [0]),
      [0],
    ],
    ["one row without groups", build.group(table, [], [count], ["n"]), []],
    ["all columns of a distinct", build.distinct(stream), [0, 1, 2]],
    ["the input's of a distinct", build.distinct(table), [0]],
    ["none of a union", build.union([table, table]), null],
    ["the input's of a top-k", build.topK(table, { partition: [1], order: [], limit: 1, offset: 0 }), [0]],
    [
      "the partition's of the first of each",
      build.topK(stream, { partition: [1], order: [], limit: 1, offset: 0 }),
      [1],
    ],
    [
      "none of the first two of each",
      build.topK(stream, { partition: [1], order: [], limit: 2, offset: 0 }),
      null,
    ],
    ["empty for one row", build.oneRow(), []],
    ["none for two rows", build.values([{ name: "x", type: int4 }], [[1], [1]]), null],
  ])("%s", (_, plan, key) => {
    expect(plan.key).toEqual(key);
  });
});

describe("append-only", () => {
  it.each<[string, Plan, boolean]>([
    ["a stream", stream, true],
    ["a table", table, false],
    ["a filter of a stream", build.filter(stream, isTrue), true],
    ["a join of streams", join("inner", stream, stream, [0], [0]), true],
    ["a left join of streams", join("left", stream, stream, [0], [0]), false],
    ["a join with a table", join("inner", stream, table, [0], [0]), false],
    [
      "an as-of join",
      build.asOfJoin({ type: "left", left: stream, right: table, leftKeys: [0], rightKeys: [0] }),
      true,
    ],
    ["distinct rows of a stream", build.distinct(stream), true],
    ["groups of a stream", build.group(stream, [], [count], ["n"]), false],
    ["the first of a stream", build.topK(stream, { partition: [], order: [], limit: 1, offset: 0 }), false],
    ["a union of streams", build.union([stream, stream]), true],
    ["a union with a table", build.union([stream, table]), false],
  ])("%s", (_, plan, appendOnly) => {
    expect(plan.appendOnly).toBe(appendOnly);
  });
});

describe("nullability", () => {
  it("of the right side of a left join", () => {
    expect(nullable(join("left", table, table, [0], [0]))).toEqual([false, true, false, true, true, true]);
    expect(nullable(join("inner", table, table, [0], [0]))).toEqual([false, true, false, false, true, false]);
  });

  it("of an aggregate: only where there may be nothing to work on", () => {
    const keys = [build.column(table, 1)];
    expect(nullable(build.group(table, keys, [sum, count], ["b", "s", "n"]))).toEqual([true, false, false]);
    expect(nullable(build.group(table, [], [sum, count], ["s", "n"]))).toEqual([true, false]);
    expect(nullable(build.group(table, keys, [{ ...sum, filter: isTrue }], ["b", "s"]))).toEqual([
      true,
      true,
    ]);
  });

  it("of values and unions: where any row has one", () => {
    const some = build.values([{ name: "a", type: int4 }], [[1], [null]]);
    const none = build.values([{ name: "a", type: int4 }], [[1]]);
    expect([nullable(some), nullable(none), nullable(build.union([none, some]))]).toEqual([
      [true],
      [false],
      [true],
    ]);
  });

  it("of a strict call: where an argument is", () => {
    const length = (c: number): Expr => ({
      kind: "call",
      fn: "text_length",
      args: [build.column(table, c)],
      type: int4,
    });
    const coalesced: Expr = { kind: "coalesce", args: [length(1), build.constant(0, int4)], type: int4 };
    expect(nullable(build.project(table, [length(1), coalesced], ["x", "y"]))).toEqual([true, false]);
  });
});

describe("a node", () => {
  it("is frozen, with all it owns", () => {
    const plan = build.filter(table, { kind: "and", args: [isTrue, isTrue] });
    expect(() => Object.assign(plan, { key: null })).toThrow(TypeError);
    expect(() => Object.assign(plan.predicate, { kind: "or" })).toThrow(TypeError);
    expect(Object.isFrozen(plan.schema.fields[0])).toBe(true);
  });

  const small: SqlType = { name: "numeric", precision: 10, scale: 2 };
  const prices = (type: SqlType) => build.values([{ name: "p", type }], []);

  it.each<[string, () => Plan]>([
    ["a predicate that is no boolean", () => build.filter(table, build.column(table, 0))],
    [
      "a column that is not there",
      () => build.filter(stream, { kind: "isNull", arg: { ...build.column(table, 0), index: 9 } }),
    ],
    ["join keys of two types", () => join("inner", table, table, [0], [2])],
    ["join keys stored in two ways", () => join("inner", prices(small), prices(numeric), [0], [0])],
    [
      "an inner apply with a condition of its own",
      () =>
        build.apply({
          id: 1,
          type: "inner",
          left: table,
          right: table,
          residual: build.constant(true, { name: "bool" }),
        }),
    ],
    [
      "a union of two types",
      () => build.union([build.projectColumns(table, [0]), build.projectColumns(table, [2])]),
    ],
    ["a datum of another type", () => build.values([{ name: "x", type: int8 }], [[1]])],
    [
      "an as-of join of a table",
      () => build.asOfJoin({ type: "inner", left: table, right: table, leftKeys: [0], rightKeys: [0] }),
    ],
    [
      "an as-of join on half a key",
      () => build.asOfJoin({ type: "inner", left: stream, right: pairs, leftKeys: [0], rightKeys: [0] }),
    ],
    ["a sum of nothing", () => build.group(table, [], [{ ...sum, arg: null }], ["s"])],
    ["a limit below zero", () => build.topK(table, { partition: [], order: [], limit: -1, offset: 0 })],
  ])("is not made of %s", (_, make) => {
    expect(make).toThrow(AssertionError);
  });
});
