/**
 * A query with whole numbers of its text given as parameters: those behind an operator, where nothing but a value can stand. (Elsewhere a number may be a column's place, or part of a type.)
 * The same number is the same parameter, so that expressions that are grouped by stay what they are.
 */
import { tokenEnd } from "../../../src/sql/tokens.ts";

const PARAMETERS_MAX = 20;

/** null: it has none. */
export function withParameters(sql: string): { text: string; params: string[] } | null {
  if (/\$\d/.test(sql)) return null;
  const params: string[] = [];
  let text = "";
  let before = "";
  for (let at = 0; at < sql.length; ) {
    const end = tokenEnd(sql, at);
    const token = sql.slice(at, end);
    at = end;
    const isValue =
      /^\d{1,9}$/.test(token) && /[=<>+*/%-]$/.test(before) && !/^[\w.$"]/.test(sql.slice(at, at + 1));
    if (!isValue || (params.length === PARAMETERS_MAX && !params.includes(token))) text += token;
    else {
      if (!params.includes(token)) params.push(token);
      text += `($${params.indexOf(token) + 1}::int4)`;
    }
    if (!/^(?:\s|--|\/\*)/.test(token)) before = token;
  }
  return params.length === 0 ? null : { text, params };
}
