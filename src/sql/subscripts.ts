/** Subscripts: items and slices of arrays, members and elements of jsonb; fields of rows. */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { bool, int4, type SqlType, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { resolveOperator, sqlTypeName } from "../plan/functions.ts";
import { type Quantified, quantified } from "../plan/functions-of/arrays.ts";
import { typeOf } from "../plan/inspect.ts";
import { type Bound, boundType, coerce, leftmost, settled, typed } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import { bindField } from "./records.ts";
import { as, type NodeOf, startOf, stringOf } from "./tree.ts";

export function bindIndirection(
  node: NodeOf<"A_Indirection">,
  place: ExprPlace,
  start: number | undefined,
): Bound {
  const { ctx } = place;
  const position = ctx.position(start);
  let base = settled(place.bind(node.arg!, place), ctx);
  const steps = node.indirection ?? [];
  for (let at = 0; at < steps.length; ) {
    const indices: NodeOf<"A_Indices">[] = [];
    for (let index = as(steps[at], "A_Indices"); index !== undefined; index = as(steps[++at], "A_Indices"))
      indices.push(index);
    if (indices.length > 0) base = subscripted(base, indices, place, position);
    // A star has no name: it is written out where it may stand.
    else if (as(steps[at], "A_Star") !== undefined)
      throw notSupported("a row's fields as several values in this place", position);
    else base = bindField(base, stringOf(steps[at++]), position);
  }
  return typed(base, start);
}

function subscripted(
  base: Expr,
  indices: readonly NodeOf<"A_Indices">[],
  place: ExprPlace,
  position: number | undefined,
): Expr {
  const { ctx } = place;
  const type = typeOf(base);
  if (type.name === "jsonb") return jsonbSubscript(base, indices, place);
  if (type.element === undefined) {
    const message = `cannot subscript type ${sqlTypeName(type)} because it does not support subscripting`;
    throw new EvertError("datatype_mismatch", message, { position });
  }
  const bound = (n: Node): Expr => {
    const index = place.bind(n, place);
    const expr = coerce(index, int4, "assignment", ctx);
    if (expr !== undefined) return expr;
    throw new EvertError("datatype_mismatch", "array subscript must have type integer", {
      position: ctx.position(index.start),
    });
  };
  if (!indices.some((i) => i.is_slice)) {
    const args = [base, ...indices.map((i) => bound(i.uidx!))];
    return { kind: "call", fn: "array_subscript", args, type: type.element };
  }
  // Beside a slice a single subscript n means 1:n.
  const forms = indices.map((i) => {
    const low = i.lidx !== undefined ? "x" : i.is_slice ? "-" : "1";
    return low + (i.uidx !== undefined ? "x" : "-");
  });
  const written: Expr = { kind: "const", value: forms.join(","), type: text };
  const bounds = indices.flatMap((i) => [i.lidx, i.uidx].filter((n) => n !== undefined).map(bound));
  return { kind: "call", fn: "array_slice", args: [base, written, ...bounds], type };
}

/** A text is a key, an integer counts elements; where the other is wanted there is nothing. */
function jsonbSubscript(base: Expr, indices: readonly NodeOf<"A_Indices">[], place: ExprPlace): Expr {
  const { ctx } = place;
  const steps = indices.map((index) => {
    if (index.is_slice) {
      throw new EvertError("datatype_mismatch", "jsonb subscript does not support slices", {
        position: ctx.position(index.uidx === undefined ? undefined : startOf(index.uidx)),
      });
    }
    const bound = place.bind(index.uidx!, place);
    const counted = bound.kind === "literal" ? undefined : coerce(bound, int4, "implicit", ctx);
    const key = counted === undefined ? coerce(bound, text, "implicit", ctx) : undefined;
    if (key !== undefined) return key;
    if (counted !== undefined) return coerce(typed(counted, bound.start), text, "explicit", ctx)!;
    const said = sqlTypeName(boundType(bound));
    throw new EvertError("datatype_mismatch", `subscript type ${said} is not supported`, {
      position: ctx.position(bound.start),
      hint: "jsonb subscript must be coercible to either integer or text.",
    });
  });
  return { kind: "call", fn: "jsonb_path", args: [base, ...steps], type: { name: "jsonb" } };
}

/** x op ANY (array), x op ALL (array). */
export function bindQuantified(node: NodeOf<"A_Expr">, place: ExprPlace): Bound {
  const { ctx } = place;
  const position = ctx.position(node.location);
  const symbol = stringOf(node.name?.at(-1)).replace("!=", "<>");
  const quantifier = node.kind === "AEXPR_OP_ANY" ? "any" : "all";
  const left = place.bind(node.lexpr!, place);
  const right = place.bind(node.rexpr!, place);
  const expr = quantifiedComparison(quantifier, symbol, left, right, place, position);
  return typed(expr, leftmost(node.location, [left]));
}

export function quantifiedComparison(
  quantifier: "any" | "all",
  symbol: string,
  left: Bound,
  right: Bound,
  { ctx }: ExprPlace,
  position: number | undefined,
): Expr {
  const rightType = boundType(right);
  if (rightType !== null && rightType.element === undefined) {
    throw new EvertError("wrong_object_type", "op ANY/ALL (array) requires array on right side", {
      position,
    });
  }
  const resolution = resolveOperator(symbol, [boundType(left), rightType?.element ?? null], position);
  const [leftType, itemType] = resolution.argTypes as [SqlType, SqlType];
  const known = (Object.keys(quantified) as Quantified[]).find((k) => quantified[k] === symbol);
  if (known === undefined || leftType.name !== itemType.name || resolution.resultType.name !== "bool") {
    throw notSupported(`${symbol} ${quantifier.toUpperCase()} (array) of these types`, position);
  }
  const x = coerce(left, leftType, "explicit", ctx)!;
  const items = coerce(right, { name: "array", element: leftType }, "explicit", ctx)!;
  return { kind: "call", fn: `${quantifier}_${known}`, args: [x, items], type: bool };
}
