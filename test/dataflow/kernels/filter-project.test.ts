import { describe, expect, test } from "vitest";
import type { SqlType } from "../../../src/batch/types.ts";
import { type ChunkColumnSpec, createChunk } from "../../../src/dataflow/chunk.ts";
import type { ScalarError } from "../../../src/dataflow/kernels/errors.ts";
import { compileFilterProject } from "../../../src/dataflow/kernels/filter-project.ts";
import type { Datum, Expr, UserFunction } from "../../../src/plan/expression.ts";
import { typeOf } from "../../../src/plan/inspect.ts";
import { Dictionary, WIDE } from "../../../src/state/dictionary.ts";
import { call, column, constant, interpret, putDatum, runCompiled, takeDatum } from "./support.ts";

const int4: SqlType = { name: "int4" };
const int8: SqlType = { name: "int8" };
const text: SqlType = { name: "text" };
const bool: SqlType = { name: "bool" };
const required = (type: SqlType): ChunkColumnSpec => ({ type, nullable: false });
const optional = (type: SqlType): ChunkColumnSpec => ({ type, nullable: true });

function fill(
  dictionary: Dictionary,
  columns: readonly ChunkColumnSpec[],
  rows: readonly (readonly Datum[])[],
) {
  const chunk = createChunk(columns, rows.length);
  rows.forEach((row, i) => {
    for (const [k, c] of columns.entries()) putDatum(dictionary, chunk, k, i, c.type, row[k]!);
    chunk.weights[i] = i % 2 === 0 ? 1 : -1;
    chunk.commits[i] = 10 + i;
  });
  chunk.length = rows.length;
  return chunk;
}

describe("filter", () => {
  const columns = [optional(int4)];
  const data = [[1], [5], [null], [9], [0], [7]];
  const above = call("int4_gt", [column(0, int4), constant(4, int4)]);

  test("keeps the rows for which the predicate is true, with weight and commit", () => {
    const dictionary = new Dictionary();
    const kernel = compileFilterProject({ input: columns, predicate: above, exprs: null, dictionary });
    const input = fill(dictionary, columns, data);
    const output = createChunk(kernel.output);
    expect(kernel.run(input, 0, output, fails)).toBe(6);
    expect([...output.columns[0]!.subarray(0, output.length)]).toEqual([5, 9, 7]);
    expect([...output.weights.subarray(0, output.length)]).toEqual([-1, -1, -1]);
    expect([...output.commits.subarray(0, output.length)]).toEqual([11, 13, 15]);
  });

  test("stops where the output is full and goes on from there", () => {
    const dictionary = new Dictionary();
    const kernel = compileFilterProject({ input: columns, predicate: above, exprs: null, dictionary });
    const input = fill(dictionary, columns, data);
    const seen: number[] = [];
    let from = 0;
    while (from < input.length) {
      const output = createChunk(kernel.output, 2);
      from = kernel.run(input, from, output, fails);
      seen.push(...output.columns[0]!.subarray(0, output.length));
    }
    expect(seen).toEqual([5, 9, 7]);
  });

  test("appends behind what the output holds already", () => {
    const dictionary = new Dictionary();
    const kernel = compileFilterProject({ input: columns, predicate: above, exprs: null, dictionary });
    const input = fill(dictionary, columns, data);
    const output = createChunk(kernel.output);
    kernel.run(input, 0, output, fails);
    kernel.run(input, 3, output, fails);
    expect([...output.columns[0]!.subarray(0, output.length)]).toEqual([5, 9, 7, 9, 7]);
  });

  test("an error behind a null conjunct is not skipped", () => {
    const dictionary = new Dictionary();
    const inverse = call("int4_div", [constant(1, int4), column(0, int4)]);
    const predicate: Expr = {
      kind: "and",
      args: [
        call("int4_eq", [column(1, int4), constant(1, int4)]),
        call("int4_gt", [inverse, constant(0, int4)]),
      ],
    };
    const two = [required(int4), optional(int4)];
    const kernel = compileFilterProject({ input: two, predicate, exprs: null, dictionary });
    const input = fill(dictionary, two, [
      [0, null],
      [0, 2],
      [1, 1],
    ]);
    const errors: number[] = [];
    const output = createChunk(kernel.output);
    kernel.run(input, 0, output, (row) => errors.push(row));
    expect(errors).toEqual([0]);
    expect(output.length).toBe(1);
  });
});

