/**
 * How deep the parse tree of a text can at most be, found without parsing it.
 *
 * The parser and everyone who walks its tree use the machine's stack, so depth must be bounded before it is called. A node is
 * deeper than its parent by one, and each level costs at least one token: `1+1+1`, `NOT NOT x`, `SELECT .. UNION SELECT ..`
 * and `(((` alike. So along any path the depth is at most the number of tokens since the list the path entered last, added up
 * over all open lists. A list begins at a parenthesis or CASE; its elements, which AND, OR, a comma or WHEN separates, lie side by
 * side, so each starts counting afresh.
 */

/** Words and numbers, from where lastIndex stands. */
const word = /[\p{L}\p{N}_][\p{L}\p{N}_$.]*/uy;
const dollarTag = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;

const separators: ReadonlySet<string> = new Set([",", ";", "and", "or", "when"]);
const openers: ReadonlySet<string> = new Set(["(", "[", "case"]);
const closers: ReadonlySet<string> = new Set([")", "]", "end"]);

/** An upper bound on the parse tree's depth, or Infinity as soon as it exceeds `limit`. Takes time linear in the text. */
export function nestingBound(text: string, limit: number): number {
  const open: number[] = [];
  let outer = 0;
  let run = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; ) {
    const end = tokenEnd(text, at);
    const token = end - at <= 4 ? text.slice(at, end).toLowerCase() : "";
    at = end;
    if (token.trim() === "" && token !== "") continue;
    if (openers.has(token)) {
      open.push(run + 1);
      outer += run + 1;
      run = 0;
    } else if (closers.has(token) && open.length > 0) {
      run = open.pop()!;
      outer -= run;
    } else if (separators.has(token)) {
      run = 0;
    } else {
      run++;
    }
    deepest = Math.max(deepest, outer + run);
    if (deepest > limit) return Number.POSITIVE_INFINITY;
  }
  return deepest;
}

/** Where the token that begins at `at` ends. A comment or a string counts as one token. */
function tokenEnd(text: string, at: number): number {
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
