/** evert query "COPY …": rows from standard input, or to standard output, as they stream. */
import { toEvertError } from "../base/errors.ts";
import { outputClosed, whenOutputCloses, write } from "./output.ts";
import type { Remote } from "./remote.ts";
import { withPlace } from "./sql-results.ts";

const comments = /--[^\n]*|\/\*.*?\*\//gs;
const quoted = /'[^']*'|"[^"]*"/g;
const innermost = /\([^()]*\)/g;

/** Which way the text copies; null: it is no COPY. Only a guess at where its data is: the server reads the statement. */
export function copyDirection(sql: string): "in" | "out" | null {
  let words = sql.replace(comments, " ").trim();
  if (!/^copy\b/i.test(words)) return null;
  // What a query or an option says is not said of the data.
  words = words.replace(quoted, "_");
  for (let before = ""; before !== words; ) {
    before = words;
    words = words.replace(innermost, " ");
  }
  return /\bfrom\s+stdin\b/i.test(words) ? "in" : "out";
}

export async function runCopy(remote: Remote, sql: string, direction: "in" | "out"): Promise<void> {
  try {
    if (direction === "in") {
      const { command } = await remote.copyIn(sql, process.stdin);
      await write(`${command}\n`);
      return;
    }
    const left = new AbortController();
    whenOutputCloses(() => left.abort());
    for await (const piece of remote.copyOut(sql, left.signal)) {
      await write(piece);
      if (outputClosed()) return;
    }
  } catch (error) {
    if (direction === "out" && outputClosed()) return;
    throw withPlace(toEvertError(error), sql);
  }
}
