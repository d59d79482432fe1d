/**
 * PostgreSQL's text of a row: `(1,"a b",)`. A null is nothing at all; a value is quoted where it is empty or has a quote, a backslash, a
 * parenthesis, a comma or white space in it, and in quotes a quote and a backslash are doubled.
 */
import { EvertError } from "../../base/errors.ts";

const special = /^$|["\\(), \t\n\v\f\r]/;

export function formatRecord(items: readonly (string | null)[]): string {
  let out = "(";
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    if (i > 0) out += ",";
    if (item === null) continue;
    out += special.test(item) ? `"${item.replace(/["\\]/g, "$&$&")}"` : item;
  }
  return `${out})`;
}

/** The fields' texts. @throws invalid_text_representation where they are not `count` */
export function parseRecord(text: string, count: number): (string | null)[] {
  const refuse = (detail: string) =>
    new EvertError("invalid_text_representation", `malformed record literal: "${text}"`, { detail });
  let at = /^\s*/.exec(text)![0].length;
  if (text[at] !== "(") throw refuse("Missing left parenthesis.");
  at++;
  const items: (string | null)[] = [];
  if (count === 0 && text[at] === ")") return items;
  for (;;) {
    let item: string | null = null;
    let quoted = false;
    for (; ; at++) {
      const c = text[at];
      if (c === undefined) throw refuse("Unexpected end of input.");
      if (!quoted && (c === "," || c === ")")) break;
      if (c === '"') {
        // Doubled within quotes it is itself.
        if (quoted && text[at + 1] === '"') item += text[++at]!;
        else quoted = !quoted;
        item ??= "";
      } else if (c === "\\") {
        const next = text[++at];
        if (next === undefined) throw refuse("Unexpected end of input.");
        item = (item ?? "") + next;
      } else item = (item ?? "") + c;
    }
    items.push(item);
    if (text[at] === ")") break;
    at++;
  }
  if (text.slice(at + 1).trim() !== "") throw refuse("Junk after right parenthesis.");
  if (items.length < count) throw refuse("Too few columns.");
  if (items.length > count) throw refuse("Too many columns.");
  return items;
}
