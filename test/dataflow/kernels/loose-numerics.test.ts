/** Sums and products of numerics whose digits may be more than a double holds: exact whether they are or not, beside the interpreter. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { SqlType } from "../../../src/batch/types.ts";
import type { Expr } from "../../../src/plan/expression.ts";
import { call, column, constant, interpret, runCompiled } from "./support.ts";

const numeric: SqlType = { name: "numeric" };
const money: SqlType = { name: "numeric", precision: 15, scale: 2 };
const wide: SqlType = { name: "numeric", precision: 18, scale: 4 };
const columns = [
  { type: money, nullable: false },
  { type: wide, nullable: false },
  { type: money, nullable: true },
];

const unscaled = (digits: number) =>
  fc.oneof(
    fc.bigInt({ min: -(10n ** BigInt(digits)) + 1n, max: 10n ** BigInt(digits) - 1n }),
    fc.bigInt({ min: -20_000n, max: 20_000n }),
    fc.constantFrom(0n, 1n, -1n, 9_007_199_254_740_991n % 10n ** BigInt(digits)),
  );
const row = fc.tuple(unscaled(15), unscaled(18), fc.option(unscaled(15)));

const leaf: fc.Arbitrary<Expr> = fc.constantFrom<Expr>(
  column(0, money, false),
  column(1, wide, false),
  column(2, money, true),
  constant("1", numeric),
  constant("-0.05", numeric),
  constant("999999999999999.9999", numeric),
);
const { tree } = fc.letrec<{ tree: Expr; branch: Expr }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, leaf, tie("branch")),
  branch: fc
    .tuple(fc.constantFrom("numeric_add", "numeric_sub", "numeric_mul"), tie("tree"), tie("tree"))
    .map(([fn, a, b]) => call(fn as "numeric_add", [a, b], numeric)),
}));

test("are the interpreter's", () => {
  fc.assert(
    fc.property(tree, fc.array(row, { minLength: 1, maxLength: 8 }), (expr, rows) => {
      const whole = call("numeric_add", [expr, constant("0", numeric)], numeric);
      const types = columns.map(({ type }) => type);
      expect(runCompiled(whole, numeric, columns, rows)).toEqual(rows.map((r) => interpret(whole, r, types)));
    }),
    { numRuns: 1_000 },
  );
});

test("a comparison and a cast take them, too", () => {
  const product = call("numeric_mul", [column(0, money, false), column(1, wide, false)], numeric);
  const larger = call("numeric_gt", [product, constant("1000000.5", numeric)]);
  const cast = call("numeric_to_numeric", [product], { name: "numeric", precision: 20, scale: 1 });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
      for (const expr of [larger, cast])
        expect(runCompiled(expr, expr.type, columns, rows)).toEqual(rows.map((r) => interpret(expr, r)));
    }),
  );
});

test("a call of constants is computed once, and one that fails where a row comes", () => {
  const day = constant(10_561, { name: "date" });
  const span = call("date_to_timestamp", [day]);
  const plus = (a: number) =>
    call("int4_add", [constant(a, { name: "int4" }), constant(1, { name: "int4" })]);
  const rows = [[1n, 2n, null]];
  for (const expr of [span, plus(41), plus(2 ** 31 - 1)])
    expect(runCompiled(expr, expr.type, columns, rows)).toEqual([interpret(expr, rows[0]!)]);
  expect(runCompiled(plus(2 ** 31 - 1), { name: "int4" }, columns, [])).toEqual([]);
});

test("midnights near and far", () => {
  const date: SqlType = { name: "date" };
  const days = fc.oneof(
    fc.integer({ min: -2_451_545, max: 2_145_031_948 }),
    fc.integer({ min: -104_251, max: 104_251 }),
    fc.constantFrom(-104_250, -104_249, 104_249, 104_250, 2 ** 31 - 1, -(2 ** 31)),
  );
  const expr = call("date_to_timestamp", [column(0, date, false)]);
  fc.assert(
    fc.property(fc.array(days, { minLength: 1 }), (list) => {
      const rows = list.map((d) => [d]);
      const compiled = runCompiled(expr, expr.type, [{ type: date, nullable: false }], rows);
      expect(compiled).toEqual(rows.map((r) => interpret(expr, r)));
    }),
  );
});
