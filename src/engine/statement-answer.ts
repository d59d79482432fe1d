/** What a statement is answered with: its tag, and rows as JSON or as text when somebody asks for them. */
import { type Datum, datumToValue } from "../batch/convert.ts";
import { valueToJson } from "../batch/json.ts";
import type { Field } from "../batch/schema.ts";
import { valueToText } from "../batch/text-form.ts";
import { type SqlType, text, typeTag } from "../batch/types.ts";
import { commandTag, type Statement } from "../sql/statement.ts";
import type { StatementResult } from "./api.ts";

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

export function answer(
  command: string,
  fields: readonly Field[],
  rows: readonly (readonly Datum[])[],
): StatementResult {
  const json = (row: readonly Datum[]): string =>
    `[${row.map((d, i) => valueToJson((fields[i] as Field).type, d)).join(",")}]`;
  const texts = (row: readonly Datum[]): (string | null)[] =>
    row.map((d, i) => valueToText((fields[i] as Field).type, d));
  return {
    command,
    columns: fields.map((f) => ({ name: f.name, type: typeTag(f.type) })),
    rowCount: rows.length,
    get rowsJson() {
      return rows.map(json);
    },
    *rowTexts(form) {
      for (const row of rows) yield form === "json" ? json(row) : JSON.stringify(texts(row));
    },
    rowsText: () => rows.map(texts),
    values: () => rows.map((row) => row.map((d, i) => datumToValue((fields[i] as Field).type, d))),
  };
}
