/**
 * Typed scalar expressions: the leaves of the one frozen tree between every front end and the engine.
 *
 * Every expression is resolved: functions by id of the registry (functions.ts), columns by index into the input's
 * schema. SQL's three-valued logic throughout; a strict function answers null for a null argument without being called.
 */
import type { SqlType } from "../batch/types.ts";
import type { FunctionId } from "./functions.ts";
import type { ScalarRoutine } from "./routines.ts";

/**
 * A constant's value. int4, float8: number. bool: boolean. int8, timestamptz (microseconds), small numeric (unscaled):
 * bigint. text, jsonb (canonical JSON), unconstrained numeric (PostgreSQL's text): string.
 */
export type Datum = number | bigint | boolean | string | null;

export interface ColumnExpr {
  readonly kind: "column";
  readonly index: number;
  readonly type: SqlType;
  readonly nullable: boolean;
}

/** Inside an apply's right side: a column of its left side. None is left once the plan is decorrelated. */
export interface OuterExpr {
  readonly kind: "outer";
  /** The apply's id. */
  readonly apply: number;
  readonly index: number;
  readonly type: SqlType;
  readonly nullable: boolean;
}

export interface ConstExpr {
  readonly kind: "const";
  readonly value: Datum;
  readonly type: SqlType;
}

/** Operators, functions and casts alike. */
export interface CallExpr {
  readonly kind: "call";
  readonly fn: FunctionId;
  readonly args: readonly Expr[];
  readonly type: SqlType;
}

/** AND / OR with short circuit from left to right. */
export interface LogicExpr {
  readonly kind: "and" | "or";
  readonly args: readonly Expr[];
}

export interface NotExpr {
  readonly kind: "not";
  readonly arg: Expr;
}

export interface IsNullExpr {
  readonly kind: "isNull";
  readonly arg: Expr;
}

/** IS [NOT] DISTINCT FROM: never null. `equal` is the equality of the (common) argument type. */
export interface DistinctFromExpr {
  readonly kind: "isDistinct";
  readonly left: Expr;
  readonly right: Expr;
  readonly equal: FunctionId;
}

/** CASE: branches evaluated in order, only as far as needed. Simple CASE is bound to searched CASE. */
export interface CaseExpr {
  readonly kind: "case";
  readonly branches: readonly { readonly when: Expr; readonly then: Expr }[];
  /** Null constant of `type` when there was no ELSE. */
  readonly otherwise: Expr;
  readonly type: SqlType;
}

/** First argument that is not null; later ones are not evaluated. */
export interface CoalesceExpr {
  readonly kind: "coalesce";
  readonly args: readonly Expr[];
  readonly type: SqlType;
}

/** A row handed to a function of the user: property name -> column of the input. */
export interface RowShape {
  readonly fields: readonly { readonly name: string; readonly column: number }[];
  /** When set, the row is `null` if this column is null (the missing side of a left join). */
  readonly presentColumn: number | null;
}

/** A plain function of the user. Called with frozen row objects. What it throws becomes an error row of the view. */
export interface UserFunction {
  readonly call: (...rows: readonly unknown[]) => unknown;
  /** Its source text: part of the fingerprint. */
  readonly source: string;
  readonly rows: readonly RowShape[];
  /** It certainly returns: nobody watches over it. */
  readonly bounded?: boolean;
}

/** One value computed by a function of the user, converted to `type`; a value that does not fit is an error row. */
export interface JsExpr {
  readonly kind: "js";
  readonly fn: UserFunction;
  readonly type: SqlType;
}

/** A call of a function that the program gave SQL, with its arguments as JavaScript values. */
export interface RoutineExpr {
  readonly kind: "routine";
  readonly fn: ScalarRoutine;
  /** Of the types it declares. */
  readonly args: readonly Expr[];
  readonly type: SqlType;
}

export type Expr =
  | ColumnExpr
  | OuterExpr
  | ConstExpr
  | CallExpr
  | LogicExpr
  | NotExpr
  | IsNullExpr
  | DistinctFromExpr
  | CaseExpr
  | CoalesceExpr
  | JsExpr
  | RoutineExpr;
