/**
 * Where a statement of SQL ends: at a semicolon outside quotes, dollar quotes and comments, by PostgreSQL's lexical rules.
 */
const tokens =
  /--[^\n]*|\/\*|'|"|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|;|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g;

/** Whether the text's last statement is finished, with nothing but space and comments after it. */
export function isComplete(sql: string): boolean {
  let ended = false;
  let at = 0;
  const scan = new RegExp(tokens);
  for (;;) {
    scan.lastIndex = at;
    const match = scan.exec(sql);
    const gap = sql.slice(at, match?.index ?? sql.length);
    if (gap.trim() !== "") ended = false;
    if (match === null) return ended;
    const token = match[0];
    at = match.index + token.length;
    if (token === ";") {
      ended = true;
      continue;
    }
    if (token.startsWith("--")) continue;
    if (token === "/*") {
      at = commentEnd(sql, at);
      if (at === -1) return false;
      continue;
    }
    ended = false;
    if (token === "'" || token === '"' || token.startsWith("$")) {
      // The character before a quote tells whether backslashes escape: E'...'.
      const escapes =
        token === "'" && /(^|[^\w$])[eE]$/.test(sql.slice(Math.max(0, match.index - 2), match.index));
      at = quoteEnd(sql, at, token, escapes);
      if (at === -1) return false;
    }
  }
}

/** Comments nest. */
function commentEnd(sql: string, at: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  for (let depth = 1; ; ) {
    const mark = marks.exec(sql);
    if (mark === null) return -1;
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.index + 2;
  }
}

/** A doubled quote closes and opens again, which comes to the same. */
function quoteEnd(sql: string, at: number, quote: string, escapes: boolean): number {
  for (;;) {
    const end = sql.indexOf(quote, at);
    if (end === -1) return -1;
    let backslashes = 0;
    while (escapes && sql[end - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return end + quote.length;
    at = end + 1;
  }
}
