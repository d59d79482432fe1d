/**
 * DEFAULTs that are no constants, such as now(): kept as they were written, and bound anew for each statement that stores rows. So now() is that
 * statement's time, once for all of its rows, and the log has the value.
 */
import { EvertError } from "../base/errors.ts";
import type { Field } from "../batch/schema.ts";
import type { SqlType } from "../batch/types.ts";
import type { Catalog } from "../plan/catalog.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { boundType, coerce } from "./bound.ts";
import { BindContext, StatementTime } from "./context.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import { withoutDomain } from "./in-domain.ts";
import { parseExpression } from "./kept-text.ts";
import { parseStatements } from "./parser.ts";
import { emptyScope } from "./scope.ts";

/** By column, its default where that is no constant, as of `nowUs` (microseconds since 1970); null where there is none such. */
export function bindDefaults(
  fields: readonly Field[],
  texts: readonly (string | null)[],
  catalog: Catalog,
  nowUs: bigint,
): (Expr | null)[] {
  const { source } = parseStatements("SELECT")[0]!;
  const ctx = new BindContext({ catalog, source, params: [], time: new StatementTime(nowUs), defines: null });
  return fields.map(({ name, type }, k) => {
    const text = texts[k] ?? null;
    return text === null ? null : bindDefaultText(text, withoutDomain(type), name, ctx);
  });
}

/** A value of the type, for the statement that is being bound. */
export function bindDefaultText(definition: string, type: SqlType, column: string, ctx: BindContext): Expr {
  const { node, source } = parseExpression(definition);
  const inner = ctx.within(source, `the DEFAULT of "${column}"`);
  const bound = bindExpr(node, plainPlace(inner, emptyScope(), "VALUES"));
  const expr = coerce(bound, type, "assignment", inner);
  if (expr !== undefined) return expr;
  throw new EvertError(
    "datatype_mismatch",
    `column "${column}" is of type ${sqlTypeName(type)} but default expression is of type ${sqlTypeName(boundType(bound))}`,
  );
}
