/**
 * scalar(), setReturning(), reducer(): functions a program gives SQL, passed to open() beside topics and views. Each is a name, the types of its
 * arguments and its answer, and plain functions; frozen, without a connection.
 *
 * A type is a column's, `text` or `nullable(int4)`, or a Standard Schema. An argument that may not be null is never null in the function: the
 * answer for a null is null (no rows, for a reducer: the row does not count), and the function is not called.
 */
import { EvertError } from "../base/errors.ts";
import type { Field } from "../batch/schema.ts";
import { columnFromStandard } from "../batch/standard-schema.ts";
import type {
  ReducerRoutine,
  Routine,
  RoutineCall,
  RoutineValue,
  RowsRoutine,
  ScalarRoutine,
} from "../plan/routines.ts";
import { isBounded } from "./bounded.ts";
import {
  type Columns,
  type ColumnType,
  checkName,
  isJsonSchema,
  type JsonSchema,
  schemaOfDeclaration,
} from "./columns.ts";
import { functionSource, type UserCode } from "./function-source.ts";

/** A column's type or a Standard Schema. */
export type ValueType = ColumnType | JsonSchema;

/** What a function is handed for an argument of this type. */
type Given<T> = T extends JsonSchema<unknown, infer O> ? O : T extends ColumnType<infer V, never> ? V : never;

/** What it may give back. */
type Taken<T> =
  T extends JsonSchema<unknown, infer O> ? O : T extends ColumnType<unknown, infer I> ? I : never;

type GivenAll<A extends readonly ValueType[]> = { readonly [I in keyof A]: Given<A[I]> };

type TakenRow<C extends Columns> = { readonly [K in keyof C]: Taken<C[K]> };

/** Marks functions, also those of another copy of this package. */
const mark = Symbol.for("evert.function");

/** A function given to SQL. */
export class SqlFunction {
  readonly [mark] = true;
  readonly name: string;
  readonly routine: Routine;

  constructor(routine: Routine) {
    this.name = routine.name;
    this.routine = routine;
    Object.freeze(this);
  }
}

export function isSqlFunction(value: unknown): value is SqlFunction {
  return typeof value === "object" && value !== null && mark in value;
}

/** A function of values, called wherever SQL has an expression: `scalar("initials", { args: [text], returns: text, fn })`. */
export function scalar<const A extends readonly ValueType[], R extends ValueType>(
  name: string,
  spec: { readonly args: A; readonly returns: R; readonly fn: (...args: GivenAll<A>) => Taken<R> },
): SqlFunction {
  const routine: ScalarRoutine = {
    kind: "scalar",
    name: checked(name),
    args: spec.args.map((arg) => valueTypeOf(arg, name)),
    returns: valueTypeOf(spec.returns, name),
    call: spec.fn as unknown as RoutineCall,
    source: sourceOf(spec.fn),
    bounded: isBounded(spec.fn),
  };
  return new SqlFunction(routine);
}

/**
 * A function that gives rows, called in FROM: `returns` names their columns, `{ word: text, at: int4 }`, and `fn` gives an iterable of such
 * objects; or it is one type, and `fn` gives values.
 */
export function setReturning<const A extends readonly ValueType[], C extends Columns>(
  name: string,
  spec: {
    readonly args: A;
    readonly returns: C;
    readonly fn: (...args: GivenAll<A>) => Iterable<TakenRow<C>>;
  },
): SqlFunction;
export function setReturning<const A extends readonly ValueType[], R extends ValueType>(
  name: string,
  spec: { readonly args: A; readonly returns: R; readonly fn: (...args: GivenAll<A>) => Iterable<Taken<R>> },
): SqlFunction;
export function setReturning(
  name: string,
  spec: { readonly args: readonly ValueType[]; readonly returns: ValueType | Columns; readonly fn: UserCode },
): SqlFunction {
  const { returns } = spec;
  const isValue = isValueType(returns);
  const columns: readonly Field[] = isValue
    ? [{ name, ...valueTypeOf(returns, name) }]
    : schemaOfDeclaration(returns).fields;
  const routine: RowsRoutine = {
    kind: "rows",
    name: checked(name),
    args: spec.args.map((arg) => valueTypeOf(arg, name)),
    columns,
    isValue,
    call: spec.fn as unknown as RoutineCall,
    source: sourceOf(spec.fn),
    bounded: isBounded(spec.fn),
  };
  return new SqlFunction(routine);
}

/**
 * An aggregate: a state, how a row is added to it and how it is taken away again. The state is what JSON can say; `result` makes the answer of
 * it, which is the state itself where there is none. In which order rows come and go must not matter.
 */
export function reducer<const A extends readonly ValueType[], R extends ValueType, S>(
  name: string,
  spec: {
    readonly args: A;
    readonly returns: R;
    readonly initial: S;
    readonly add: (state: S, ...args: GivenAll<A>) => NoInfer<S>;
    readonly remove: (state: S, ...args: GivenAll<A>) => NoInfer<S>;
  } & ([S] extends [Taken<R>]
    ? { readonly result?: (state: S) => Taken<R> }
    : { readonly result: (state: S) => Taken<R> }),
): SqlFunction {
  const { initial, add, remove, result } = spec;
  const state = JSON.stringify(initial);
  if (state === undefined) {
    throw new EvertError("invalid_argument", `the initial state of reducer "${name}" cannot be kept`, {
      hint: "Let it be what JSON can say.",
    });
  }
  const functions = [add, remove, ...(result === undefined ? [] : [result])];
  const routine: ReducerRoutine = {
    kind: "reducer",
    name: checked(name),
    args: spec.args.map((arg) => valueTypeOf(arg, name)),
    returns: valueTypeOf(spec.returns, name),
    initial,
    add: add as unknown as RoutineCall,
    remove: remove as unknown as RoutineCall,
    result: (result as unknown as RoutineCall | undefined) ?? null,
    source: [state, ...functions.map(sourceOf)].join("\n"),
    bounded: functions.every(isBounded),
  };
  return new SqlFunction(routine);
}

function checked(name: string): string {
  checkName("function", name);
  return name;
}

function isValueType(returns: ValueType | Columns): returns is ValueType {
  if (isJsonSchema(returns)) return true;
  const { type } = returns as { readonly type?: unknown };
  // Columns may have one that is called "type": then it is a column type, not an SQL type.
  return typeof type === "object" && type !== null && "name" in type && typeof type.name === "string";
}

function valueTypeOf(given: ValueType, name: string): RoutineValue {
  if (isJsonSchema(given)) return columnFromStandard(given);
  if (typeof given === "object" && given !== null && typeof given.type?.name === "string") {
    return { type: given.type, nullable: given.nullable };
  }
  throw new EvertError("invalid_argument", `a type of function "${name}" is none`, {
    hint: "Give column types, { args: [text, nullable(int4)], returns: text }, or Standard Schemas such as z.string().",
  });
}

/** @throws EvertError for an async function. */
function sourceOf(fn: UserCode): string {
  return functionSource(fn)?.text ?? Function.prototype.toString.call(fn);
}
