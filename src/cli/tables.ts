/** Rows for eyes and for spreadsheets. */
import { stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import { outputColors } from "./exit.ts";

const numberTypes = new Set(["int2", "int4", "int8", "float4", "float8", "numeric", "number"]);

interface TableColumn {
  readonly name: string;
  /** PostgreSQL's typname; decides the alignment. */
  readonly type: string;
}

/** A table as psql draws it: no more lines than needed. null stays empty. */
export function tableText(
  columns: readonly TableColumn[],
  rows: readonly (readonly (string | null)[])[],
): string {
  const { bold } = outputColors;
  const table = new Table({
    head: columns.map((column) => bold(printable(column.name))),
    colAligns: columns.map((column) => (numberTypes.has(column.type) ? "right" : "left")),
    style: { head: [], border: [], "padding-left": 1, "padding-right": 1 },
    chars: {
      top: "",
      "top-mid": "",
      "top-left": "",
      "top-right": "",
      bottom: "",
      "bottom-mid": "",
      "bottom-left": "",
      "bottom-right": "",
      left: "",
      "left-mid": "",
      mid: "",
      "mid-mid": "",
      right: "",
      "right-mid": "",
      middle: "|",
    },
  });
  for (const row of rows) table.push(row.map((value) => (value === null ? "" : printable(value))));
  const lines = table.toString().split("\n");
  const [head = "", ...rest] = lines;
  const widths = stripVTControlCharacters(head)
    .split("|")
    .map((part) => "-".repeat(part.length));
  return [head, widths.join("+"), ...rest].map((line) => line.trimEnd()).join("\n");
}

/** Line breaks and control characters made visible: a value must not draw on the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => {
    if (c === "\n") return "\\n";
    if (c === "\t") return "\\t";
    if (c === "\r") return "\\r";
    return `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** A line of CSV (RFC 4180): null is empty, an empty text is "". */
export function csvLine(values: readonly (string | null)[]): string {
  return `${values.map(csvCell).join(",")}\r\n`;
}

function csvCell(value: string | null): string {
  if (value === null) return "";
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
