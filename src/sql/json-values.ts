/** What the SQL/JSON expressions share: values with FORMAT JSON, RETURNING, conversions by name. */
import type { JsonFormat, JsonOutput, JsonValueExpr } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { json, type SqlType, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { resolveFunction, sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import { type Bound, boundType, callOf, coerce, settled, typed } from "./bound.ts";
import type { BindContext } from "./context.ts";
import type { ExprPlace } from "./place.ts";
import { bindTypeName } from "./type-names.ts";

const UTF8: Bound = typed({ kind: "const", value: "UTF8", type: text }, undefined);

export function callNamed(name: string, args: readonly Bound[], ctx: BindContext): Expr {
  return callOf(resolveFunction(name, args.map(boundType)), args, ctx);
}

export function isJsonType({ name }: SqlType): boolean {
  return name === "json" || name === "jsonb";
}

export function isStringType({ name }: SqlType): boolean {
  return name === "text" || name === "varchar" || name === "bpchar" || name === "bytea";
}

/** A value; with FORMAT JSON a text is the JSON it says. */
export function bindJsonValue(node: JsonValueExpr, place: ExprPlace): Expr {
  const bound = place.bind(node.raw_expr!, place);
  return isFormatted(node.format, place.ctx) ? asJson(bound, json, place) : settled(bound, place.ctx);
}

/** FORMAT JSON is said. */
export function isFormatted(format: JsonFormat | undefined, ctx: BindContext): boolean {
  const encoding = format?.encoding;
  if (encoding === "JS_ENC_UTF16" || encoding === "JS_ENC_UTF32")
    throw notSupported("an ENCODING other than UTF8", ctx.position(format?.location));
  return format?.format_type === "JS_FORMAT_JSON";
}

export function textOfBytes(bytes: Bound, ctx: BindContext): Expr {
  return callNamed("convert_from", [bytes, UTF8], ctx);
}

/** As json or jsonb: a text or bytes are read as JSON, anything else is refused. */
export function asJson(bound: Bound, to: SqlType, { ctx }: ExprPlace): Expr {
  if (bound.kind === "literal") return coerce(bound, to, "explicit", ctx)!;
  const type = typeOf(bound.expr);
  const isBytes = type.name === "bytea";
  if (!isJsonType(type) && !isStringType(type)) {
    const message = `cannot cast type ${sqlTypeName(type)} to ${sqlTypeName(to)}`;
    throw new EvertError("cannot_coerce", message, { position: ctx.position(bound.start) });
  }
  const read = isBytes ? typed(textOfBytes(bound, ctx), bound.start) : bound;
  return coerce(read, to, "explicit", ctx)!;
}

/** The type that RETURNING names. */
export function returningType(output: JsonOutput | undefined, otherwise: SqlType, place: ExprPlace): SqlType {
  if (output?.typeName === undefined) return otherwise;
  const { ctx } = place;
  const position = ctx.position(output.typeName.location);
  isFormatted(output.returning?.format, ctx);
  const type = bindTypeName(output.typeName, ctx);
  if (type.domain !== undefined) throw notSupported("a domain in RETURNING", position);
  return type;
}

/** What was made, as the type that RETURNING names. */
export function returned(made: Expr, to: SqlType, position: number | undefined, ctx: BindContext): Expr {
  const from = typeOf(made);
  const bound = typed(made, undefined);
  if (to.name === "bytea") {
    const written = coerce(bound, text, "explicit", ctx)!;
    return callNamed("convert_to", [typed(written, undefined), UTF8], ctx);
  }
  if (isJsonType(to)) return coerce(bound, to, "explicit", ctx)!;
  if (!isStringType(to)) {
    const message = `cannot cast type ${sqlTypeName(from)} to ${sqlTypeName(to)}`;
    throw new EvertError("cannot_coerce", message, { position });
  }
  const written = typed(coerce(bound, text, "explicit", ctx)!, undefined);
  return coerce(written, to, "assignment", ctx)!;
}
