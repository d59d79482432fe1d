/** What a statement is answered with: its tag, and rows as JSON or as text when somebody asks for them. */
import { type Datum, datumToValue } from "../../batch/convert.ts";
import { valueToJson } from "../../batch/json.ts";
import type { Field } from "../../batch/schema.ts";
import { valueToText } from "../../batch/text-form.ts";
import { type SqlType, text, typname } from "../../batch/types.ts";
import { commandTag, type Statement } from "../../sql/statement.ts";
import type { FlowingResult, StatementResult } from "../api.ts";
import type { FlowingRows, WriteRow } from "../queries/flowing-rows.ts";

export function done(statement: Statement, count = 0): StatementResult {
  return {
    command: commandTag(statement, count),
    columns: [],
    rowCount: count,
    rowsJson: [],
    rowTexts: () => [],
    rowsText: () => [],
    values: () => [],
  };
}

export function textRows(
  statement: Statement,
  name: string,
  lines: readonly string[],
  type: SqlType = text,
): StatementResult {
  return answer(
    commandTag(statement, lines.length),
    [{ name, type, nullable: false }],
    lines.map((l) => [l]),
  );
}

/** `tag`: of so many rows. */
export function flowingAnswer(rows: FlowingRows, tag: (rowCount: number) => string): FlowingResult {
  const { fields } = rows;
  const writers = writersOf(fields);
  return {
    columns: columnsOf(fields),
    get rowCount() {
      return rows.rowCount;
    },
    get command() {
      return tag(rows.rowCount);
    },
    pieces: (form, write) => rows.pieces((row) => write(writers[form](row))),
    close: () => rows.close(),
  };
}

export function answer(
  command: string,
  fields: readonly Field[],
  rows: readonly (readonly Datum[])[],
): StatementResult {
  const writers = writersOf(fields);
  return {
    command,
    columns: columnsOf(fields),
    rowCount: rows.length,
    get rowsJson() {
      return rows.map(writers.json);
    },
    *rowTexts(form) {
      for (const row of rows) yield writers[form](row);
    },
    rowsText: () => rows.map((row) => textsOf(fields, row)),
    values: () => rows.map((row) => row.map((d, i) => datumToValue((fields[i] as Field).type, d))),
  };
}

function columnsOf(fields: readonly Field[]): StatementResult["columns"] {
  return fields.map((f) => ({ name: f.name, type: typname(f.type) }));
}

function textsOf(fields: readonly Field[], row: readonly Datum[]): (string | null)[] {
  return row.map((d, i) => valueToText((fields[i] as Field).type, d));
}

/** What makes text of a row, in each form. */
function writersOf(fields: readonly Field[]): Readonly<Record<"json" | "text" | "objects", WriteRow>> {
  const json = (datum: Datum, i: number): string => valueToJson((fields[i] as Field).type, datum);
  const names = fields.map((f, i) => `${i === 0 ? "{" : ","}${JSON.stringify(f.name)}:`);
  return {
    json: (row) => `[${row.map(json).join(",")}]`,
    text: (row) => JSON.stringify(textsOf(fields, row)),
    objects: (row) => (row.length === 0 ? "{}" : `${row.map((d, i) => names[i] + json(d, i)).join("")}}`),
  };
}
