/** Results of SQL in the format asked for, and errors with their place in the text. */
import { EvertError } from "../base/errors.ts";
import type { ErrorMessage, SqlAnswer, SqlResult } from "../client/protocol.ts";
import { errorFrom } from "../client/transport.ts";
import { outputClosed, write } from "./output.ts";
import type { Remote } from "./remote.ts";
import { csvLine, tableLines } from "./tables.ts";

export const sqlFormats = ["table", "json", "ndjson", "csv"] as const;
export type SqlFormat = (typeof sqlFormats)[number];

/** Runs SQL and prints what comes. @throws EvertError of the statement that failed, after the results before it. */
export async function runSql(remote: Remote, sql: string, format: SqlFormat): Promise<void> {
  const asText = format === "table" || format === "csv";
  const { status, body } = await remote.postJson("/v1/sql", { sql, format: asText ? "text" : "json" });
  const answer = body as Partial<SqlAnswer> & Partial<ErrorMessage>;
  for (const result of answer.results ?? []) await printResult(result, format);
  if (answer.error !== undefined || status >= 400)
    throw withPlace(errorFrom(answer.error ?? {}, status), sql);
}

async function printResult(result: SqlResult, format: SqlFormat): Promise<void> {
  if (result.columns.length === 0) {
    if (format === "table") await write(`${result.command}\n`);
    return;
  }
  switch (format) {
    case "table": {
      const rows = result.rows as readonly (readonly (string | null)[])[];
      await writePieces(tableLines(result.columns, rows), (line) => `${line}\n`);
      await write(`(${result.rowCount} ${result.rowCount === 1 ? "row" : "rows"})\n`);
      return;
    }
    case "csv":
      await write(csvLine(result.columns.map((column) => column.name)));
      await writePieces(result.rows, (row) => csvLine(row as readonly (string | null)[]));
      return;
    case "ndjson": {
      const object = objectWriter(result);
      await writePieces(result.rows, (row) => `${object(row)}\n`);
      return;
    }
    case "json": {
      const object = objectWriter(result);
      let separator = "[";
      await writePieces(result.rows, (row) => {
        const text = `${separator}${object(row)}`;
        separator = ",\n ";
        return text;
      });
      await write(separator === "[" ? "[]\n" : "]\n");
      return;
    }
  }
}

async function writePieces<T>(items: Iterable<T>, text: (item: T) => string): Promise<void> {
  let piece = "";
  for (const item of items) {
    piece += text(item);
    if (piece.length < 65_536) continue;
    await write(piece);
    if (outputClosed()) return;
    piece = "";
  }
  if (piece !== "") await write(piece);
}

/** A row as a JSON object. Columns of one name all appear, as in the result. */
function objectWriter(result: SqlResult): (row: readonly unknown[]) => string {
  const names = result.columns.map((column) => JSON.stringify(column.name));
  return (row) => `{${names.map((name, i) => `${name}:${JSON.stringify(row[i])}`).join(",")}}`;
}

/** The error with the line it is about and a mark below, as psql shows it. */
export function withPlace(error: EvertError, sql: string): EvertError {
  if (error.position === undefined) return error;
  // The position counts characters, not UTF-16 units.
  const characters = [...sql];
  const before = characters.slice(0, error.position - 1).join("");
  const line = before.split("\n").length;
  const start = before.lastIndexOf("\n") + 1;
  const label = `LINE ${line}: `;
  const text = sql.slice(start).split("\n")[0]!;
  const mark = " ".repeat(label.length + [...before.slice(start)].length);
  return new EvertError(error.code, `${error.message}\n${label}${text}\n${mark}^`, {
    detail: error.detail,
    hint: error.hint,
    position: error.position,
    sqlstate: error.sqlstate,
    cause: error,
  });
}
