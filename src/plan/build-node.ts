/** What the constructors of all nodes share: columns and constants, the checks of expressions, freezing. */
import { assert } from "../base/assert.ts";
import { carrierOf, type SqlType } from "../batch/types.ts";
import type { ColumnExpr, ConstExpr, Datum, Expr } from "./expression.ts";
import { childrenOf, eachColumn, mapChildren } from "./inspect.ts";
import type { Plan } from "./plan.ts";

export type Key = readonly number[] | null;

/** The input's column as an expression over it. */
export function column(input: Plan, index: number): ColumnExpr {
  const field = input.schema.fields[index];
  assert(field !== undefined, "a column is one of its input");
  return { kind: "column", index, type: field.type, nullable: field.nullable };
}

export function constant(value: Datum, type: SqlType): ConstExpr {
  assert(datumFits(value, type), "a datum has the form of its type");
  return { kind: "const", value, type };
}

export function datumFits(value: Datum, type: SqlType): boolean {
  if (value === null) return true;
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "int64":
      return typeof value === "bigint";
    case "string":
      return typeof value === "string";
  }
}

/** The expression with its columns as nullable as the input's are: rewrites below may have made them less so, or more. */
export function fitted<E extends Expr | null>(expr: E, input: Plan): E;
export function fitted(expr: Expr | null, input: Plan): Expr | null {
  if (expr === null) return null;
  const { fields } = input.schema;
  const refit = (e: Expr): Expr => {
    if (e.kind !== "column") return mapChildren(e, refit);
    const { nullable } = fields[e.index]!;
    return nullable === e.nullable ? e : { ...e, nullable };
  };
  let fits = true;
  const look = (e: Expr): void => {
    if (e.kind === "column") fits &&= fields[e.index]!.nullable === e.nullable;
    else childrenOf(e).forEach(look);
  };
  look(expr);
  return fits ? expr : refit(expr);
}

export function checkColumns(expr: Expr, input: Plan): void {
  const width = input.schema.fields.length;
  eachColumn(expr, (index) =>
    assert(index >= 0 && index < width, "an expression reads columns of its input"),
  );
}

/** Freezes what the node owns. Functions and initial values of the user are the user's; nested plans are frozen already. */
export function frozen<T extends Plan>(node: T): T {
  return freezeDeep(node);
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value)) for (const part of value) freezeDeep(part);
  else for (const name of Object.keys(value)) if (name !== "initial") freezeDeep(value[name as keyof T]);
  return value;
}
