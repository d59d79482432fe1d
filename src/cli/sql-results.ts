/** Results of SQL in the format asked for, and errors with their place in the text. */
import { EvertError } from "../base/errors.ts";
import type { SqlPart, SqlResult } from "../client/protocol.ts";
import { errorFrom } from "../client/transport.ts";
import { parseExact } from "./exact-json.ts";
import { outputClosed, write } from "./output.ts";
import type { Remote } from "./remote.ts";
import { csvLine, TablePrinter } from "./tables.ts";

export const sqlFormats = ["table", "json", "ndjson", "csv"] as const;
export type SqlFormat = (typeof sqlFormats)[number];

/** Runs SQL and prints what comes, as it comes, until the signal is given: nobody reads any more. @throws EvertError of the statement that failed, after the results before it. */
export async function runSql(
  remote: Remote,
  sql: string,
  format: SqlFormat,
  signal?: AbortSignal,
): Promise<void> {
  const asText = format === "table" || format === "csv";
  try {
    await printParts(remote.sql(sql, asText ? "text" : "json", signal), sql, format);
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

async function printParts(parts: AsyncIterable<SqlPart>, sql: string, format: SqlFormat): Promise<void> {
  let printer: Printer | null = null;
  for await (const part of parts) {
    switch (part.kind) {
      case "columns":
        printer = printerOf(part.columns, format);
        break;
      case "rows":
        for (const text of part.texts) printer?.row(parseExact(text) as Row);
        break;
      case "end":
        printer?.end(part);
        break;
      case "error":
        await write(printer?.take() ?? "");
        throw withPlace(errorFrom(part.error), sql);
    }
    await write(printer?.take() ?? "");
    if (outputClosed()) return;
  }
}

type Row = readonly unknown[];

/** What prints a result. */
interface Printer {
  row(row: Row): void;
  end(result: { readonly command: string; readonly rowCount: number }): void;
  /** The text there is. */
  take(): string;
}

function printerOf(columns: SqlResult["columns"], format: SqlFormat): Printer {
  let text = "";
  const take = (): string => {
    const taken = text;
    text = "";
    return taken;
  };
  if (columns.length === 0) {
    const end: Printer["end"] = ({ command }) => {
      if (format === "table") text += `${command}\n`;
    };
    return { row: () => {}, end, take };
  }
  switch (format) {
    case "table": {
      const table = new TablePrinter(columns);
      return {
        row: (row) => {
          text += table.row(row as readonly (string | null)[]);
        },
        end: ({ rowCount }) => {
          text += `${table.end()}(${rowCount} ${rowCount === 1 ? "row" : "rows"})\n`;
        },
        take,
      };
    }
    case "csv":
      text = csvLine(columns.map((column) => column.name));
      return {
        row: (row) => {
          text += csvLine(row as readonly (string | null)[]);
        },
        end: () => {},
        take,
      };
    case "ndjson": {
      const object = objectWriter(columns);
      return {
        row: (row) => {
          text += `${object(row)}\n`;
        },
        end: () => {},
        take,
      };
    }
    case "json": {
      const object = objectWriter(columns);
      let separator = "[";
      return {
        row: (row) => {
          text += `${separator}${object(row)}`;
          separator = ",\n ";
        },
        end: () => {
          text += separator === "[" ? "[]\n" : "]\n";
        },
        take,
      };
    }
  }
}

/** A row as a JSON object. Columns of one name all appear, as in the result. */
function objectWriter(columns: SqlResult["columns"]): (row: Row) => string {
  const names = columns.map((column) => JSON.stringify(column.name));
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
