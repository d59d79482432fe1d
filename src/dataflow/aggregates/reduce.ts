/**
 * A fold by functions of the user: add(accumulator, row), remove(accumulator, row).
 *
 * The accumulator is JSON text in the group's row between steps and a value during one. A row whose function throws is an error of the
 * view and has no part in the accumulator; it is remembered, so that taking the row away again takes its error away
 * instead of calling the inverse.
 */
import { canonicalJson } from "../../batch/jsonb.ts";
import { type SqlType, text } from "../../batch/types.ts";
import type { UserReducer } from "../../plan/plan.ts";
import type { Chunk } from "../chunk.ts";
import type { ErrorCollection } from "../error-collection.ts";
import { NULL, physicalFromJs, type RowReader, rowReader, rowText, type TypedColumn } from "../js-rows.ts";
import { type ScalarError, scalarError, takeFault } from "../kernels/errors.ts";
import type { KernelRuntime } from "../kernels/runtime.ts";
import { callUser, parseFrozen } from "../kernels/user-function.ts";
import { type Accumulator, Boxes } from "./accumulator.ts";

interface Folded {
  value: unknown;
  /** Rows without part in the value, with how often: positive could not be added, negative not removed. */
  readonly failed: Map<string, Failed>;
  /** Why the value cannot be kept; "" when it can. */
  broken: string;
}

interface Failed {
  times: number;
  readonly error: ScalarError;
}

export interface ReduceSpec {
  readonly reducer: UserReducer;
  readonly type: SqlType;
  /** Columns of the group-by's input chunk, which the functions' shapes refer to. */
  readonly columns: readonly TypedColumn[];
  /** Chunk column that is null for rows the aggregate's filter leaves out; -1 without filter. */
  readonly filter: number;
}

export function reduce(
  { reducer, type, columns, filter }: ReduceSpec,
  runtime: KernelRuntime,
  errors: ErrorCollection,
): Accumulator {
  const initial = canonicalJson(reducer.initial);
  const boxes = new Boxes<Folded>({
    decode,
    encode,
    fresh: () => ({ value: parseFrozen(initial), failed: new Map(), broken: "" }),
  });
  const readAdded = rowReader(reducer.add.rows, columns, runtime);
  const readRemoved = rowReader(reducer.remove.rows, columns, runtime);

  function take(slot: number, chunk: Chunk, row: number, weight: number): void {
    const box = boxes.open(slot);
    const times = Math.abs(weight);
    for (let i = 0; i < times; i++) fold(box, chunk, row, weight > 0 ? 1 : -1);
  }

  function fold(box: Folded, chunk: Chunk, row: number, sign: 1 | -1): void {
    const read: RowReader = sign > 0 ? readAdded : readRemoved;
    const rows = read(chunk, row);
    if (box.failed.size > 0 && undoFailed(box, rowText(readAdded(chunk, row)), sign)) return;
    const { call } = sign > 0 ? reducer.add : reducer.remove;
    const value = callUser(call, [box.value, ...rows]);
    const error = takeFault();
    if (error === null) {
      box.value = typeof value === "object" && value !== null ? Object.freeze(value) : value;
      return;
    }
    const key = rowText(readAdded(chunk, row));
    const known = box.failed.get(key);
    if (known === undefined) box.failed.set(key, { times: sign, error });
    else known.times += sign;
    errors.add(known?.error ?? error, 1);
  }

  /** The opposite of something that failed: both are forgotten. */
  function undoFailed(box: Folded, key: string, sign: number): boolean {
    const failed = box.failed.get(key);
    if (failed === undefined || failed.times * sign > 0) return false;
    failed.times += sign;
    if (failed.times === 0) box.failed.delete(key);
    errors.add(failed.error, -1);
    return true;
  }

  let lastError: ScalarError | null = null;

  function finish(slot: number): number | typeof NULL {
    const box = boxes.peek(slot);
    if (box !== undefined && box.broken !== "") {
      lastError = scalarError(
        "function_failed",
        `the accumulator of a reduce cannot be kept: ${box.broken}`,
        {
          hint: "Let it hold what JSON can say.",
        },
      );
      return NULL;
    }
    const value = physicalFromJs(box === undefined ? parseFrozen(initial) : box.value, type, runtime);
    lastError = takeFault();
    return value;
  }

  return {
    type,
    columns: [{ type: text, nullable: true }],
    boxed: boxes,
    add(place) {
      const call = `${place.bind(take)}(g, chunk, r, w);`;
      return filter < 0 ? call : `if (n${filter}[r] === 0) { ${call} }`;
    },
    result: (
      place,
    ) => `value = ${place.bind(finish)}(g); isNull = value === undefined ? 1 : 0; if (isNull === 1) value = 0;
      error = ${place.bind(() => lastError)}();`,
  };
}

function encode(box: Folded): string {
  let value = "null";
  let broken = "";
  try {
    value = canonicalJson(box.value ?? null);
  } catch (thrown) {
    broken = thrown instanceof Error ? thrown.message : String(thrown);
  }
  const failed = [...box.failed].map(([key, { times, error }]) => [key, times, error]);
  // What cannot be kept is gone from now on, also within the step: every reader sees the same.
  box.broken = broken;
  return `${JSON.stringify([failed, broken])}\n${value}`;
}

function decode(encoded: string): Folded {
  const newline = encoded.indexOf("\n");
  const [failed, broken] = JSON.parse(encoded.slice(0, newline)) as [[string, number, ScalarError][], string];
  return {
    value: parseFrozen(encoded.slice(newline + 1)),
    failed: new Map(failed.map(([key, times, error]) => [key, { times, error }])),
    broken,
  };
}
