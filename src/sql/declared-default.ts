/** DEFAULTs as they are declared, of columns and domains: a constant, or a text that is bound anew for each statement that stores rows. */
import type { Constraint, Node } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import type { SqlType } from "../batch/types.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { type Bound, boundType, coerce } from "./bound.ts";
import { DEFAULTS } from "./clock.ts";
import type { BindContext } from "./context.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import { withoutDomain } from "./in-domain.ts";
import { parseExpression, textOfDefault } from "./kept-text.ts";
import { emptyScope } from "./scope.ts";
import type { Default } from "./statement-types.ts";
import { as, startOf } from "./tree.ts";

function bindFallback(node: Node, position: number | undefined, ctx: BindContext): Bound {
  try {
    return bindExpr(node, plainPlace(ctx, emptyScope(), DEFAULTS));
  } catch (error) {
    if (!(error instanceof EvertError) || !["undefined_column", "undefined_table"].includes(error.code))
      throw error;
    // No column has a value before the row is there.
    throw new EvertError("feature_not_supported", "cannot use column reference in DEFAULT expression", {
      position: error.position ?? position,
      cause: error,
    });
  }
}

/** Where the column's next constraint begins, if there is one. */
export function nextPlace(constraints: readonly Node[] | undefined, { location = 0 }: Constraint): number {
  const places = (constraints ?? []).map((n) => as(n, "Constraint")!.location ?? 0);
  return Math.min(...places.filter((place) => place > location), Number.MAX_SAFE_INTEGER);
}

export function bindDefault(
  { raw_expr, location }: Constraint,
  end: number,
  column: string,
  type: SqlType,
  ctx: BindContext,
): Default {
  const position = ctx.position(startOf(raw_expr!));
  // What a row is given must not depend on when the table was made.
  ctx.literalClock = null;
  const bound = bindFallback(raw_expr!, position, ctx);
  const text = textOfDefault(ctx.source.slice(location ?? 0, end));
  return defaultOfBound(bound, text, column, type, position, ctx);
}

/** Behind SET DEFAULT, to the end of its action. */
export function bindSetDefault(node: Node, column: string, type: SqlType, ctx: BindContext): Default {
  const start = startOf(node) ?? 0;
  ctx.literalClock = null;
  const bound = bindFallback(node, ctx.position(start), ctx);
  // The expression may begin with parentheses, of which the tree says nothing.
  const head = ctx.source.slice(0, start);
  const text = textOfDefault(
    head.slice(head.toLowerCase().lastIndexOf("default")) + ctx.source.slice(start, Number.MAX_SAFE_INTEGER),
  );
  return defaultOfBound(bound, text, column, type, ctx.position(start), ctx);
}

function defaultOfBound(
  bound: Bound,
  text: string,
  column: string,
  type: SqlType,
  position: number | undefined,
  ctx: BindContext,
): Default {
  const expr = coerce(bound, withoutDomain(type), "assignment", ctx);
  if (expr === undefined) {
    const from = sqlTypeName(boundType(bound));
    const message = `column "${column}" is of type ${sqlTypeName(type)} but default expression is of type ${from}`;
    throw new EvertError("datatype_mismatch", message, { position });
  }
  return expr.kind === "const" ? { value: expr.value, text: null } : { value: null, text };
}

/** Of a column that has none of its own: its domain's, or null. */
export function domainDefault(type: SqlType, column: string, ctx: BindContext): Default {
  const text = type.domain?.fallback;
  if (text === undefined) return { value: null, text: null };
  const { node, source } = parseExpression(text);
  const inner = ctx.within(source, `the DEFAULT of "${column}"`);
  inner.literalClock = null;
  return defaultOfBound(bindFallback(node, undefined, inner), text, column, type, undefined, inner);
}
