/**
 * DEFAULTs that are no constants, such as now(): kept as they were written, and bound anew for each statement that stores rows. So now() is that
 * statement's time, once for all of its rows, and the log has the value.
 */
import { EvertError } from "../base/errors.ts";
import type { SqlType } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { boundType, coerce } from "./bound.ts";
import type { BindContext } from "./context.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import { parseStatements } from "./parser.ts";
import { emptyScope } from "./scope.ts";
import { tokenEnd } from "./tokens.ts";
import { as } from "./tree.ts";

/** The expression that begins the text, behind the word before it: up to what ends a column's definition or its next constraint. */
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

/** A value of the type, for the statement that is being bound. */
export function bindDefaultText(definition: string, type: SqlType, column: string, ctx: BindContext): Expr {
  const [parsed] = parseStatements(`SELECT (${definition})`);
  const target = as(as(parsed?.node, "SelectStmt")?.targetList?.[0], "ResTarget")?.val;
  if (parsed === undefined || target === undefined) {
    throw new EvertError("internal", `the DEFAULT of column "${column}" is no expression`);
  }
  const inner = ctx.within(parsed.source, `the DEFAULT of "${column}"`);
  const bound = bindExpr(target, plainPlace(inner, emptyScope(), "VALUES"));
  const expr = coerce(bound, type, "assignment", inner);
  if (expr !== undefined) return expr;
  throw new EvertError(
    "datatype_mismatch",
    `column "${column}" is of type ${sqlTypeName(type)} but default expression is of type ${sqlTypeName(boundType(bound))}`,
  );
}
