/** Every function over a table of edge values, as PostgreSQL answers. */
import { describe, test } from "vitest";
import type { SqlType, TypeName } from "../../../src/batch/types.ts";
import { functionIds, functionInfo, resolveFunction, resolveOperator } from "../../../src/plan/functions.ts";
import {
  all,
  approximate,
  compare,
  literal,
  nearly,
  openJudge,
  product,
  resolvedCall,
  samples,
  withNull,
} from "./judge.ts";
import { call, column } from "./support.ts";

const judge = openJudge();

const functionCases: readonly (readonly [
  name: string,
  types: readonly TypeName[],
  ...values: (readonly (string | null)[])[],
])[] = [
  ["substring", ["text", "int4"], samples.text, ["-1", "0", "1", "2", "4", "100", "2147483647", null]],
  [
    "substr",
    ["text", "int4", "int4"],
    samples.text,
    ["-2147483648", "-1", "0", "1", "2", "3", "2147483647"],
    ["-1", "0", "1", "2", "2147483647"],
  ],
  ["left", ["text", "int4"], samples.text, ["-2147483648", "-2", "-1", "0", "1", "2", "100"]],
  ["right", ["text", "int4"], samples.text, ["-2147483648", "-2", "-1", "0", "1", "2", "100"]],
  ["replace", ["text", "text", "text"], samples.text, ["", "X", "a", "b", "語"], ["", "$&", "zz"]],
  ["strpos", ["text", "text"], samples.text, samples.text],
  ["position", ["text", "text"], ["abcabc", "日本語"], ["", "c", "語", null]],
  [
    "split_part",
    ["text", "text", "int4"],
    ["", "a,b,c", "aXbXc", "日本語"],
    ["", ",", "X", "本"],
    ["-4", "-3", "-1", "0", "1", "2", "3", "4"],
  ],
  ["repeat", ["text", "int4"], ["", "ab", "語"], ["-1", "0", "1", "3"]],
  ["repeat", ["text", "int4"], ["ab"], ["2147483647"]],
  ["lpad", ["text", "int4"], samples.text, ["-1", "0", "2", "6"]],
  ["lpad", ["text", "int4", "text"], samples.text, ["-1", "0", "2", "7"], ["", "x", "xy語"]],
  ["rpad", ["text", "int4"], samples.text, ["-1", "0", "2", "6"]],
  ["rpad", ["text", "int4", "text"], samples.text, ["-1", "0", "2", "7"], ["", "x", "xy語"]],
  ["btrim", ["text", "text"], ["", "xxaxx", "  a ", "語a語"], ["", "x", " ", "語x"]],
  ["ltrim", ["text", "text"], ["", "xxaxx", "  a ", "語a語"], ["", "x", " ", "語x"]],
  ["rtrim", ["text", "text"], ["", "xxaxx", "  a ", "語a語"], ["", "x", " ", "語x"]],
  ["starts_with", ["text", "text"], samples.text, ["", "a", "日"]],
  ["like_escape", ["text", "text"], ["", "a\\b", "a#%", "##", "#"], ["", "#", "\\", "ab", null]],
  ["concat", ["text", "int4"], [...samples.text, null], ["1", null]],
  ["concat", ["bool", "numeric"], ["true", "false", null], ["1.50", null]],
  ["concat", ["float8", "timestamptz"], ["1.5", null], [...samples.timestamptz, null]],
  ["concat_ws", ["text", "text", "int8"], [",", "", null], ["a", null], ["9223372036854775807", null]],
  ["round", ["numeric", "int4"], samples.numeric, ["-25", "-2", "-1", "0", "1", "2", "5", "20"]],
  ["trunc", ["numeric", "int4"], samples.numeric, ["-25", "-2", "-1", "0", "1", "2", "5", "20"]],
  [
    "log",
    ["numeric", "numeric"],
    ["2", "10", "0.5", "1", "0", "-1", "NaN", "Infinity"],
    ["2", "1024", "0.001", "1", "0", "-1", "NaN", "Infinity", "123456789.123"],
  ],
  [
    "power",
    ["numeric", "numeric"],
    samples.numeric,
    [
      "0",
      "1",
      "-1",
      "2",
      "3",
      "-2",
      "0.5",
      "-0.5",
      "2.5",
      "10",
      "NaN",
      "Infinity",
      "-Infinity",
      "2147483648",
    ],
  ],
  ["mod", ["int4", "int8"], samples.int4, samples.int8],
  [
    "greatest",
    ["int4", "int8", "numeric"],
    [...samples.int4, null],
    [...samples.int8, null],
    ["0", "1e20", "NaN", null],
  ],
  ["least", ["float8", "float8"], [...samples.float8, null], [...samples.float8, null]],
  ["greatest", ["text", "text"], [...samples.text, null], [...samples.text, null]],
  ["least", ["timestamptz", "timestamptz"], [...samples.timestamptz, null], samples.timestamptz],
  ["greatest", ["bool", "bool"], ["true", "false", null], ["true", "false", null]],
  [
    "to_timestamp",
    ["float8"],
    [
      "0",
      "1.5",
      "-1.5",
      "1e9",
      "1234567890.123456",
      "0.0000005",
      "NaN",
      "Infinity",
      "-Infinity",
      "1e300",
      "-1e300",
      "-210866803200",
    ],
  ],
];

