/** SQL as a program asks it: rows in their TypeScript form, and what fails is thrown. */
import { EvertError } from "../../base/errors.ts";
import type { SqlResponse } from "../../batch/sql-answer.ts";
import type { ReadOptions } from "../api.ts";
import type { Database } from "../database.ts";

/** What a request waits for. */
export interface SqlOptions extends ReadOptions {
  /** Stops long queries. */
  readonly signal?: AbortSignal | undefined;
}

export async function runSql(
  engine: Database,
  text: string,
  params: readonly unknown[] = [],
  options: SqlOptions = {},
): Promise<SqlResponse> {
  if (typeof text !== "string")
    throw new EvertError("invalid_request", "sql() takes SQL as a string", {
      hint: 'As in db.sql("SELECT $1::int", [1]), with parentheses; what is not constant is a parameter.',
    });
  if (!Array.isArray(params))
    throw new EvertError("invalid_request", "params must be an array", {
      hint: 'As in sql("SELECT $1::int", [1]).',
    });
  const { results, error, position } = await engine.sql(text, { ...options, params: params.map(paramOf) });
  if (error !== undefined) throw EvertError.from(error);
  return {
    results: results.map((result) => ({
      command: result.command,
      columns: result.columns,
      rows: result.values(),
      rowCount: result.rowCount,
    })),
    position,
  };
}

/** As JSON would have it, but that a bigint keeps its digits. @throws EvertError invalid_request */
function paramOf(value: unknown, index: number): unknown {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  if (value instanceof Date || typeof value === "function" || typeof value === "symbol")
    throw new EvertError("invalid_request", `$${index + 1} is no value: ${String(value)}`);
  return value;
}
