/**
 * Every function of the registry over a table of edge values, compared with PostgreSQL itself (PGlite): text output, or
 * SQLSTATE and message. Resolution is compared along the way: arguments are given with the types of the values, not of the function.
 */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import type { SqlType, TypeName } from "../../../src/batch/types.ts";
import type { Expr } from "../../../src/plan/expression.ts";
import {
  commonType,
  functionIds,
  functionInfo,
  type Resolution,
  resolveCast,
  resolveFunction,
  resolveOperator,
  sqlTypeName,
} from "../../../src/plan/functions.ts";
import { call, column, datum, datumText, interpret, type Outcome, runCompiled } from "./support.ts";

type Said = string | null;

let postgres: PGlite;

beforeAll(async () => {
  postgres = new PGlite();
  await postgres.exec(`CREATE FUNCTION try(expression text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE result text;
    BEGIN
      EXECUTE 'SELECT (SELECT x::text FROM (SELECT ' || expression || ') AS t(x))' INTO result;
      RETURN 'is ' || result;
    EXCEPTION WHEN OTHERS THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
    END $$`);
}, 60_000);

afterAll(() => postgres.close());

async function ask(expressions: readonly string[]): Promise<Said[]> {
  const { rows } = await postgres.query<{ said: Said }>(
    "SELECT try(e) AS said FROM unnest($1::text[]) WITH ORDINALITY AS t(e, n) ORDER BY n",
    [expressions],
  );
  return rows.map((r) => r.said);
}

/** Values by type; each also as null. */
const samples: Record<Exclude<TypeName, "jsonb">, readonly string[]> = {
  int4: ["0", "1", "-1", "2", "7", "-7", "10", "2147483647", "-2147483648", "46341"],
  int8: [
    "0",
    "1",
    "-1",
    "3",
    "-10",
    "9007199254740991",
    "-9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "-9223372036854775808",
    "4611686018427387904",
    "3037000500",
  ],
  float8: [
    "0",
    "-0",
    "1",
    "-1",
    "0.5",
    "1.5",
    "2.5",
    "-2.5",
    "0.1",
    "1e15",
    "123456789.125",
    "1e308",
    "-1e308",
    "5e-324",
    "NaN",
    "Infinity",
    "-Infinity",
    "9223372036854775807",
    "-9223372036854775808",
    "2147483647.4",
    "1e-5",
  ],
  numeric: [
    "0",
    "0.00",
    "1",
    "-1",
    "1.50",
    "-2.5",
    "0.5",
    "3",
    "10",
    "99.995",
    "0.0001",
    "-0.00012345",
    "12345678901234567890.123",
    "1e20",
    "9223372036854775807.5",
    "2147483647.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "0.9",
    "1.05",
  ],
  bool: ["true", "false"],
  text: [
    "",
    "a",
    "abc",
    "ABC",
    "aXbXc",
    " trim me  ",
    "été",
    "日本語",
    "a\u{1F600}b",
    "%",
    "a_c",
    "a%",
    "\\",
    "xyx",
    "hello WORLD o'neil 3rd",
  ],
  timestamptz: [
    "1970-01-01 00:00:00+00",
    "2000-02-29 12:34:56.789012+00",
    "1969-12-31 23:59:59.999999+00",
    "2024-12-30 06:07:08+00",
    "1683-01-01 00:00:00+00",
    "0001-01-01 00:00:00+00",
    "0044-03-15 10:00:00+00 BC",
    "2500-07-04 01:02:03.5+00",
    "1900-01-01 00:00:00+00",
    "2001-01-01 00:00:00+00",
    "infinity",
    "-infinity",
  ],
};

const names: Record<TypeName, string> = {
  int4: "int4",
  int8: "int8",
  float8: "float8",
  numeric: "numeric",
  bool: "bool",
  text: "text",
  timestamptz: "timestamptz",
  jsonb: "jsonb",
};

function literal(value: string | null, type: SqlType): string {
  return value === null
    ? `NULL::${names[type.name]}`
    : `'${value.replaceAll("'", "''")}'::${names[type.name]}`;
}

/** The call of a resolved function on the columns 0.. */
function resolvedCall(resolution: Resolution, types: readonly SqlType[]): Expr {
  const args = types.map((type, i): Expr => {
    const cast = resolution.argCasts[i]!;
    return cast === null ? column(i, type) : call(cast, [column(i, type)], resolution.argTypes[i]!);
  });
  return call(resolution.fn, args, resolution.resultType);
}

