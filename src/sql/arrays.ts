/**
 * ARRAY[...]. Items of one type make a list; items that are arrays themselves (or written as lists inside) make one dimension more. A cast around
 * it says the type of the items, so that ARRAY[]::int[] and ARRAY['1', '2']::int[] have one.
 */
import { EvertError } from "../base/errors.ts";
import { formatArray, listOf } from "../batch/format/array.ts";
import { datumToText } from "../batch/text-form.ts";
import { arrayOf, type SqlType } from "../batch/types.ts";
import type { ConstExpr, Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import { type Bound, boundType, coerce, toCommonType, typed } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import { as, type NodeOf } from "./tree.ts";

/** `wanted`: the array type it is cast to, if it is. */
export function bindArray(node: NodeOf<"A_ArrayExpr">, place: ExprPlace, wanted: SqlType | null): Bound {
  const { ctx } = place;
  const position = ctx.position(node.location);
  const items = (node.elements ?? []).map((element) => {
    const inner = as(element, "A_ArrayExpr");
    return inner === undefined
      ? place.bind(element, place)
      : ctx.deeper(() => bindArray(inner, place, wanted));
  });
  if (wanted === null && items.length === 0) {
    throw new EvertError("indeterminate_datatype", "cannot determine type of empty array", {
      position,
      hint: "Explicitly cast to the desired type, for example ARRAY[]::integer[].",
    });
  }
  if (wanted === null) {
    const { exprs, type } = toCommonType(items, "ARRAY", ctx);
    return typed(made(exprs, type.element === undefined ? arrayOf(type) : type), node.location);
  }
  const nested = items.some((item) => boundType(item)?.element !== undefined);
  const itemType = nested ? wanted : wanted.element!;
  const exprs = items.map((item) => {
    const expr = coerce(item, itemType, "explicit", ctx);
    if (expr !== undefined) return expr;
    const said = `cannot cast type ${sqlTypeName(boundType(item))} to ${sqlTypeName(itemType)}`;
    throw new EvertError("cannot_coerce", said, { position: ctx.position(item.start) });
  });
  return typed(made(exprs, wanted), node.location);
}

function made(args: readonly Expr[], type: SqlType): Expr {
  const nested = args.some((arg) => typeOf(arg).element !== undefined);
  const done = nested ? undefined : constantArray(args, type);
  return done ?? { kind: "call", fn: "array_make", args, type };
}

/** An array of these items if all of them are constants: one value then, however many they are. None of them is an array. */
export function constantArray(items: readonly Expr[], type: SqlType): ConstExpr | undefined {
  const texts: (string | null)[] = [];
  for (const item of items) {
    if (item.kind !== "const") return undefined;
    texts.push(item.value === null ? null : datumToText(item.type, item.value));
  }
  return { kind: "const", value: formatArray(listOf(texts)), type };
}
