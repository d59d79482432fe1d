/** Reducers as accumulators: those of chains, whose functions take rows, and those that SQL calls with arguments. */
import { type SqlType, text } from "../../batch/types.ts";
import type { UserReducer } from "../../plan/plan.ts";
import type { ReducerRoutine } from "../../plan/routines.ts";
import type { Chunk } from "../chunk.ts";
import { rowReader, type TypedColumn, valueReader } from "../js-rows.ts";
import type { ScalarError } from "../kernels/errors.ts";
import type { KernelRuntime } from "../kernels/runtime.ts";
import { calleeOf, ofView } from "../kernels/user-function.ts";
import type { Accumulator } from "./accumulator.ts";
import { Fold, keyOf } from "./fold.ts";

type Report = (error: ScalarError, weight: number) => void;

export interface ReduceSpec {
  readonly reducer: UserReducer;
  readonly type: SqlType;
  /** Columns of the group-by's input chunk, which the functions' shapes refer to. */
  readonly columns: readonly TypedColumn[];
  /** Chunk column that is null for rows the aggregate's filter leaves out; -1 without filter. */
  readonly filter: number;
}

/** A reducer of a chain. */
export function reduceRows(
  { reducer, type, columns, filter }: ReduceSpec,
  runtime: KernelRuntime,
  report: Report,
): Accumulator {
  const { initial } = reducer;
  const [add, remove] = [reducer.add.call, reducer.remove.call];
  const spec = { initial, add, remove, result: null, type, nullable: true, callee: ofView };
  const fold = new Fold(spec, runtime, report);
  const readAdded = rowReader(reducer.add.rows, columns, runtime);
  const readRemoved = rowReader(reducer.remove.rows, columns, runtime);

  function take(slot: number, chunk: Chunk, row: number, weight: number): void {
    const read = weight > 0 ? readAdded : readRemoved;
    fold.take(slot, weight, read(chunk, row), () => keyOf(readAdded(chunk, row)));
  }

  const bounded = reducer.add.bounded === true && reducer.remove.bounded === true;
  return accumulatorOf(fold, type, bounded, (place) => {
    const call = `${place.bind(take)}(g, chunk, r, w);`;
    return filter < 0 ? call : `if (n${filter}[r] === 0) { ${call} }`;
  });
}

/** A reducer that SQL calls; `args` are the columns of the place's `rest`. Without `report` it has no answer while a row has failed. */
export function reduceArguments(
  routine: ReducerRoutine,
  args: readonly TypedColumn[],
  runtime: KernelRuntime,
  report: Report | null,
): Accumulator {
  const { initial, add, remove, result, returns } = routine;
  const spec = { initial, add, remove, result, ...returns, callee: calleeOf(routine) };
  const fold = new Fold(spec, runtime, report);
  const take = (slot: number, weight: number, ...given: unknown[]): void =>
    fold.take(slot, weight, given, () => keyOf(given));
  return accumulatorOf(fold, returns.type, routine.bounded, (place) => {
    const given = args.map(({ type, nullable }, i) => {
      const column = place.rest[i]!;
      const value = `${place.bind(valueReader(type, runtime))}(c${column}[r])`;
      return nullable ? `n${column}[r] === 1 ? null : ${value}` : value;
    });
    return `${place.bind(take)}(${["g", "w", ...given].join(", ")});`;
  });
}

function accumulatorOf(fold: Fold, type: SqlType, bounded: boolean, add: Accumulator["add"]): Accumulator {
  return {
    type,
    columns: [{ type: text, nullable: true }],
    boxed: fold.boxes,
    mayHang: !bounded,
    add,
    result: (
      place,
    ) => `value = ${place.bind(fold.finish)}(g); isNull = value === undefined ? 1 : 0; if (isNull === 1) value = 0;
      error = ${place.bind(fold.error)}();`,
  };
}