function said(outcome: Outcome, type: SqlType): Said {
  if (!("datum" in outcome)) return `error ${outcome.sqlstate} ${outcome.message}`;
  if (outcome.datum === null) return null;
  // x::text of a bool is not its output form.
  return `is ${type.name === "bool" ? String(outcome.datum) : datumText(outcome.datum, type)}`;
}

/** Compares all rows; reports every difference at once. */
async function compare(
  sql: (args: readonly string[]) => string,
  resolve: () => { expr: Expr; type: SqlType },
  types: readonly SqlType[],
  rows: readonly (readonly (string | null)[])[],
  same: (ours: Said, theirs: Said) => boolean = (ours, theirs) => ours === theirs,
): Promise<void> {
  const asked = rows.map((row) => sql(row.map((v, i) => literal(v, types[i]!))));
  const theirs = await ask(asked);
  let made: { expr: Expr; type: SqlType };
  try {
    made = resolve();
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
    const ours = `error ${error.sqlstate} ${error.message}`;
    expect(
      theirs.every((t) => t === ours),
      `${asked[0]}: ${ours} / ${theirs[0]}`,
    ).toBe(true);
    return;
  }
  const data = rows.map((row) => row.map((v, i) => datum(v, types[i]!)));
  const compiled = runCompiled(
    made.expr,
    made.type,
    types.map((type) => ({ type, nullable: true })),
    data,
  );
  const differences: string[] = [];
  rows.forEach((_, k) => {
    const interpreted = said(interpret(made.expr, data[k]!), made.type);
    const ours = said(compiled[k]!, made.type);
    if (interpreted !== ours) differences.push(`${asked[k]}: compiled ${ours}, interpreted ${interpreted}`);
    else if (!same(ours, theirs[k]!)) differences.push(`${asked[k]}: ours ${ours}, PostgreSQL ${theirs[k]}`);
  });
  expect(differences).toEqual([]);
}

function product(lists: readonly (readonly (string | null)[])[]): (string | null)[][] {
  return lists.reduce<(string | null)[][]>(
    (rows, list) => rows.flatMap((row) => list.map((v) => [...row, v])),
    [[]],
  );
}

function withNull(type: SqlType): (string | null)[] {
  return [...samples[type.name as keyof typeof samples], null];
}

/** glibc, musl and V8 round these differently in the last digits. */
const approximate = new Set(["exp", "ln", "log", "power", "^", "sqrt"]);

/** Equal but for the last digits of a double. */
function nearly(ours: Said, theirs: Said): boolean {
  if (ours === theirs) return true;
  if (ours === null || theirs === null || !ours.startsWith("is ") || !theirs.startsWith("is ")) return false;
  const [a, b] = [Number(ours.slice(3)), Number(theirs.slice(3))];
  return Math.abs(a - b) <= Math.abs(b) * 1e-13;
}

const all: SqlType[] = [
  { name: "int4" },
  { name: "int8" },
  { name: "float8" },
  { name: "numeric" },
  { name: "bool" },
  { name: "text" },
  { name: "timestamptz" },
];

describe("operators", () => {
  const symbols = [...new Set(functionIds.map((id) => functionInfo(id).op).filter((op) => op !== null))];
  for (const symbol of symbols) {
    test(`${symbol} of two arguments`, { timeout: 60_000 }, async () => {
      for (const left of all) {
        for (const right of all) {
          const types = [left, right];
          const resolve = () => {
            const resolution = resolveOperator(symbol, types);
            return { expr: resolvedCall(resolution, types), type: resolution.resultType };
          };
          try {
            resolve();
          } catch (error) {
            // What PostgreSQL has and we do not yet is refused by name.
            if (error instanceof EvertError && error.code === "feature_not_supported") continue;
          }
          const inexact = approximate.has(symbol) ? nearly : undefined;
          await compare(
            ([a, b]) => `${a} ${symbol} ${b}`,
            resolve,
            types,
            product(types.map(withNull)),
            inexact,
          );
        }
      }
    });
  }
  for (const symbol of ["-", "+", "@", "|/"]) {
    test(`${symbol} of one argument`, async () => {
      for (const type of all) {
        await compare(
          ([a]) => `${symbol} ${a}`,
          () => {
            const resolution = resolveOperator(symbol, [type]);
            return { expr: resolvedCall(resolution, [type]), type: resolution.resultType };
          },
          [type],
          withNull(type).map((v) => [v]),
        );
      }
    });
  }
});

