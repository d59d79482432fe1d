/**
 * How deep the parse tree of a text can at most be, found without parsing it.
 *
 * The parser and everyone who walks its tree use the machine's stack, so depth must be bounded before it is called. A node is
 * deeper than its parent by one, and each level costs at least one token: `1+1+1`, `NOT NOT x`, `SELECT .. UNION SELECT ..`
 * and `(((` alike. So along any path the depth is at most the number of tokens since the list the path entered last, added up
 * over all open lists. A list begins at a parenthesis or CASE; its elements, which AND, OR, a comma or WHEN separates, lie side by
 * side, so each starts counting afresh.
 */
import { tokenEnd } from "./tokens.ts";

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
