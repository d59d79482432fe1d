/** What COPY … TO STDOUT sends: a line for a row. */
import type { CopyFormat } from "./format.ts";

const control: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** A writer of lines, each with its newline. `isHeader`: names, which no option forces into quotes. */
export function copyLineWriter(
  format: CopyFormat,
): (row: readonly (string | null)[], isHeader?: boolean) => string {
  const { delimiter, null: none } = format;
  if (format.format === "text") {
    const special = new RegExp(`[\\b\\f\\n\\r\\t\\v\\\\${classOf(delimiter)}]`, "g");
    const written = (value: string | null): string =>
      value === null ? none : value.replace(special, (c) => control[c] ?? `\\${c}`);
    return (row) => `${row.map(written).join(delimiter)}\n`;
  }
  const { quote, escape: escaping, forceQuote } = format;
  const quoted = (value: string): string =>
    `${quote}${value.replaceAll(new RegExp(`[${classOf(quote)}${classOf(escaping)}]`, "g"), (c) => escaping + c)}${quote}`;
  const special = new RegExp(`[\\n\\r${classOf(delimiter)}${classOf(quote)}]`);
  const needsQuotes = (value: string, alone: boolean): boolean =>
    value === none || special.test(value) || (alone && value === "\\.");
  return (row, isHeader = false) => {
    const written = (value: string | null, column: number): string => {
      if (value === null) return none;
      const forced = !isHeader && (forceQuote === null || forceQuote.includes(column));
      return forced || needsQuotes(value, row.length === 1) ? quoted(value) : value;
    };
    return `${row.map(written).join(delimiter)}\n`;
  };
}

/** The character within a character class. */
function classOf(c: string): string {
  return /[\\\]^-]/.test(c) ? `\\${c}` : c;
}
