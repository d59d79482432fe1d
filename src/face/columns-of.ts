/** From what a function's text says to expressions of the plan: columns and constants where it can, calls where it must. */
import { EvertError } from "../base/errors.ts";
import type { Schema } from "../batch/schema.ts";
import { jsonb, type SqlType, sameType, typeToString } from "../batch/types.ts";
import { column, constant, project, projectColumns } from "../plan/build.ts";
import type { Expr, UserFunction } from "../plan/expression.ts";
import { resolveCast } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { Selector } from "./chain.ts";
import { shorten, type UserCode } from "./function-source.ts";
import { type InputRow, type Reading, readFunction } from "./read-function.ts";
import { constantType, guessOf, isPlainScalar, originOf, type Value } from "./value.ts";

export interface NamedExpr {
  readonly name: string;
  readonly expr: Expr;
}

/** All rows of a plan as a function sees them; `width`: only the first columns. */
export function inputRow(plan: Plan, width: number = plan.schema.fields.length): InputRow {
  return {
    columns: plan.schema.fields.slice(0, width).map((f, i) => ({ ...f, column: i })),
    presentColumn: null,
  };
}

export function columnNamed(plan: Plan, name: string): number {
  const at = plan.schema.fields.findIndex((f) => f.name === name);
  if (at >= 0) return at;
  throw new EvertError("undefined_column", `column "${name}" does not exist`, {
    hint: `There are ${plan.schema.fields.map((f) => f.name).join(", ")}.`,
  });
}

/** A plain value: no call. */
export function plainExpr(plan: Plan, value: Value & { kind: "column" | "constant" }): Expr {
  if (value.kind === "column") return column(plan, value.column.column);
  if (value.value === null) return constant(null, jsonb);
  const type = constantType(value.value);
  return constant(type.name === "int8" ? BigInt(value.value) : value.value, type);
}

export function isScalar(value: Value): value is Value & { kind: "column" | "constant" } {
  return isPlainScalar(value);
}

/** The type the text gives, or null. */
export function typeOfValue(value: Value): SqlType | null {
  const guess = guessOf(value);
  return typeof guess === "object" ? guess.type : null;
}

/**
 * A selector as one value. `otherwise`: its type where the text does not tell; `as`: its type in any case, so that a plain
 * value of another type is converted by the engine as a function's result is.
 */
export function scalarExpr(plan: Plan, of: string | UserCode, otherwise: SqlType, as?: SqlType): Expr {
  if (typeof of === "string") {
    const at = columnNamed(plan, of);
    const expr = column(plan, at);
    return as === undefined || sameType(as, expr.type)
      ? expr
      : { kind: "js", fn: readColumn(of, at), type: as };
  }
  const { plain, value, fn } = readFunction(of, [inputRow(plan)]);
  const type = typeOfValue(value);
  if (plain && isScalar(value) && (as === undefined || (type !== null && sameType(as, type))))
    return plainExpr(plan, value);
  return { kind: "js", fn, type: as ?? type ?? otherwise };
}

function readColumn(name: string, at: number): UserFunction {
  return {
    call: (row) => (row as Record<string, unknown>)[name],
    source: `(row) => row[${JSON.stringify(name)}]`,
    bounded: true,
    rows: [{ fields: [{ name, column: at }], presentColumn: null }],
  };
}

/** A selector as the columns of a key; `declared` gives types the text does not. */
export function keyColumns(plan: Plan, key: Selector, declared: Schema | null): NamedExpr[] {
  if (typeof key !== "function") {
    return (typeof key === "string" ? [key] : key).map((name) => ({
      name,
      expr: column(plan, columnNamed(plan, name)),
    }));
  }
  const reading = readFunction(key, [inputRow(plan)]);
  const typeFor = (name: string, value: Value) =>
    declared?.fields.find((f) => f.name === name)?.type ?? typeOfValue(value) ?? jsonb;
  const { value } = reading;
  if (value.kind === "object" && !value.maybeNull) {
    return [...value.properties].map(([name, part]) => ({
      name,
      expr: partExpr(plan, reading, name, part, typeFor(name, part)),
    }));
  }
  const name = originOf(value) ?? "key";
  const type = typeFor(name, value);
  if (reading.plain && isScalar(value) && sameType(typeOfValue(value) ?? jsonb, type)) {
    return [{ name, expr: plainExpr(plan, value) }];
  }
  const fn = guessOf(value) === "unknown" ? scalarOnly(reading.fn) : reading.fn;
  return [{ name, expr: { kind: "js", fn, type } }];
}

