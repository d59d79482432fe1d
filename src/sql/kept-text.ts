/** Expressions that are kept as they were written (a CHECK, a DEFAULT), and read again wherever they are asked. */
import type { Constraint, Node } from "libpg-query";
import { assert } from "../base/assert.ts";
import type { BindContext } from "./context.ts";
import { parseStatements } from "./parser.ts";
import type { SourceText } from "./source-text.ts";
import { tokenEnd } from "./tokens.ts";
import { as } from "./tree.ts";

/** What stands in the parentheses behind CHECK. */
export function textOfCheck({ location = 0 }: Constraint, ctx: BindContext): string {
  const text = ctx.source.slice(location, Number.MAX_SAFE_INTEGER);
  let depth = 0;
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const end = tokenEnd(text, at);
    const token = text.slice(at, end);
    if (token === "(" && depth++ === 0) start = end;
    else if (token === ")" && --depth === 0) return text.slice(start, at).trim();
    at = end;
  }
  throw new Error("what PostgreSQL's parser takes has its parentheses closed");
}

/** What stands behind DEFAULT, where the text begins: up to what ends a column's definition or its next constraint. */
export function textOfDefault(text: string): string {
  let depth = 0;
  const start = tokenEnd(text, 0);
  for (let at = start; at < text.length; ) {
    const end = tokenEnd(text, at);
    const token = text.slice(at, end);
    if (token === "(" || token === "[") depth++;
    else if ((token === ")" || token === "]") && --depth < 0) return text.slice(start, at).trim();
    else if ((token === "," || token === ";") && depth === 0) return text.slice(start, at).trim();
    at = end;
  }
  return text.slice(start).trim();
}

export function parseExpression(text: string): { readonly node: Node; readonly source: SourceText } {
  // A comment at its end ends with the line.
  const [parsed] = parseStatements(`SELECT (${text}\n)`);
  assert(parsed !== undefined, "a kept text is an expression");
  const target = as(as(parsed.node, "SelectStmt")?.targetList?.[0], "ResTarget");
  return { node: target!.val!, source: parsed.source };
}
