/**
 * JSON_EXISTS, JSON_VALUE and JSON_QUERY: a document, a jsonpath, PASSING variables of it, RETURNING a type, and what is done when there is nothing or
 * something is wrong. Bound to functions whose first argument has the words of the clauses (plan/functions-of/sql-json.ts).
 */
import type { JsonBehavior, Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { bool, jsonb, jsonpath, type SqlType, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { columnsOf, typeOf } from "../plan/inspect.ts";
import { type Bound, boundType, coerce } from "./bound.ts";
import { constantText } from "./json-constructors.ts";
import { asJson, bindJsonValue, isFormatted, returningType } from "./json-values.ts";
import type { ExprPlace } from "./place.ts";
import { as, type NodeOf, startOf } from "./tree.ts";

type Query = NodeOf<"JsonFuncExpr">;

interface Kind {
  readonly said: string;
  readonly fn: "sql_json_exists" | "sql_json_value" | "sql_json_query";
  readonly type: SqlType;
  readonly onError: string;
  /** Behaviours it may have, as PostgreSQL lists them. */
  readonly allowed: readonly Behaviour[];
  readonly list: string;
}

type Behaviour = NonNullable<JsonBehavior["btype"]>;

const words: Readonly<Record<Behaviour, string>> = {
  JSON_BEHAVIOR_NULL: "null",
  JSON_BEHAVIOR_ERROR: "error",
  JSON_BEHAVIOR_EMPTY: "array",
  JSON_BEHAVIOR_TRUE: "true",
  JSON_BEHAVIOR_FALSE: "false",
  JSON_BEHAVIOR_UNKNOWN: "null",
  JSON_BEHAVIOR_EMPTY_ARRAY: "array",
  JSON_BEHAVIOR_EMPTY_OBJECT: "object",
  JSON_BEHAVIOR_DEFAULT: "default",
};

const common = ["JSON_BEHAVIOR_ERROR", "JSON_BEHAVIOR_NULL", "JSON_BEHAVIOR_DEFAULT"] as const;

const kinds = {
  JSON_EXISTS_OP: {
    said: "JSON_EXISTS()",
    fn: "sql_json_exists",
    type: bool,
    onError: "false",
    allowed: ["JSON_BEHAVIOR_ERROR", "JSON_BEHAVIOR_TRUE", "JSON_BEHAVIOR_FALSE", "JSON_BEHAVIOR_UNKNOWN"],
    list: "ERROR, TRUE, FALSE, or UNKNOWN",
  },
  JSON_VALUE_OP: {
    said: "JSON_VALUE()",
    fn: "sql_json_value",
    type: text,
    onError: "null",
    allowed: common,
    list: "ERROR, NULL, or DEFAULT expression",
  },
  JSON_QUERY_OP: {
    said: "JSON_QUERY()",
    fn: "sql_json_query",
    type: jsonb,
    onError: "null",
    allowed: [...common, "JSON_BEHAVIOR_EMPTY", "JSON_BEHAVIOR_EMPTY_ARRAY", "JSON_BEHAVIOR_EMPTY_OBJECT"],
    list: "ERROR, NULL, EMPTY ARRAY, EMPTY OBJECT, or DEFAULT expression",
  },
} as const satisfies Record<string, Kind>;

export function bindJsonQuery(node: Query, place: ExprPlace): Expr {
  const { ctx } = place;
  const position = ctx.position(node.location);
  const kind: Kind = kinds[node.op as keyof typeof kinds];
  const { raw_expr, format } = node.context_item!;
  const given = place.bind(raw_expr!, place);
  if (!isFormatted(format, ctx) && boundType(given)?.name === "bytea") {
    const message = "cannot cast type bytea to jsonb";
    throw new EvertError("cannot_coerce", message, { position: ctx.position(given.start) });
  }
  const document = asJson(given, jsonb, place);
  const path = pathOf(place.bind(node.pathspec!, place), place);
  const to = returningType(node.output, kind.type, place);
  if (to.fields !== undefined)
    throw notSupported("RETURNING a row", ctx.position(node.output?.typeName?.location));
  const clauses = [
    behaviourOf(node.on_empty, "EMPTY", kind, place) ?? "null",
    behaviourOf(node.on_error, "ERROR", kind, place) ?? kind.onError,
    ...(node.op === "JSON_QUERY_OP" ? [wrapperOf(node, position), quotesOf(node)] : []),
  ];
  const args = [
    constantText(clauses.join(" ")),
    document,
    path,
    defaultOf(node.on_empty, to, place),
    defaultOf(node.on_error, to, place),
    ...variablesOf(node.passing ?? [], place),
  ];
  return { kind: "call", fn: kind.fn, args, type: to };
}

export function pathOf(bound: Bound, { ctx }: ExprPlace): Expr {
  const path = coerce(bound, jsonpath, "implicit", ctx) ?? textPath(bound);
  if (path !== undefined) return path;
  const said = sqlTypeName(boundType(bound));
  throw new EvertError(
    "datatype_mismatch",
    `JSON path expression must be of type jsonpath, not of type ${said}`,
    { position: ctx.position(bound.start) },
  );

  function textPath(given: Bound): Expr | undefined {
    const type = boundType(given)?.name;
    return type === "text" || type === "varchar" ? coerce(given, jsonpath, "explicit", ctx) : undefined;
  }
}

/** PASSING: names and values in turn. */
export function variablesOf(passing: readonly Node[], place: ExprPlace): Expr[] {
  return passing.flatMap((node) => {
    const { name, val } = as(node, "JsonArgument")!;
    const value = bindJsonValue(val!, place);
    const type = typeOf(value);
    if (type.fields !== undefined || type.element !== undefined || !passable.has(type.name)) {
      const position = place.ctx.position(startOf(val!.raw_expr!));
      throw notSupported(`a value of type ${sqlTypeName(type)} in PASSING`, position);
    }
    return [constantText(name ?? ""), value];
  });
}

/** Types whose values are the same in a path. */
const passable: ReadonlySet<string> = new Set(
  "int2 int4 int8 float4 float8 numeric bool text varchar json jsonb".split(" "),
);

function behaviourOf(
  behaviour: JsonBehavior | undefined,
  event: "EMPTY" | "ERROR",
  kind: Kind,
  { ctx }: ExprPlace,
): string | undefined {
  if (behaviour?.btype === undefined) return undefined;
  if (kind.allowed.includes(behaviour.btype)) return words[behaviour.btype];
  throw new EvertError("syntax_error", `invalid ON ${event} behavior`, {
    detail: `Only ${kind.list} is allowed in ON ${event} for ${kind.said}.`,
    position: ctx.position(behaviour.location),
  });
}

function defaultOf(behaviour: JsonBehavior | undefined, to: SqlType, place: ExprPlace): Expr {
  const { ctx } = place;
  if (behaviour?.btype !== "JSON_BEHAVIOR_DEFAULT") return { kind: "const", value: null, type: to };
  const bound = place.bind(behaviour.expr!, place);
  const position = ctx.position(behaviour.location);
  if (bound.kind === "typed" && columnsOf(bound.expr).size > 0) {
    const message = "DEFAULT expression must not contain column references";
    throw new EvertError("datatype_mismatch", message, { position });
  }
  const value = coerce(bound, to, "explicit", ctx);
  if (value !== undefined) return value;
  const message = `cannot cast behavior expression of type ${sqlTypeName(boundType(bound))} to ${sqlTypeName(to)}`;
  throw new EvertError("cannot_coerce", message, { position });
}

function wrapperOf({ wrapper, quotes }: Query, position: number | undefined): string {
  const wraps = wrapper === "JSW_CONDITIONAL" || wrapper === "JSW_UNCONDITIONAL";
  if (wraps && quotes !== undefined && quotes !== "JS_QUOTES_UNSPEC") {
    const message = "SQL/JSON QUOTES behavior must not be specified when WITH WRAPPER is used";
    throw new EvertError("syntax_error", message, { position });
  }
  return wrapper === "JSW_UNCONDITIONAL" ? "wrap" : wrapper === "JSW_CONDITIONAL" ? "several" : "bare";
}

function quotesOf({ quotes }: Query): string {
  return quotes === "JS_QUOTES_OMIT" ? "omit" : "keep";
}