/** A selector as the values of a join's key, by column where it can be. Null type: to be that of the other side. */
export interface KeyPart {
  readonly name: string | null;
  readonly expr: Expr;
  /** Whether the type is only assumed, and the other side's may be taken. */
  readonly open: boolean;
}

export function joinKeyParts(plan: Plan, key: Selector): KeyPart[] {
  if (typeof key !== "function") {
    return keyColumns(plan, key, null).map((part) => ({ ...part, open: false }));
  }
  const reading = readFunction(key, [inputRow(plan)]);
  const { value } = reading;
  const part = (name: string | number, of: Value): KeyPart => ({
    name: typeof name === "string" ? name : null,
    expr: partExpr(plan, reading, name, of, typeOfValue(of) ?? jsonb),
    open: typeOfValue(of) === null,
  });
  if (value.kind === "array") return value.elements.map((element, i) => part(i, element));
  if (value.kind === "object" && !value.maybeNull)
    return [...value.properties].map(([name, of]) => part(name, of));
  const type = typeOfValue(value);
  const plain = reading.plain && isScalar(value);
  const expr: Expr = plain ? plainExpr(plan, value) : { kind: "js", fn: reading.fn, type: type ?? jsonb };
  return [{ name: null, expr, open: type === null }];
}

/** One property or element of what a function gives. */
function partExpr(plan: Plan, reading: Reading, part: string | number, value: Value, type: SqlType): Expr {
  if (reading.plain && isScalar(value) && sameType(typeOfValue(value) ?? jsonb, type))
    return plainExpr(plan, value);
  const { call, source, rows, bounded } = reading.fn;
  const fn: UserFunction = {
    bounded: bounded === true,
    call: (...args) => (call(...args) as Record<string | number, unknown>)[part],
    source: `${source}[${JSON.stringify(part)}]`,
    rows,
  };
  return { kind: "js", fn, type };
}

/** An object would be several columns, whose names the text did not tell. */
function scalarOnly({ call, source, rows, bounded }: UserFunction): UserFunction {
  const checked = (...args: readonly unknown[]) => {
    const value = call(...args);
    if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      throw new EvertError(
        "function_failed",
        "the key is an object whose property names could not be read from the function",
        {
          detail: shorten(source),
          hint: "Return an object literal, { a: …, b: … }, from the function itself.",
        },
      );
    }
    return value;
  };
  return { call: checked, source, rows, bounded: bounded === true };
}

/** The expression as `type`, by a cast that loses nothing; undefined where there is none. */
export function castTo(expr: Expr, type: SqlType): Expr | undefined {
  const from = typeOf(expr);
  if (sameType(from, type)) return expr;
  if (expr.kind === "const" && expr.value === null) return constant(null, type);
  const cast = resolveCast(from, type, "implicit");
  if (cast === undefined) return undefined;
  return cast.fn === null ? expr : { kind: "call", fn: cast.fn, args: [expr], type };
}

/** @throws EvertError for JSON: an order of it is seldom meant. */
export function checkOrdered(expr: Expr, what: string): void {
  const type = typeOf(expr);
  if (type.name !== "jsonb" && type.name !== "json") return;
  throw new EvertError("datatype_mismatch", `${what} has no order: its type is ${typeToString(type)}`, {
    hint: "Give the column its type where it is made: map(fn, { total: float8 }).",
  });
}

/** The plan with a column for each expression: its own where it is one already, else a hidden one at the end. */
export function withColumns(input: Plan, exprs: readonly Expr[]): { plan: Plan; columns: number[] } {
  const width = input.schema.fields.length;
  const hidden = exprs.filter((e) => e.kind !== "column");
  const columns = exprs.map((e) => (e.kind === "column" ? e.index : width + hidden.indexOf(e)));
  if (hidden.length === 0) return { plan: input, columns };
  const own = input.schema.fields.map((_, i) => column(input, i));
  const names = [...input.schema.fields.map((f) => f.name), ...hidden.map((_, i) => `?column${i + 1}?`)];
  return { plan: project(input, [...own, ...hidden], names), columns };
}

export function firstColumns(plan: Plan, width: number): Plan {
  if (plan.schema.fields.length === width) return plan;
  return projectColumns(
    plan,
    Array.from({ length: width }, (_, i) => i),
  );
}