describe("resolution with bare literals", () => {
  const symbols = ["=", "<", "+", "-", "*", "/", "%", "^", "||", "~~", "^@"];
  const calls = [
    "abs",
    "round",
    "trunc",
    "power",
    "mod",
    "log",
    "length",
    "left",
    "substr",
    "strpos",
    "date_trunc",
    "extract",
    "concat",
    "coalesce",
    "greatest",
    "sqrt",
    "to_timestamp",
    "lpad",
    "starts_with",
  ];

  async function agree(sql: string, resolve: () => SqlType): Promise<void> {
    const theirs = (await ask([`pg_typeof(${sql})`]))[0]?.replace("pg_catalog.", "");
    let ours: Said;
    try {
      ours = `is ${sqlTypeName(resolve())}`;
    } catch (error) {
      if (!(error instanceof EvertError)) throw error;
      if (error.code === "feature_not_supported") return;
      ours = `error ${error.sqlstate} ${error.message}`;
    }
    expect(`${sql}: ${ours}`).toBe(`${sql}: ${theirs}`);
  }

  const some: (SqlType | null)[] = [...all, null];
  const sqlOf = (type: SqlType | null) => (type === null ? "NULL" : `NULL::${type.name}`);

  for (const symbol of symbols) {
    test(symbol, async () => {
      for (const left of some) {
        for (const right of some) {
          await agree(
            `${sqlOf(left)} ${symbol} ${sqlOf(right)}`,
            () => resolveOperator(symbol, [left, right]).resultType,
          );
        }
      }
    });
  }
  for (const name of calls) {
    test(name, async () => {
      const resolve = (types: (SqlType | null)[]) => {
        if (name !== "coalesce") return resolveFunction(name, types).resultType;
        const common = commonType(types);
        if (common !== undefined) return common;
        const known = types.map(sqlTypeName);
        throw new EvertError(
          "datatype_mismatch",
          `COALESCE types ${known[0]} and ${known[1]} cannot be matched`,
        );
      };
      const called = name === "extract" || name === "left" ? `pg_catalog."${name}"` : name;
      for (const first of some) {
        if (name !== "extract") await agree(`${called}(${sqlOf(first)})`, () => resolve([first]));
        // Two arguments make it the length of bytes in an encoding.
        if (name === "length") continue;
        for (const second of some)
          await agree(`${called}(${sqlOf(first)}, ${sqlOf(second)})`, () => resolve([first, second]));
      }
    });
  }
});

describe("casts", () => {
  for (const from of all) {
    for (const to of [
      ...all,
      { name: "numeric", precision: 5, scale: 2 } as const,
      { name: "numeric", precision: 20, scale: 3 } as const,
    ]) {
      if (from.name === "text") continue;
      test(`${from.name} to ${to.name}(${"precision" in to ? to.precision : ""})`, async () => {
        const target = "precision" in to ? `numeric(${to.precision},${to.scale})` : to.name;
        const resolve = () => {
          const found = resolveCast(from, to, "explicit");
          if (found === undefined) throw new EvertError("cannot_coerce", "");
          return {
            expr: found.fn === null ? column(0, from) : call(found.fn, [column(0, from)], to),
            type: to,
          };
        };
        const same = (ours: Said, theirs: Said) =>
          ours === theirs || (ours ?? "").startsWith("error 0A000 NaN cannot be stored");
        if (resolveCast(from, to, "explicit") === undefined) {
          const [theirs] = await ask([
            `${literal(samples[from.name as keyof typeof samples][0]!, from)}::${target}`,
          ]);
          expect(theirs).toMatch(/^error 42846/);
        } else {
          await compare(
            ([a]) => `${a}::${target}`,
            resolve,
            [from],
            withNull(from).map((v) => [v]),
            same,
          );
        }
      });
    }
  }
});

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
    test(`${name}(${typeNames.join(", ")})`, { timeout: 60_000 }, () =>
      compare(
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
      ),
    );
  }
  const unary = [
    ...new Set(
      functionIds
        .map(functionInfo)
        .filter((f) => f.args.length === 1 && !f.variadic)
        .flatMap((f) => f.names),
    ),
  ];
  for (const name of unary) {
    if (tried.has(name) && name === "to_timestamp") continue;
    test(`${name} of one argument`, { timeout: 60_000 }, async () => {
      for (const type of all) {
        await compare(
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
        await compare(asked, () => ({ expr: fixed, type: resultType }), [time], rows);
        const computed = call(fn, [
          call("text_concat", [
            { kind: "const", value: unit, type: text },
            { kind: "const", value: "", type: text },
          ]),
          column(0, time),
        ]);
        await compare(asked, () => ({ expr: computed, type: resultType }), [time], rows);
      });
    }
  }
});

