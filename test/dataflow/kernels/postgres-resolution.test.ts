/** Which function a call means when some arguments are bare literals, as PostgreSQL resolves it. */
import { describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import type { SqlType } from "../../../src/batch/types.ts";
import { commonType, resolveFunction, resolveOperator, sqlTypeName } from "../../../src/plan/functions.ts";
import { all, openJudge, type Said } from "./judge.ts";

const judge = openJudge();

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
    const theirs = (await judge.ask([`pg_typeof(${sql})`]))[0]?.replace("pg_catalog.", "");
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
