/** Rows for eyes and for spreadsheets. */
import { outputColors } from "./exit.ts";
import { textWidth } from "./text-width.ts";

const numberTypes = new Set(["int2", "int4", "int8", "float4", "float8", "numeric", "number"]);

interface TableColumn {
  readonly name: string;
  /** PostgreSQL's typname; decides the alignment. */
  readonly type: string;
}

type TableRow = readonly (string | null)[];

/** A table as psql draws it, without its last line break. */
export function tableText(columns: readonly TableColumn[], rows: readonly TableRow[]): string {
  return [...tableLines(columns, rows)].join("\n");
}

/** The lines of a table: no more of them than needed. null stays empty. */
function* tableLines(
  columns: readonly TableColumn[],
  rows: readonly TableRow[],
): Generator<string, void, undefined> {
  const line = lineWriter(columns, rows);
  yield* line.head();
  for (const row of rows) yield line.row(row);
}

/** Rows by which the columns of a long table get their width. */
const WIDTH_ROWS = 1_000;

/** A table whose rows come one after the other: the first thousand give the columns their width, and what is wider behind them stands out. */
export class TablePrinter {
  readonly #columns: readonly TableColumn[];
  /** Until they are enough. */
  #first: TableRow[] = [];
  #line: LineWriter | null = null;

  constructor(columns: readonly TableColumn[]) {
    this.#columns = columns;
  }

  /** Lines that can be printed now. */
  row(row: TableRow): string {
    if (this.#line !== null) return `${this.#line.row(row)}\n`;
    return this.#first.push(row) < WIDTH_ROWS ? "" : this.end();
  }

  /** Those that are left. */
  end(): string {
    if (this.#line !== null) return "";
    const rows = this.#first;
    const line = lineWriter(this.#columns, rows);
    this.#line = line;
    this.#first = [];
    return [...line.head(), ...rows.map((row) => line.row(row))].map((text) => `${text}\n`).join("");
  }
}

interface LineWriter {
  head(): readonly string[];
  row(row: TableRow): string;
}

/** `rows`: those that the columns are wide enough for. */
function lineWriter(columns: readonly TableColumn[], rows: readonly TableRow[]): LineWriter {
  const names = columns.map((column) => printable(column.name));
  const widths = names.map(textWidth);
  for (const row of rows) {
    for (let i = 0; i < widths.length; i++) {
      const width = textWidth(printable(row[i] ?? ""));
      if (width > widths[i]!) widths[i] = width;
    }
  }
  const right = columns.map((column) => numberTypes.has(column.type));
  const lineOf = (cells: readonly string[], look: (cell: string) => string) =>
    cells
      .map((cell, i) => ` ${padded(cell, widths[i]!, right[i]!, look)} `)
      .join("|")
      .trimEnd();
  return {
    head: () => [lineOf(names, outputColors.bold), widths.map((width) => "-".repeat(width + 2)).join("+")],
    row: (row) =>
      lineOf(
        columns.map((_, i) => printable(row[i] ?? "")),
        asItIs,
      ),
  };
}

function asItIs(cell: string): string {
  return cell;
}

function padded(cell: string, width: number, right: boolean, look: (cell: string) => string): string {
  const space = " ".repeat(Math.max(0, width - textWidth(cell)));
  return right ? space + look(cell) : look(cell) + space;
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

/** A line of CSV as `psql --csv` writes it: null is empty, an empty text is "". */
export function csvLine(values: readonly (string | null)[]): string {
  return `${values.map(csvCell).join(",")}\n`;
}

function csvCell(value: string | null): string {
  if (value === null) return "";
  // A line that is \. alone ends the data for PostgreSQL's COPY.
  return value === "" || value === "\\." || /[",\r\n]/.test(value)
    ? `"${value.replaceAll('"', '""')}"`
    : value;
}
