/** Random expressions over random rows: the compiled loop answers what the interpreter answers, value or error. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  arrayOf,
  baseTypes,
  enumOf,
  isSmallNumeric,
  type SqlType,
  type TypeName,
} from "../../../src/batch/types.ts";
import type { ChunkColumnSpec } from "../../../src/dataflow/chunk.ts";
import type { Datum, Expr } from "../../../src/plan/expression.ts";
import { type FunctionId, functionIds, functionInfo, isTyped } from "../../../src/plan/functions.ts";
import { typeOf } from "../../../src/plan/inspect.ts";
import { anyValue } from "../../batch/arbitraries.ts";
import { call, column, constant, interpret, runCompiled, runFilter } from "./support.ts";

const INT8_MAX = 2n ** 63n - 1n;

const wholes = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt(-20n, 20n) },
  fc.constantFrom(
    2n ** 53n - 1n,
    -(2n ** 53n) + 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    -(2n ** 53n),
    INT8_MAX,
    -INT8_MAX - 1n,
    2n ** 62n,
    3037000500n,
  ),
  fc.bigInt(-INT8_MAX - 1n, INT8_MAX),
);

const decimals = fc.oneof(
  fc.constantFrom(
    "0",
    "0.00",
    "1",
    "-1.50",
    "2.5",
    "0.001",
    "NaN",
    "Infinity",
    "-Infinity",
    "99999999999999999999.5",
    "100",
  ),
  fc.tuple(fc.bigInt(-(10n ** 17n), 10n ** 17n), fc.integer({ min: 0, max: 12 })).map(([u, scale]) => {
    const digits = String(u < 0n ? -u : u).padStart(scale + 1, "0");
    const sign = u < 0n ? "-" : "";
    return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  }),
);

const texts = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "ab",
    "aB c",
    "%",
    "_a%",
    "a\\",
    "42",
    "1.5",
    "true",
    "2024-05-06",
    "hour",
    "year",
    "été",
    "\u{1F600}x",
  ),
  fc.string({ unit: "grapheme", maxLength: 8 }).filter((s) => !/[\0\ud800-\udfff]/u.test(s)),
);

const finiteTimes = fc.oneof(
  fc.bigInt(-(10n ** 15n), 2n * 10n ** 15n),
  fc.bigInt(-210_866_803_200_000_000n, 9_223_372_036_000_000_000n),
);

function datumOf(type: SqlType): fc.Arbitrary<Exclude<Datum, null>> {
  switch (type.name) {
    case "int4":
      return fc.oneof(
        fc.integer({ min: -10, max: 10 }),
        fc.constantFrom(2147483647, -2147483648, 46341),
        fc.integer(),
      );
    case "int8":
      return wholes;
    case "float8":
      return fc.oneof(
        fc.integer({ min: -4, max: 4 }),
        fc.constantFrom(0.5, -0, 1e308, 5e-324, 2.5, 2 ** 53 + 2),
        fc.double(),
      );
    case "numeric":
      if (!isSmallNumeric(type)) return decimals;
      return fc.bigInt(-(10n ** BigInt(type.precision!)) + 1n, 10n ** BigInt(type.precision!) - 1n);
    case "bool":
      return fc.boolean();
    case "text":
      return texts;
    case "timestamptz":
      return fc.oneof(finiteTimes, fc.constantFrom(INT8_MAX, -INT8_MAX - 1n, 0n, -1n));
    case "jsonb":
      return fc.constantFrom("1", "{}", '{"a": [1, 2]}', "null");
    default:
      return anyValue(type);
  }
}

const columnTypes: readonly SqlType[] = [
  { name: "int4" },
  { name: "int8" },
  { name: "float8" },
  { name: "numeric" },
  { name: "bool" },
  { name: "text" },
  { name: "timestamptz" },
  { name: "jsonb" },
  { name: "numeric", precision: 6, scale: 2 },
  { name: "numeric", precision: 18, scale: 4 },
  { name: "numeric", precision: 12, scale: 0 },
  ...baseTypes.filter((t) => !/^(int[48]|float8|numeric|bool|text|timestamptz|jsonb)$/.test(t.name)),
  arrayOf({ name: "numeric" }),
  enumOf("mood", ["sad", "ok", "happy"]),
];

/** What takes any array or enum gets those. */
function concrete(type: SqlType): SqlType {
  return columnTypes.find((t) => t.name === type.name && t.precision === undefined)!;
}

