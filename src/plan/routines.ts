/**
 * Functions written in TypeScript that SQL calls by name, as PostgreSQL divides them: scalar functions, functions that give rows, and
 * aggregates. A program declares them (face/routines.ts); a plan holds them whole, and of each its text is part of the plan's key.
 */
import type { Field } from "../batch/schema.ts";
import type { SqlType } from "../batch/types.ts";

/** A value's type. An argument that may be null is handed over as null; of any other a null is the function's answer. */
export interface RoutineValue {
  readonly type: SqlType;
  readonly nullable: boolean;
}

interface RoutineBase {
  readonly name: string;
  readonly args: readonly RoutineValue[];
  /** Text of its functions, and what else made it: part of the fingerprint of the views that call it. */
  readonly source: string;
  /** Its functions certainly return: nobody watches over them. */
  readonly bounded: boolean;
}

export type RoutineCall = (...args: readonly unknown[]) => unknown;

export interface ScalarRoutine extends RoutineBase {
  readonly kind: "scalar";
  readonly call: RoutineCall;
  readonly returns: RoutineValue;
}

export interface RowsRoutine extends RoutineBase {
  readonly kind: "rows";
  /** Gives an iterable: of objects, or of values where there is one column without a name. */
  readonly call: RoutineCall;
  readonly columns: readonly Field[];
  /** Its rows are values, not objects; the column is called like the table. */
  readonly isValue: boolean;
}

export interface ReducerRoutine extends RoutineBase {
  readonly kind: "reducer";
  /** What JSON can say. */
  readonly initial: unknown;
  readonly add: RoutineCall;
  /** The inverse of `add`: for any rows, removing what was added gives the state back. */
  readonly remove: RoutineCall;
  /** The answer for a state; null: the state itself. */
  readonly result: RoutineCall | null;
  readonly returns: RoutineValue;
}

export type Routine = ScalarRoutine | RowsRoutine | ReducerRoutine;
