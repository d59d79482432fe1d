/** SQL's tokens, as far as one must know them to look at a text without parsing it: what is quoted or commented is one token. */

/** Words and numbers, from where lastIndex stands. */
const word = /[\p{L}\p{N}_][\p{L}\p{N}_$.]*/uy;
const dollarTag = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;

/** Where the token that begins at `at` ends. A comment or a string counts as one token. */
export function tokenEnd(text: string, at: number): number {
  const c = text[at]!;
  switch (c) {
    case "'":
      return stringEnd(text, at + 1, /[eE]/.test(text[at - 1] ?? ""));
    case '"':
      return after(text, '"', at + 1);
    case "-":
      return text[at + 1] === "-" ? after(text, "\n", at) : at + 1;
    case "/":
      return text[at + 1] === "*" ? commentEnd(text, at + 2) : at + 1;
    case "$": {
      dollarTag.lastIndex = at;
      const tag = dollarTag.exec(text)?.[0];
      return tag === undefined ? at + 1 : after(text, tag, at + tag.length);
    }
    default:
      word.lastIndex = at;
      return word.test(text) ? word.lastIndex : at + 1;
  }
}

/** Behind the next `what`, or the end of the text. A doubled quote ends one token and begins the next. */
function after(text: string, what: string, from: number): number {
  const found = text.indexOf(what, from);
  return found < 0 ? text.length : found + what.length;
}

/** An E'' string may escape its quote. */
function stringEnd(text: string, from: number, escapes: boolean): number {
  if (!escapes) return after(text, "'", from);
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "'") return i + 1;
  }
  return text.length;
}

/** Comments nest in SQL. */
function commentEnd(text: string, from: number): number {
  let depth = 1;
  let i = from;
  while (i < text.length && depth > 0) {
    if (text.startsWith("/*", i)) {
      depth++;
      i += 2;
    } else if (text.startsWith("*/", i)) {
      depth--;
      i += 2;
    } else {
      i++;
    }
  }
  return i;
}

/** What stands behind the first AS outside parentheses: the query of a CREATE ... AS, without WITH DATA. */
export function textBehindAs(text: string): string {
  let depth = 0;
  for (let at = 0; at < text.length; ) {
    const end = tokenEnd(text, at);
    const token = text.slice(at, end).toLowerCase();
    at = end;
    if (token === "(") depth++;
    else if (token === ")") depth--;
    else if (token === "as" && depth === 0)
      return text
        .slice(end)
        .replace(/\s+with\s+data\s*$/i, "")
        .trim();
  }
  return text;
}
