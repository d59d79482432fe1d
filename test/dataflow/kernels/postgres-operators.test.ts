/** Every operator and cast over a table of edge values, and the logic of nulls, as PostgreSQL answers. */
import { describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import type { SqlType, TypeName } from "../../../src/batch/types.ts";
import type { Expr } from "../../../src/plan/expression.ts";
import { functionIds, functionInfo, resolveCast, resolveOperator } from "../../../src/plan/functions.ts";
import {
  all,
  approximate,
  compare,
  literal,
  nearly,
  openJudge,
  product,
  resolvedCall,
  type Said,
  samples,
  withNull,
} from "./judge.ts";
import { branch, call, column, constant } from "./support.ts";

const judge = openJudge();

describe("operators", () => {
  const symbols = [...new Set(functionIds.map((id) => functionInfo(id).op).filter((op) => op !== null))];
  for (const symbol of symbols) {
    test(`${symbol} of two arguments`, async () => {
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
            judge,
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
          judge,
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
          const [theirs] = await judge.ask([
            `${literal(samples[from.name as keyof typeof samples][0]!, from)}::${target}`,
          ]);
          expect(theirs).toMatch(/^error 42846/);
        } else {
          await compare(
            judge,
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
        judge,
        ([a]) => `${a}::${name}`,
        () => ({ expr: call(fn!, [column(0, text)], to), type: to }),
        [text],
        [...values, null].map((v) => [v]),
      );
    });
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
        branches: [branch(a, b), branch(b, c)],
        otherwise: a,
        type: boolType,
      },
    ],
  ];
  for (const [sql, expr] of both) {
    test(sql(["a", "b", "c"]), () =>
      compare(
        judge,
        sql,
        () => ({ expr, type: boolType }),
        [boolType, boolType, boolType],
        product([truth, truth, truth]),
      ),
    );
  }

  test("nothing is evaluated that need not be", () => {
    const types = [boolType, int];
    const inverse = call("int4_div", [constant(1, int), column(1, int)]);
    const expr: Expr = {
      kind: "case",
      branches: [branch({ kind: "and", args: [a, call("int4_gt", [inverse, constant(0, int)])] }, inverse)],
      otherwise: { kind: "coalesce", args: [column(1, int), inverse], type: int },
      type: int,
    };
    return compare(
      judge,
      ([x, y]) =>
        `CASE WHEN p AND 1 / n > 0 THEN 1 / n ELSE COALESCE(n, 1 / n) END FROM (SELECT ${x} AS p, ${y} AS n OFFSET 0) AS _`,
      () => ({ expr, type: int }),
      types,
      product([truth, ["0", "1", "-1", "2", null]]),
    );
  });
});
