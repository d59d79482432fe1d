/**
 * SIMILAR TO's patterns as regular expressions: % is .*, _ is ., the others of SQL's signs mean the same in both, and what only a regular
 * expression knows is escaped. The whole text has to match. Two escaped double quotes set off the part that SUBSTRING gives.
 */
import { fail, scalarError } from "../errors.ts";

const badEscape = scalarError("invalid_escape", "invalid escape string", {
  hint: "Escape string must be empty or one character.",
});
const tooManyQuotes = scalarError(
  "invalid_escape",
  "SQL regular expression may not contain more than two escape-double-quote separators",
  { sqlstate: "2200C" },
);

export function similarPattern(pattern: string, mark: string): string {
  if (Array.from(mark).length > 1) return fail(badEscape, "");
  let out = "^(?:";
  let quotes = 0;
  let escaped = false;
  let inBrackets = false;
  /** Whether a ] that comes next is an item of the list. */
  let atListStart = false;
  for (const c of pattern) {
    if (escaped) {
      if (c === '"' && !inBrackets) {
        if (++quotes > 2) return fail(tooManyQuotes, "");
        out += quotes === 1 ? "){1,1}?(" : "){1,1}(?:";
      } else out += `\\${c}`;
      escaped = false;
      atListStart = false;
    } else if (mark !== "" && c === mark) escaped = true;
    else if (inBrackets) {
      out += c === "\\" ? "\\\\" : c;
      if (c === "]" && !atListStart) inBrackets = false;
      atListStart = atListStart && c === "^";
    } else if (c === "[") {
      out += c;
      inBrackets = true;
      atListStart = true;
    } else if (c === "%") out += ".*";
    else if (c === "_") out += ".";
    else if (c === "(") out += "(?:";
    else out += /[\\.^$]/.test(c) ? `\\${c}` : c;
  }
  return `${out})$`;
}
