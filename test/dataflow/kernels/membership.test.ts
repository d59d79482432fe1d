/** Lists of constants are one lookup: the compiled loop answers what comparing one by one answers, and compares nothing. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrayOf, enumOf, isSmallNumeric, type SqlType } from "../../../src/batch/types.ts";
import { compileFilterProject } from "../../../src/dataflow/kernels/filter-project.ts";
import type { Datum, Expr } from "../../../src/plan/expression.ts";
import type { FunctionId } from "../../../src/plan/functions.ts";
import { typeOf } from "../../../src/plan/inspect.ts";
import { Dictionary } from "../../../src/state/dictionary.ts";
import { anyValue } from "../../batch/arbitraries.ts";
import { call, column, constant, datum, interpret, runCompiled } from "./support.ts";

const named = (name: SqlType["name"]): SqlType => ({ name });
const bool = named("bool");
const int4 = named("int4");
const types: SqlType[] = [
  int4,
  named("int2"),
  named("int8"),
  named("date"),
  named("time"),
  named("timestamp"),
  named("timestamptz"),
  named("float4"),
  named("float8"),
  named("numeric"),
  { name: "numeric", precision: 12, scale: 3 },
  { name: "numeric", precision: 18, scale: 2 },
  named("text"),
  named("bytea"),
  named("uuid"),
  named("interval"),
  named("jsonb"),
  enumOf("mood", ["sad", "ok", "happy"]),
  arrayOf(int4),
];

/** Of a small numeric the unscaled integer. */
function someOf(type: SqlType): fc.Arbitrary<Datum> {
  if (!isSmallNumeric(type)) return anyValue(type) as fc.Arbitrary<Datum>;
  const most = 10n ** BigInt(type.precision ?? 0) - 1n;
  return fc.oneof(fc.bigInt(-9n, 9n), fc.bigInt(-most, most));
}

function among(x: Expr, type: SqlType, values: readonly Datum[]): Expr {
  const fn = `${type.name}_eq` as FunctionId;
  return { kind: "or", args: values.map((v) => call(fn, [x, constant(v, type)], bool)) };
}

function sourceOf(expr: Expr, type: SqlType): string {
  const dictionary = new Dictionary();
  const input = [{ type, nullable: true }];
  const { source, dispose } = compileFilterProject({ input, predicate: null, exprs: [expr], dictionary });
  dispose();
  return source;
}

describe.each(types.map((type) => [`${type.name} ${type.precision ?? ""}`, type] as const))(
  "%s",
  (_, type) => {
    test("as one by one", () => {
      const values = fc.array(someOf(type), { minLength: 8, maxLength: 20 });
      fc.assert(
        fc.property(
          values,
          fc.array(someOf(type), { maxLength: 6 }),
          fc.boolean(),
          (given, others, withNull) => {
            const constants: Datum[] = withNull ? [...given, null] : given;
            const rows = [...given, ...others, null].map((value) => [value]);
            const found = among(column(0, type), type, constants);
            for (const expr of [found, { kind: "not", arg: found } as const]) {
              expect(runCompiled(expr, bool, [{ type, nullable: true }], rows)).toEqual(
                rows.map((row) => interpret(expr, row)),
              );
            }
          },
        ),
        { numRuns: 40 },
      );
    });

    test("is a lookup", () => {
      const [first] = fc.sample(someOf(type), { numRuns: 1, seed: 5 });
      const list = Array.from({ length: 5000 }, () => first as Datum);
      const source = sourceOf(among(column(0, type), type, list), type);
      expect(source).toContain(".has(");
      expect(source.split("\n").length).toBeLessThan(40);
    });
  },
);

const ints = "{3,1,4,1,5,9,2,6,NULL}";

test.each(["any_eq", "all_ne"] as const)("%s of a constant array", (fn) => {
  for (const text of [ints, ints.replace(",NULL", ""), "{{1,2,3,4},{5,6,7,8}}", "{}", "{1}"]) {
    const expr = call(fn, [column(0, int4), constant(datum(text, arrayOf(int4)), arrayOf(int4))], bool);
    const rows = [[1], [7], [10], [null]];
    expect(runCompiled(expr, bool, [{ type: int4, nullable: true }], rows)).toEqual(
      rows.map((row) => interpret(expr, row)),
    );
    expect(sourceOf(expr, int4).includes(".has(")).toBe(text.length > 12);
  }
});

test("a numeric that was just computed is among them by value", () => {
  const type = named("numeric");
  const x = call("numeric_mul", [column(0, type), constant("0.10", type)], type);
  const list = Array.from({ length: 9 }, (_, i) => `${i}.500`);
  const expr = among(x, type, list);
  const rows = [["5"], ["25"], ["NaN"], ["85.00"], ["86"], [null]];
  expect(runCompiled(expr, bool, [{ type, nullable: true }], rows)).toEqual(
    rows.map((r) => interpret(expr, r)),
  );
});

test("other conditions stay between, in their places", () => {
  const x = column(0, int4);
  const list = (from: number): readonly Expr[] => {
    const made = among(
      x,
      int4,
      Array.from({ length: 9 }, (_, i) => from + i),
    );
    return made.kind === "or" ? made.args : [];
  };
  const division = call("int4_div", [constant(1, int4), call("int4_sub", [x, constant(20, int4)])]);
  const fails = call("int4_eq", [division, constant(5, int4)], bool);
  const expr: Expr = { kind: "or", args: [...list(0), fails, ...list(15)] };
  const rows = [[0], [8], [12], [15], [20], [null]];
  expect(typeOf(expr)).toEqual(bool);
  expect(runCompiled(expr, bool, [{ type: int4, nullable: true }], rows)).toEqual(
    rows.map((r) => interpret(expr, r)),
  );
});