/** Each type twice: columns 0.. may be null, the rest never are. */
const columns: readonly ChunkColumnSpec[] = [
  ...columnTypes.map((type) => ({ type, nullable: true })),
  ...columnTypes.map((type) => ({ type, nullable: false })),
];

const rows = fc.array(
  fc.tuple(...columns.map((c) => (c.nullable ? fc.option(datumOf(c.type), { freq: 4 }) : datumOf(c.type)))),
  { minLength: 1, maxLength: 20 },
);

/** Too slow with arguments that grow without bound, or not a function of its arguments. */
const left: ReadonlySet<FunctionId> = new Set<FunctionId>([
  "timestamptz_now",
  "integer_to_bytea",
  "bytea_to_integer",
  "numeric_pow",
  "numeric_exp",
  "numeric_ln",
  "numeric_log",
  "numeric_log_base",
  "numeric_sqrt",
  "text_repeat",
  "text_lpad",
  "text_lpad_with",
  "text_rpad",
  "text_rpad_with",
  "int8_factorial",
]);

/** Not to be called by name, and given only what the plan's maker promises. */
const promised = new Set<FunctionId>(["domain_holds", "last_row"]);

/** Every array is one of numerics here. */
const givesOtherArray = ({ name, element }: SqlType) =>
  name === "array" && element !== undefined && element.name !== "numeric";

/** Rows say their fields' types: test/engine/queries/rows.sql has their cases. */
const isOfRows = ({ args, result }: { readonly args: readonly SqlType[]; readonly result: SqlType }) =>
  [...args, result].some(({ name }) => name === "record");

/** The polymorphic ones say no argument types here: test/sql/functions has their cases. */
const usable = functionIds.filter(
  (id) =>
    !givesOtherArray(functionInfo(id).result) &&
    !isOfRows(functionInfo(id)) &&
    !left.has(id) &&
    !promised.has(id) &&
    !(isTyped(id) && functionInfo(id).args.length === 0),
);

function callOf(id: FunctionId, depth: number): fc.Arbitrary<Expr> {
  const { args, variadic, result } = functionInfo(id);
  if (id === "array_make") {
    const type = concrete(result);
    return fc
      .array(expressionOf(type.element!, depth - 1), { maxLength: 3 })
      .map((list) => call(id, list, type));
  }
  const given = variadic ? [...args, args[args.length - 1]!] : args;
  return fc
    .tuple(...given.map((t) => expressionOf(concrete(t), depth - 1)))
    .map((list) => call(id, list, concrete(result)));
}

function expressionOf(type: SqlType, depth: number): fc.Arbitrary<Expr> {
  const ofType = columns.flatMap((c, i) =>
    c.type.name === type.name ? [column(i, c.type, c.nullable)] : [],
  );
  const leaves: fc.Arbitrary<Expr>[] = [
    fc.constantFrom(...ofType),
    fc.constantFrom(...ofType),
    fc.option(datumOf(type), { freq: 8 }).map((v) => constant(v, type)),
  ];
  if (depth === 0) return fc.oneof(...leaves);
  const below = (t: SqlType = type) => expressionOf(t, depth - 1);
  const ids = usable.filter((id) => functionInfo(id).result.name === type.name);
  const inner: fc.Arbitrary<Expr>[] =
    ids.length === 0 ? [] : [0, 1, 2].map(() => fc.constantFrom(...ids).chain((id) => callOf(id, depth)));
  const bool: SqlType = { name: "bool" };
  inner.push(
    fc
      .tuple(fc.array(fc.tuple(below(bool), below()), { minLength: 1, maxLength: 2 }), below())
      .map(([pairs, otherwise]): Expr => {
        const branches = pairs.map(([when, then]) => ({ when, then }));
        return { kind: "case", branches, otherwise, type };
      }),
    fc.array(below(), { minLength: 1, maxLength: 3 }).map((args): Expr => ({ kind: "coalesce", args, type })),
  );
  if (type.name === "bool") inner.push(...predicates(depth));
  return fc.oneof(...leaves, ...inner, ...inner);
}