describe("functions", () => {
  const tried = new Set(functionCases.map(([name]) => name));
  for (const [name, typeNames, ...values] of functionCases) {
    const types = typeNames.map((n): SqlType => ({ name: n }));
    test(`${name}(${typeNames.join(", ")})`, () =>
      compare(
        judge,
        (args) =>
          name === "position"
            ? `pg_catalog."position"(${args})`
            : `${name === "left" || name === "right" ? `"${name}"` : name}(${args.join(", ")})`,
        () => {
          const resolution = resolveFunction(name, types);
          return { expr: resolvedCall(resolution, types), type: resolution.resultType };
        },
        types,
        product(values),
        approximate.has(name) && typeNames[0] === "float8" ? nearly : undefined,
      ));
  }
  const unary = [
    ...new Set(
      functionIds
        .map(functionInfo)
        .filter((f) => f.args.length === 1 && !f.variadic)
        .flatMap((f) => f.names),
    ),
  ];
  // The grammar makes calls of its own of these, and its messages name a schema.
  const special = new Set(["normalize", "json_object"]);
  for (const name of unary) {
    if (special.has(name)) continue;
    if (tried.has(name) && name === "to_timestamp") continue;
    test(`${name} of one argument`, async () => {
      for (const type of all) {
        await compare(
          judge,
          ([a]) => `${name}(${a})`,
          () => {
            const resolution = resolveFunction(name, [type]);
            return { expr: resolvedCall(resolution, [type]), type: resolution.resultType };
          },
          [type],
          withNull(type).map((v) => [v]),
          approximate.has(name) ? nearly : undefined,
        );
      }
    });
  }
});

describe("LIKE", () => {
  const patterns = [
    "",
    "%",
    "_",
    "a%",
    "%c",
    "%b%",
    "a_c",
    "_%_",
    "%%",
    "a\\%",
    "a\\",
    "%\\",
    "\\a%",
    "ABC",
    "A%c",
    "%X%X%",
    "日%",
    "a_b",
    "\\\\",
  ];
  for (const op of ["~~", "!~~", "~~*", "!~~*"]) {
    test(op, async () => {
      const types: SqlType[] = [{ name: "text" }, { name: "text" }];
      const resolution = resolveOperator(op, types);
      await compare(
        judge,
        ([s, p]) => `${s} ${op} ${p}`,
        () => ({ expr: resolvedCall(resolution, types), type: resolution.resultType }),
        types,
        product([withNull(types[0]!), [...patterns, null]]),
      );
      for (const pattern of patterns) {
        const fixed = call(resolution.fn, [
          column(0, types[0]!),
          { kind: "const", value: pattern, type: types[1]! },
        ]);
        await compare(
          judge,
          ([s]) => `${s} ${op} ${literal(pattern, types[1]!)}`,
          () => ({ expr: fixed, type: resolution.resultType }),
          [types[0]!],
          withNull(types[0]!).map((v) => [v]),
        );
      }
    });
  }
});

describe("parts of times", () => {
  const units = [
    "microseconds",
    "milliseconds",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "decade",
    "century",
    "millennium",
    "isoyear",
    "dow",
    "isodow",
    "doy",
    "epoch",
    "julian",
    "timezone",
    "timezone_hour",
    "timezone_minute",
    "HOUR",
    "years",
    "sec",
    "mins",
    "fortnight",
    "",
  ];
  const time: SqlType = { name: "timestamptz" };
  const text: SqlType = { name: "text" };
  for (const name of ["extract", "date_part", "date_trunc"]) {
    for (const unit of units) {
      test(`${name} ${unit}`, async () => {
        const { fn, resultType } = resolveFunction(name, [text, time]);
        const asked = ([t]: readonly string[]) => `pg_catalog."${name}"('${unit}', ${t})`;
        const rows = withNull(time).map((v) => [v]);
        const fixed = call(fn, [{ kind: "const", value: unit, type: text }, column(0, time)]);
        await compare(judge, asked, () => ({ expr: fixed, type: resultType }), [time], rows);
        const computed = call(fn, [
          call("text_concat", [
            { kind: "const", value: unit, type: text },
            { kind: "const", value: "", type: text },
          ]),
          column(0, time),
        ]);
        await compare(judge, asked, () => ({ expr: computed, type: resultType }), [time], rows);
      });
    }
  }
});
