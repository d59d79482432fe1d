/**
 * SQL/JSON's constructors: JSON_OBJECT, JSON_ARRAY, JSON_OBJECTAGG, JSON_ARRAYAGG, JSON, JSON_SCALAR, JSON_SERIALIZE; and IS JSON.
 *
 * Without RETURNING they give json; where a jsonb is among their arguments, jsonb, as PostgreSQL's do. The aggregates are those of plan/,
 * called by their other names.
 */
import type { JsonAggConstructor, JsonValueExpr, Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { bool, json, jsonb, type SqlType, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import { NESTED } from "./aggregates.ts";
import { type Bound, boundType, coerce, leftmost, settled, typed } from "./bound.ts";
import {
  asJson,
  bindJsonValue,
  callNamed,
  isFormatted,
  isJsonType,
  isStringType,
  returned,
  returningType,
  textOfBytes,
} from "./json-values.ts";
import type { ExprPlace } from "./place.ts";
import { as, type NodeOf } from "./tree.ts";

export function bindJsonObject(node: NodeOf<"JsonObjectConstructor">, place: ExprPlace): Expr {
  const pairs = (node.exprs ?? []).map((n) => as(n, "JsonKeyValue")!);
  const args = pairs.flatMap(({ key, value }) => [
    settled(place.bind(key!, place), place.ctx),
    bindJsonValue(value!, place),
  ]);
  const words = wordsOf(node.absent_on_null && "absent", node.unique && "unique");
  return made("object", words, args, node, place);
}

export function bindJsonArray(node: NodeOf<"JsonArrayConstructor">, place: ExprPlace): Expr {
  const args = (node.exprs ?? []).map((n) => bindJsonValue(as(n, "JsonValueExpr")!, place));
  return made("array", wordsOf(node.absent_on_null && "absent"), args, node, place);
}

/** JSON_ARRAY(SELECT …): of the array of its rows, which keeps their order. */
export function bindJsonArrayQuery(node: NodeOf<"JsonArrayQueryConstructor">, place: ExprPlace): Expr {
  const position = place.ctx.position(node.location);
  const link = {
    subLinkType: "ARRAY_SUBLINK",
    subselect: node.query!,
    location: node.location,
  } satisfies NodeOf<"SubLink">;
  const list = settled(place.bind({ SubLink: link }, place), place.ctx);
  const element = typeOf(list).element!;
  if (element.element !== undefined) throw notSupported("JSON_ARRAY of a query of arrays", position);
  if (isFormatted(node.format, place.ctx)) throw notSupported("FORMAT JSON of a query", position);
  const type = element.name === "jsonb" ? jsonb : json;
  const to = returningType(node.output, type, place);
  const fn = to.name === "jsonb" ? "sql_jsonb_array_of" : "sql_json_array_of";
  const call = {
    kind: "call",
    fn,
    args: [constantText(""), list],
    type: to.name === "jsonb" ? jsonb : json,
  } as const;
  return returned(call, to, position, place.ctx);
}

function wordsOf(...words: readonly (string | false | undefined)[]): string {
  return words.filter((word) => typeof word === "string").join(" ");
}

export function constantText(value: string): Expr {
  return { kind: "const", value, type: text };
}

function made(
  what: "object" | "array",
  words: string,
  args: readonly Expr[],
  { output, location }: NodeOf<"JsonArrayConstructor">,
  place: ExprPlace,
): Expr {
  const to = returningType(output, args.some((arg) => typeOf(arg).name === "jsonb") ? jsonb : json, place);
  const type = to.name === "jsonb" ? jsonb : json;
  const call: Expr = {
    kind: "call",
    fn: `sql_${type.name as "json" | "jsonb"}_${what}`,
    args: [constantText(words), ...args],
    type,
  };
  return returned(call, to, place.ctx.position(location), place.ctx);
}

// ---- aggregates -------------------------------------------------------------------------------------------------

export function bindJsonArrayAgg(node: NodeOf<"JsonArrayAgg">, place: ExprPlace): Expr {
  const strict = node.absent_on_null ? "_strict" : "";
  const of = (prefix: string) => `${prefix}_agg${strict}`;
  return aggregated("JSON_ARRAYAGG", of, { value: node.arg!, before: [] }, node.constructor!, place);
}

export function bindJsonObjectAgg(node: NodeOf<"JsonObjectAgg">, place: ExprPlace): Expr {
  const suffix = `${node.unique ? "_unique" : ""}${node.absent_on_null ? "_strict" : ""}`;
  const of = (prefix: string) => `${prefix}_object_agg${suffix}`;
  const { key, value } = node.arg!;
  return aggregated("JSON_OBJECTAGG", of, { value: value!, before: [key!] }, node.constructor!, place);
}

/** A call of PostgreSQL's own aggregate, whose name begins with json or jsonb as the result does. */
function aggregated(
  said: string,
  nameOf: (prefix: "json" | "jsonb") => string,
  { value, before }: { readonly value: JsonValueExpr; readonly before: readonly Node[] },
  made: JsonAggConstructor,
  place: ExprPlace,
): Expr {
  const { ctx } = place;
  const position = ctx.position(made.location);
  if (made.over !== undefined) throw notSupported(`${said} as a window function`, position);
  const node = value.raw_expr!;
  const formatted = isFormatted(value.format, ctx);
  const to = returningType(made.output, json, place);
  const given = made.output === undefined && !formatted ? typeOfNode(node, place) : to;
  const prefix = given?.name === "jsonb" ? "jsonb" : "json";
  const call: NodeOf<"FuncCall"> = {
    funcname: [{ String: { sval: nameOf(prefix) } }],
    args: [...before, formatted ? castToJson(node) : node],
    ...(made.agg_order === undefined ? {} : { agg_order: made.agg_order }),
    ...(made.agg_filter === undefined ? {} : { agg_filter: made.agg_filter }),
    ...(made.location === undefined ? {} : { location: made.location }),
  };
  const bound = settled(place.bind({ FuncCall: call }, place), ctx);
  return returned(bound, made.output === undefined ? typeOf(bound) : to, position, ctx);
}

function typeOfNode(node: Node, place: ExprPlace): SqlType | null {
  return boundType(place.bind(node, { ...place, aggregates: null, windows: null, clause: NESTED }));
}

function castToJson(arg: Node): Node {
  return { TypeCast: { arg, typeName: { names: [{ String: { sval: "json" } }], typemod: -1 } } };
}

// ---- JSON, JSON_SCALAR, JSON_SERIALIZE, IS JSON -------------------------------------------------------------------

export function bindJsonParse(node: NodeOf<"JsonParseExpr">, place: ExprPlace): Expr {
  const { ctx } = place;
  const { raw_expr, format } = node.expr!;
  isFormatted(format, ctx);
  const bound = place.bind(raw_expr!, place);
  if (!node.unique_keys) return asJson(bound, json, place);
  const type = boundType(bound) ?? text;
  if (!isStringType(type)) {
    const message = "cannot use non-string types with WITH UNIQUE KEYS clause";
    throw new EvertError("datatype_mismatch", message, { position: ctx.position(node.location) });
  }
  const written = coerce(typed(asJson(bound, json, place), bound.start), text, "explicit", ctx)!;
  return { kind: "call", fn: "json_unique_keys", args: [written], type: json };
}

export function bindJsonScalar(node: NodeOf<"JsonScalarExpr">, place: ExprPlace): Expr {
  const value = settled(place.bind(node.expr!, place), place.ctx);
  return isJsonType(typeOf(value)) ? value : callNamed("to_json", [typed(value, undefined)], place.ctx);
}

export function bindJsonSerialize(node: NodeOf<"JsonSerializeExpr">, place: ExprPlace): Expr {
  const { ctx } = place;
  const position = ctx.position(node.location);
  const { raw_expr, format } = node.expr!;
  isFormatted(format, ctx);
  const bound = place.bind(raw_expr!, place);
  const type = boundType(bound);
  if (type !== null && !isJsonType(type) && !isStringType(type)) {
    const message = "cannot use non-string types with implicit FORMAT JSON clause";
    throw new EvertError("datatype_mismatch", message, { position: ctx.position(bound.start) });
  }
  const to = returningType(node.output, text, place);
  if (!isStringType(to)) {
    const message = `cannot use type ${sqlTypeName(to)} in RETURNING clause of JSON_SERIALIZE()`;
    const hint = "Try returning a string type or bytea.";
    throw new EvertError("datatype_mismatch", message, { hint, position });
  }
  return returned(asJson(bound, type?.name === "jsonb" ? jsonb : json, place), to, position, ctx);
}

const kinds = {
  JS_TYPE_ANY: undefined,
  JS_TYPE_OBJECT: "object",
  JS_TYPE_ARRAY: "array",
  JS_TYPE_SCALAR: "scalar",
} as const;

export function bindIsJson(node: NodeOf<"JsonIsPredicate">, place: ExprPlace): Bound {
  const { ctx } = place;
  const bound = place.bind(node.expr!, place);
  const value = settled(bound, ctx);
  const type = typeOf(value);
  const start = leftmost(node.location, [bound]);
  isFormatted(node.format, ctx);
  if (!isJsonType(type) && !isStringType(type)) {
    const message = `cannot use type ${sqlTypeName(type)} in IS JSON predicate`;
    throw new EvertError("datatype_mismatch", message, { position: ctx.position(start) });
  }
  const words = wordsOf(kinds[node.item_type ?? "JS_TYPE_ANY"], node.unique_keys && "unique");
  const tested = type.name === "bytea" ? textOfBytes(typed(value, start), ctx) : value;
  return typed({ kind: "call", fn: "is_json", args: [tested, constantText(words)], type: bool }, start);
}