function predicates(depth: number): fc.Arbitrary<Expr>[] {
  const bool: SqlType = { name: "bool" };
  const below = () => expressionOf(bool, depth - 1);
  const types = columnTypes.filter((t) => t.precision === undefined);
  const anyType = fc.constantFrom(...types);
  const equalType = fc.constantFrom(
    ...types.filter((t) => functionIds.includes(`${t.name}_eq` as FunctionId)),
  );
  return [
    fc
      .tuple(
        fc.constantFrom("and" as const, "or" as const),
        fc.array(below(), { minLength: 1, maxLength: 3 }),
      )
      .map(([kind, args]): Expr => ({ kind, args })),
    below().map((arg): Expr => ({ kind: "not", arg })),
    anyType.chain((t) => expressionOf(t, depth - 1)).map((arg): Expr => ({ kind: "isNull", arg })),
    equalType.chain((t) =>
      fc.tuple(expressionOf(t, depth - 1), expressionOf(t, depth - 1)).map(([a, b]): Expr => {
        return { kind: "isDistinct", left: a, right: b, equal: `${t.name as "int4"}_eq` };
      }),
    ),
  ];
}

function agrees(expr: Expr, data: readonly (readonly Datum[])[]): void {
  const compiled = runCompiled(expr, typeOf(expr), columns, data);
  const interpreted = data.map((row) => interpret(expr, row));
  expect(compiled).toEqual(interpreted);
}

describe("compiled and interpreted agree", () => {
  for (const name of [
    "int4",
    "int8",
    "float8",
    "numeric",
    "bool",
    "text",
    "timestamptz",
  ] satisfies TypeName[]) {
    const type: SqlType = { name };
    test(`on random expressions of ${name}`, () => {
      fc.assert(
        fc.property(expressionOf(type, 3), rows, (expr, data) => agrees(expr, data)),
        { numRuns: 300 },
      );
    });
  }

  test("on casts to a numeric with precision", () => {
    const targets: SqlType[] = [
      { name: "numeric", precision: 6, scale: 2 },
      { name: "numeric", precision: 18, scale: 4 },
      { name: "numeric", precision: 18, scale: 0 },
      { name: "numeric", precision: 30, scale: 3 },
    ];
    const sources: [FunctionId, TypeName][] = [
      ["numeric_to_numeric", "numeric"],
      ["int4_to_numeric", "int4"],
      ["int8_to_numeric", "int8"],
      ["float8_to_numeric", "float8"],
      ["text_to_numeric", "text"],
    ];
    const casts = fc
      .tuple(fc.constantFrom(...sources), fc.constantFrom(...targets))
      .chain(([[id, from], to]) => expressionOf({ name: from }, 2).map((arg) => call(id, [arg], to)));
    fc.assert(
      fc.property(casts, rows, (expr, data) => agrees(expr, data)),
      { numRuns: 300 },
    );
  });

  test("on which rows a predicate keeps and fails for", () => {
    const part = expressionOf({ name: "bool" }, 2);
    const predicate = fc
      .array(part, { minLength: 1, maxLength: 4 })
      .map((args): Expr => ({ kind: "and", args }));
    fc.assert(
      fc.property(predicate, rows, (condition, data) => {
        const interpreted = data.map((row) => interpret(condition, row));
        expect(runFilter(condition, columns, data)).toEqual(
          interpreted.map((o) => ("datum" in o ? { datum: o.datum === true } : o)),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("on each function alone", () => {
    for (const id of usable) {
      fc.assert(
        fc.property(callOf(id, 1), rows, (expr, data) => agrees(expr, data)),
        { numRuns: 10 },
      );
    }
  });
});