describe("errors", () => {
  test("a row that fails leaves nothing, is told with its place, and the next goes on", () => {
    const dictionary = new Dictionary();
    const columns = [required(int4), required(int4)];
    const exprs = [
      column(0, int4, false),
      call("int4_div", [column(0, int4, false), column(1, int4, false)]),
    ];
    const kernel = compileFilterProject({ input: columns, predicate: null, exprs, dictionary });
    const input = fill(dictionary, columns, [
      [6, 2],
      [1, 0],
      [-2147483648, -1],
      [9, 3],
    ]);
    const errors: [number, ScalarError][] = [];
    const output = createChunk(kernel.output);
    expect(kernel.run(input, 0, output, (row, error) => errors.push([row, error]))).toBe(4);
    expect(errors).toEqual([
      [1, { code: "division_by_zero", sqlstate: "22012", message: "division by zero" }],
      [2, { code: "numeric_value_out_of_range", sqlstate: "22003", message: "integer out of range" }],
    ]);
    expect([...output.columns[1]!.subarray(0, output.length)]).toEqual([3, 3]);
  });

  test("a projected null has the value 0", () => {
    const sum = call("int4_add", [column(0, int4), column(1, int4)]);
    const outcomes = runCompiled(
      sum,
      int4,
      [optional(int4), optional(int4)],
      [
        [1, null],
        [null, 2],
        [3, 4],
      ],
    );
    expect(outcomes).toEqual([{ datum: null }, { datum: null }, { datum: 7 }]);
  });
});

describe("wide integers", () => {
  const max = 2n ** 63n - 1n;
  const cases: [Expr, Datum[], unknown][] = [
    [call("int8_sub", [column(0, int8), column(1, int8)]), [max, max], { datum: 0n }],
    [call("int8_sub", [column(0, int8), column(1, int8)]), [max, max - 5n], { datum: 5n }],
    [call("int8_mul", [column(0, int8), column(1, int8)]), [max, 0n], { datum: 0n }],
    [call("int8_add", [column(0, int8), column(1, int8)]), [2n ** 53n - 1n, 1n], { datum: 2n ** 53n }],
    [
      call("int8_add", [column(0, int8), column(1, int8)]),
      [max, 1n],
      { sqlstate: "22003", message: "bigint out of range" },
    ],
    [call("int8_lt", [column(0, int8), column(1, int8)]), [-max, 0n], { datum: true }],
    [call("int8_eq", [column(0, int8), column(1, int8)]), [max, max], { datum: true }],
  ];
  test.each(cases)("%#", (expr, row, outcome) => {
    expect(runCompiled(expr, typeOf(expr), [required(int8), required(int8)], [row])).toEqual([outcome]);
  });

  test("equal integers have equal codes however they came about", () => {
    const dictionary = new Dictionary();
    const columns = [required(int8), required(int8)];
    const exprs = [call("int8_add", [column(0, int8, false), column(1, int8, false)])];
    const kernel = compileFilterProject({ input: columns, predicate: null, exprs, dictionary });
    const input = fill(dictionary, columns, [
      [2n ** 60n, 1n],
      [2n ** 60n - 1n, 2n],
      [-5n, 5n],
    ]);
    const output = createChunk(kernel.output);
    kernel.run(input, 0, output, fails);
    const codes = output.columns[0]!;
    expect(codes[0]).toBe(codes[1]);
    expect(codes[0]).toBeGreaterThanOrEqual(WIDE);
    expect(Object.is(codes[2], 0)).toBe(true);
  });
});

