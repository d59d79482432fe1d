/**
 * Bound expressions. PostgreSQL leaves the type of a bare literal ('5', NULL, $1) open until its surroundings ask for one; so a bound
 * expression is either typed or still such a literal.
 */
import { EvertError, notSupported } from "../base/errors.ts";
import { type Datum, datumFromJson } from "../batch/convert.ts";
import { parseJson } from "../batch/lossless-json.ts";
import { type SqlType, sameType, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import {
  type CastContext,
  type FunctionId,
  type Resolution,
  resolveCast,
  sameKind,
  sqlTypeName,
  wantedType,
} from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import { writtenOut } from "./clock-words.ts";
import type { BindContext, StatementTime } from "./context.ts";
import { castConstant, castLiteral, parseDatum } from "./literal.ts";
import { withNamesOf } from "./record-names.ts";

export interface TypedBound {
  readonly kind: "typed";
  readonly expr: Expr;
  /** Byte offset of its beginning, where known. */
  readonly start: number | undefined;
}

export interface LiteralBound {
  readonly kind: "literal";
  readonly text: string | null;
  /** Number of the parameter it stands for; null for a literal of the text. */
  readonly param: number | null;
  readonly start: number | undefined;
}

export type Bound = TypedBound | LiteralBound;

export function typed(expr: Expr, start: number | undefined): TypedBound {
  return { kind: "typed", expr, start };
}

/** Where an expression of these parts begins, as PostgreSQL sees it: a cast that changes nothing is not there. */
export function leftmost(own: number | undefined, parts: readonly Bound[]): number | undefined {
  const places = [own, ...parts.map((p) => p.start)].filter((p) => p !== undefined && p >= 0);
  return places.length === 0 ? undefined : Math.min(...(places as number[]));
}

/** null: still open. */
export function boundType(bound: Bound): SqlType | null {
  return bound.kind === "typed" ? typeOf(bound.expr) : null;
}

/** The literal as a constant of the type. */
export function settle(literal: LiteralBound, type: SqlType, ctx: BindContext): Expr {
  const position = literal.param === null ? ctx.position(literal.start) : undefined;
  if (literal.param !== null) ctx.fixParam(literal.param, type, ctx.position(literal.start));
  return {
    kind: "const",
    value: literal.text === null ? null : readLiteral(literal, type, position, ctx.literalClock),
    type,
  };
}

/** An array given as a parameter may come as JSON: PostgreSQL's text of one never begins like that. */
function readLiteral(
  literal: LiteralBound,
  type: SqlType,
  position: number | undefined,
  time: StatementTime | null,
): Datum {
  const text = literal.text!;
  const isJson = literal.param !== null && type.element !== undefined && /^\s*\[(?![^{}"]*\]\s*=)/.test(text);
  return isJson
    ? datumFromJson(type, parseJson(text), `$${literal.param}`)
    : parseDatum(writtenOut(text, type, time), type, position);
}

/** The literal as it was cast: where a text is too long for the type, it is cut off. */
function settleCast(literal: LiteralBound, to: SqlType, ctx: BindContext): Expr {
  if (to.length === undefined) return settle(literal, to, ctx);
  const position = literal.param === null ? ctx.position(literal.start) : undefined;
  if (literal.param !== null) ctx.fixParam(literal.param, to, ctx.position(literal.start));
  return { kind: "const", value: castLiteral(literal.text!, to, null, position), type: to };
}

/** Its expression; an open literal becomes text. */
export function settled(bound: Bound, ctx: BindContext): Expr {
  return bound.kind === "typed" ? bound.expr : settle(bound, text, ctx);
}

/** The expression as one of type `to`, or undefined if PostgreSQL has no such cast in this context. */
export function coerce(bound: Bound, to: SqlType, context: CastContext, ctx: BindContext): Expr | undefined {
  if (bound.kind === "literal") {
    return context === "explicit" && bound.text !== null
      ? settleCast(bound, to, ctx)
      : settle(bound, to, ctx);
  }
  const from = typeOf(bound.expr);
  if (sameType(from, to)) return bound.expr;
  const cast = resolveCast(from, to, context);
  if (cast === undefined) return undefined;
  if (cast.fn !== null) return castCall(bound.expr, cast.fn, to);
  return to.fields === undefined ? bound.expr : withNamesOf(bound.expr, to);
}

/** The cast's call, or its result if the argument is a constant that can be cast at once. */
export function castCall(expr: Expr, fn: FunctionId, to: SqlType): Expr {
  const done = expr.kind === "const" ? castConstant(expr, to) : undefined;
  return done ?? { kind: "call", fn, args: [expr], type: to };
}

/** A call of what was resolved, its arguments cast as it asks. */
export function callOf(resolution: Resolution, args: readonly Bound[], ctx: BindContext): Expr {
  return {
    kind: "call",
    fn: resolution.fn,
    args: args.map((arg, i) => argument(arg, resolution, i, ctx)),
    type: resolution.resultType,
  };
}

export function argument(bound: Bound, resolution: Resolution, index: number, ctx: BindContext): Expr {
  const type = resolution.argTypes[index]!;
  if (bound.kind === "literal") return settle(bound, type, ctx);
  const fn = resolution.argCasts[index] ?? null;
  return fn === null ? bound.expr : castCall(bound.expr, fn, type);
}

/** WHERE, ON, HAVING, AND ... take booleans. `taker` as PostgreSQL's message names it. */
export function toBoolean(bound: Bound, taker: string, ctx: BindContext): Expr {
  const expr = coerce(bound, { name: "bool" }, "implicit", ctx);
  if (expr !== undefined) return expr;
  const type = sqlTypeName(boundType(bound));
  throw new EvertError("datatype_mismatch", `argument of ${taker} must be type boolean, not type ${type}`, {
    position: ctx.position(bound.start),
  });
}

/** All as one type, which they find together. `construct` as PostgreSQL's message names it. */
export function toCommonType(
  bounds: readonly Bound[],
  construct: string,
  ctx: BindContext,
): { exprs: Expr[]; type: SqlType } {
  const valued = bounds.filter((bound) => !isNullLiteral(bound));
  const type = wantedType((valued.length > 0 ? valued : bounds).map(boundType));
  if (type === undefined) throw noCommonType(bounds, construct, ctx);
  refuseUnlikeRows(valued, construct, ctx);
  const exprs = bounds.map((bound) => {
    const expr = coerce(bound, type, "implicit", ctx);
    if (expr !== undefined) return expr;
    throw new EvertError(
      "cannot_coerce",
      `${construct} could not convert type ${sqlTypeName(boundType(bound))} to ${sqlTypeName(type)}`,
      { position: ctx.position(bound.start) },
    );
  });
  return { exprs, type };
}

/** PostgreSQL has rows that say of each value what it is; here a column's type says it of all. */
function refuseUnlikeRows(bounds: readonly Bound[], construct: string, ctx: BindContext): void {
  const types = bounds.map(boundType);
  const row = types.find((t) => t?.fields !== undefined);
  const other = types.findIndex((t) => t?.fields !== undefined && !sameKind(t, row!));
  if (other >= 0)
    throw notSupported(`rows of several types in ${construct}`, ctx.position(bounds[other]!.start));
}

/** A bare NULL: it fits any length and precision, other than the literal '1', and may be a row. */
export function isNullLiteral(bound: Bound): boolean {
  return bound.kind !== "typed" && bound.param === null && bound.text === null;
}

/** Names the first type and the first one that does not go with those before it. */
function noCommonType(bounds: readonly Bound[], construct: string, ctx: BindContext): EvertError {
  const known = bounds.filter((b) => boundType(b) !== null);
  const index = known.findIndex((_, i) => wantedType(known.slice(0, i + 1).map(boundType)) === undefined);
  const before = wantedType(known.slice(0, index).map(boundType)) ?? boundType(known[0]!);
  const message = `${construct} types ${sqlTypeName(before)} and ${sqlTypeName(boundType(known[index]!))} cannot be matched`;
  return new EvertError("datatype_mismatch", message, { position: ctx.position(known[index]!.start) });
}