describe("three-valued logic", () => {
  const boolType: SqlType = { name: "bool" };
  const int: SqlType = { name: "int4" };
  const truth = ["true", "false", null];
  const [a, b, c] = [0, 1, 2].map((i) => column(i, boolType)) as [Expr, Expr, Expr];
  const both: [sql: (args: readonly string[]) => string, expr: Expr][] = [
    [([x, y, z]) => `${x} AND ${y} AND ${z}`, { kind: "and", args: [a, b, c] }],
    [([x, y, z]) => `${x} OR ${y} OR ${z}`, { kind: "or", args: [a, b, c] }],
    [
      ([x, y, z]) => `NOT (${x} AND NOT ${y}) OR ${z}`,
      { kind: "or", args: [{ kind: "not", arg: { kind: "and", args: [a, { kind: "not", arg: b }] } }, c] },
    ],
    [([x, y]) => `${x} IS DISTINCT FROM ${y}`, { kind: "isDistinct", left: a, right: b, equal: "bool_eq" }],
    [
      ([x, y, z]) => `(${x} AND ${y}) IS NULL OR ${z}`,
      { kind: "or", args: [{ kind: "isNull", arg: { kind: "and", args: [a, b] } }, c] },
    ],
    [([x, y, z]) => `COALESCE(${x}, ${y}, ${z})`, { kind: "coalesce", args: [a, b, c], type: boolType }],
    [
      ([x, y, z]) => `CASE WHEN ${x} THEN ${y} WHEN ${y} THEN ${z} ELSE ${x} END`,
      {
        kind: "case",
        branches: [
          [a, b],
          [b, c],
        ].map(([when, then]) => ({ when: when!, then: then! })),
        otherwise: a,
        type: boolType,
      },
    ],
  ];
  for (const [sql, expr] of both) {
    test(sql(["a", "b", "c"]), () =>
      compare(
        sql,
        () => ({ expr, type: boolType }),
        [boolType, boolType, boolType],
        product([truth, truth, truth]),
      ),
    );
  }

  test("nothing is evaluated that need not be", () => {
    const types = [boolType, int];
    const inverse = call("int4_div", [{ kind: "const", value: 1, type: int }, column(1, int)]);
    const expr: Expr = {
      kind: "case",
      branches: [
        {
          when: {
            kind: "and",
            args: [a, call("int4_gt", [inverse, { kind: "const", value: 0, type: int }])],
          },
          then: inverse,
        },
      ],
      otherwise: { kind: "coalesce", args: [column(1, int), inverse], type: int },
      type: int,
    };
    return compare(
      ([x, y]) =>
        `CASE WHEN p AND 1 / n > 0 THEN 1 / n ELSE COALESCE(n, 1 / n) END FROM (SELECT ${x} AS p, ${y} AS n OFFSET 0) AS _`,
      () => ({ expr, type: int }),
      types,
      product([truth, ["0", "1", "-1", "2", null]]),
    );
  });
});

describe("text input", () => {
  const inputs: Partial<Record<TypeName, readonly string[]>> = {
    int4: ["1", " 42 ", "-0", "+7", "2147483648", "x", "", "1.5", "0x1F", "1_000"],
    int8: ["9223372036854775807", "9223372036854775808", "abc", "-9223372036854775808"],
    float8: ["1e400", "1e-400", "inf", "-Infinity", "nan", "1.5e3", "x", ""],
    numeric: ["1.50", "1e5", "1.5e-3", "NaN", "-inf", "x", "", "00012.300"],
    bool: ["t", "yes", "off", "1", "0", "2", "maybe", " true "],
    timestamptz: ["2024-05-06 07:08:09.1+00", "infinity", "2024-02-30", "2024-05-06T07:08:09+02", "epoch"],
  };
  for (const [name, values] of Object.entries(inputs)) {
    test(`text to ${name}`, () => {
      const to: SqlType = { name: name as TypeName };
      const text: SqlType = { name: "text" };
      const { fn } = resolveCast(text, to, "explicit")!;
      return compare(
        ([a]) => `${a}::${name}`,
        () => ({ expr: call(fn!, [column(0, text)], to), type: to }),
        [text],
        [...values, null].map((v) => [v]),
      );
    });
  }
});