describe("the generated source", () => {
  test("holds no text of the query", () => {
    const dictionary = new Dictionary();
    const evil = "`); process.exit(1); //";
    const predicate = call("text_eq", [column(0, text), constant(evil, text)]);
    const kernel = compileFilterProject({ input: [optional(text)], predicate, exprs: null, dictionary });
    expect(kernel.source).toMatch(/^function filterProject\(/);
    expect(kernel.source).not.toContain("process");
  });

  test("holds its constants until it is disposed of", () => {
    const dictionary = new Dictionary();
    const before = dictionary.size;
    const predicate = call("text_eq", [column(0, text), constant("only here", text)]);
    const kernel = compileFilterProject({ input: [optional(text)], predicate, exprs: null, dictionary });
    dictionary.collect();
    expect(dictionary.size).toBe(before + 1);
    kernel.dispose();
    dictionary.collect();
    expect(dictionary.size).toBe(before);
  });
});

describe("functions of the user", () => {
  const types: SqlType[] = [
    int4,
    int8,
    { name: "float8" },
    { name: "numeric" },
    { name: "numeric", precision: 8, scale: 2 },
    { name: "bool" },
    text,
    { name: "timestamptz" },
    { name: "jsonb" },
  ];
  const names = ["i", "big", "f", "n", "price", "b", "t", "at", "__proto__"];
  const row: Datum[] = [7, 2n ** 60n, 1.5, "1.50", 1250n, true, "été", 1_000_000n, '{"a": [1]}'];

  function userFunction(
    run: (row: Record<string, unknown>) => unknown,
    presentColumn: number | null = null,
  ): UserFunction {
    const fields = names.map((name, i) => ({ name, column: i }));
    return { call: run as UserFunction["call"], source: run.toString(), rows: [{ fields, presentColumn }] };
  }

  function outcomes(
    run: (row: Record<string, unknown>) => unknown,
    type: SqlType,
    data: Datum[][] = [row],
    present: number | null = null,
  ) {
    const expr: Expr = { kind: "js", fn: userFunction(run, present), type };
    const compiled = runCompiled(expr, type, types.map(optional), data);
    expect(compiled).toEqual(data.map((r) => interpret(expr, r, types)));
    return compiled;
  }

  test("see frozen rows in TypeScript's forms", () => {
    let seen: Record<string, unknown> = {};
    outcomes((r) => {
      seen = r;
      return null;
    }, int4);
    expect(Object.isFrozen(seen)).toBe(true);
    expect(Object.entries(seen)).toEqual([
      ["i", 7],
      ["big", 2n ** 60n],
      ["f", 1.5],
      ["n", "1.50"],
      ["price", "12.50"],
      ["b", true],
      ["t", "été"],
      ["at", "1970-01-01T00:00:01+00:00"],
      ["__proto__", { a: [1] }],
    ]);
    expect(Object.isFrozen(Object.getOwnPropertyDescriptor(seen, "__proto__")!.value)).toBe(true);
  });

  test("see null for null, and no row for the missing side of a join", () => {
    const nulls = row.map(() => null);
    expect(outcomes((r) => Object.values(r).every((v) => v === null), { name: "bool" }, [nulls])).toEqual([
      { datum: true },
    ]);
    expect(outcomes((r) => r === null, { name: "bool" }, [nulls, row], 0)).toEqual([
      { datum: true },
      { datum: false },
    ]);
  });

  test("give values of the declared type", () => {
    const given: [unknown, SqlType, Datum][] = [
      [3, int4, 3],
      [-0, int4, 0],
      [undefined, int4, null],
      [12n, int8, 12n],
      [2n ** 63n - 1n, int8, 2n ** 63n - 1n],
      [0.5, { name: "float8" }, 0.5],
      [1.005, { name: "numeric", precision: 8, scale: 2 }, 101n],
      ["0012.50", { name: "numeric" }, "12.50"],
      [false, { name: "bool" }, false],
      ["x", text, "x"],
      [new Date(5), { name: "timestamptz" }, 5000n],
      ["2024-05-06T07:08:09Z", { name: "timestamptz" }, 1_714_979_289_000_000n],
      [{ b: 1, a: [null] }, { name: "jsonb" }, '{"a": [null], "b": 1}'],
    ];
    for (const [value, type, datum] of given) expect(outcomes(() => value, type)).toEqual([{ datum }]);
  });

  test("fail as rows do: what they throw, and what does not fit", () => {
    const failures: [() => unknown, SqlType, RegExp][] = [
      [
        () => {
          throw new TypeError("no genre");
        },
        text,
        /failed: TypeError: no genre/,
      ],
      [
        () => {
          throw "plain";
        },
        text,
        /failed: the string "plain"/,
      ],
      [() => 1.5, int4, /returned 1.5 where int4 is declared/],
      [() => "1", { name: "bool" }, /returned the string "1" where bool is declared/],
      [() => "\ud800", text, /where text is declared/],
      [() => 2n ** 63n, int8, /where int8 is declared/],
      [() => 1e9, { name: "numeric", precision: 8, scale: 2 }, /where numeric\(8,2\) is declared/],
      [() => Promise.resolve(1), int4, /where int4 is declared/],
      [() => Number.NaN, { name: "jsonb" }, /where jsonb is declared/],
    ];
    for (const [run, type, message] of failures) {
      expect(outcomes(run, type)).toEqual([{ sqlstate: "38000", message: expect.stringMatching(message) }]);
    }
  });

  test("cannot change their rows", () => {
    const changed = outcomes((r) => (r["i"] = 8), int4);
    expect(changed).toEqual([{ sqlstate: "38000", message: expect.stringContaining("TypeError") }]);
  });
});

test("a chunk with room for nulls that do not come gets none", () => {
  const dictionary = new Dictionary();
  const kernel = compileFilterProject({ input: [required(int4)], predicate: null, exprs: null, dictionary });
  const input = fill(dictionary, [required(int4)], [[1], [2]]);
  const output = createChunk([optional(int4)]);
  output.nulls[0]!.fill(1);
  kernel.run(input, 0, output, fails);
  expect(takeDatum(dictionary, output, 0, 1, int4)).toBe(2);
  expect([...output.nulls[0]!.subarray(0, 3)]).toEqual([0, 0, 1]);
});

function fails(row: number, error: ScalarError): never {
  throw new Error(`row ${row}: ${error.message}`);
}

describe("texts between two functions", () => {
  const columns = [optional(int4)];
  const repeated = call("text_repeat", [constant("c", text), column(0, int4)], text);
  const filled = (expr: Expr, rows: number): number => {
    const dictionary = new Dictionary();
    const kernel = compileFilterProject({ input: columns, predicate: null, exprs: [expr], dictionary });
    const data = Array.from({ length: rows }, (_, i): Datum[] => [i]);
    const before = dictionary.size;
    expect(kernel.run(fill(dictionary, columns, data), 0, createChunk(kernel.output), fails)).toBe(rows);
    return dictionary.size - before;
  };

  test.each([
    ["length", call("text_length", [repeated], int4)],
    ["octet_length", call("text_octet_length", [repeated], int4)],
    ["LIKE", call("text_like", [repeated, constant("%cc%", text)], bool)],
    ["a chain", call("text_length", [call("text_upper", [repeated], text)], int4)],
  ])("%s leaves nothing in the dictionary", (_, expr) => {
    expect(filled(expr, 500)).toBe(0);
    const rows: Datum[][] = [[0], [3], [null]];
    expect(runCompiled(expr, typeOf(expr), columns, rows)).toEqual(rows.map((row) => interpret(expr, row)));
  });

  test("what is stored has an id", () => {
    expect(filled(repeated, 500)).toBe(498); // all but the empty one and the constant
  });
});
