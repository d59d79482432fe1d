/**
 * A fold by functions of the user: add(state, ...), remove(state, ...).
 *
 * The state is JSON text in the group's row between steps and a value during one. What a function throws for is an error of the view
 * and has no part in the state; it is remembered, so that taking the row away again takes its error away instead of calling
 * the inverse.
 */
import { canonicalJson } from "../../batch/jsonb.ts";
import type { SqlType } from "../../batch/types.ts";
import type { RoutineCall } from "../../plan/routines.ts";
import { NULL, physicalFromJs, rowText } from "../js-rows.ts";
import { type ScalarError, scalarError, takeFault } from "../kernels/errors.ts";
import type { Callee } from "../kernels/guard.ts";
import type { KernelRuntime } from "../kernels/runtime.ts";
import { callUser, gaveNull, isPromise, parseFrozen } from "../kernels/user-function.ts";
import { Boxes } from "./accumulator.ts";

export interface FoldSpec {
  readonly initial: unknown;
  readonly add: RoutineCall;
  readonly remove: RoutineCall;
  /** The answer for a state; null: the state. */
  readonly result: RoutineCall | null;
  readonly type: SqlType;
  /** Whether the answer may be null. */
  readonly nullable: boolean;
  readonly callee: Callee;
}

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

export class Fold {
  readonly boxes: Boxes<Folded>;
  readonly #spec: FoldSpec;
  readonly #runtime: KernelRuntime;
  readonly #report: ((error: ScalarError, weight: number) => void) | null;
  readonly #initial: string;
  #error: ScalarError | null = null;

  /** `report`: takes the errors of rows; null: they are the fold's own, and it has no answer while there are any. */
  constructor(
    spec: FoldSpec,
    runtime: KernelRuntime,
    report: ((error: ScalarError, weight: number) => void) | null,
  ) {
    this.#spec = spec;
    this.#runtime = runtime;
    this.#report = report;
    this.#initial = canonicalJson(spec.initial);
    this.boxes = new Boxes<Folded>({
      decode,
      encode,
      fresh: () => ({ value: parseFrozen(this.#initial), failed: new Map(), broken: "" }),
    });
  }

  /** Adds (or, with a negative weight, removes) so often. `key`: what the row is known by, should it fail. */
  take(slot: number, weight: number, given: readonly unknown[], key: () => string): void {
    const box = this.boxes.open(slot);
    const times = Math.abs(weight);
    for (let i = 0; i < times; i++) this.#fold(box, given, key, weight > 0 ? 1 : -1);
  }

  #fold(box: Folded, given: readonly unknown[], key: () => string, sign: 1 | -1): void {
    if (box.failed.size > 0 && this.#undoFailed(box, key(), sign)) return;
    const { add, remove, callee } = this.#spec;
    const { guard } = this.#runtime;
    const value = callUser(guard, callee, sign > 0 ? add : remove, [box.value, ...given]);
    const error = takeFault() ?? promised(value, callee);
    if (error === null) {
      box.value = typeof value === "object" && value !== null ? Object.freeze(value) : value;
      return;
    }
    const name = key();
    const known = box.failed.get(name);
    if (known === undefined) box.failed.set(name, { times: sign, error });
    else known.times += sign;
    this.#report?.(known?.error ?? error, 1);
  }

  /** The opposite of something that failed: both are forgotten. */
  #undoFailed(box: Folded, key: string, sign: number): boolean {
    const failed = box.failed.get(key);
    if (failed === undefined || failed.times * sign > 0) return false;
    failed.times += sign;
    if (failed.times === 0) box.failed.delete(key);
    this.#report?.(failed.error, -1);
    return true;
  }

  /** The answer for the group, NULL for null. When there is none error() says why. */
  readonly finish = (slot: number): number | typeof NULL => {
    const box = this.boxes.peek(slot);
    this.#error = box === undefined ? null : this.#obstacle(box);
    if (this.#error !== null) return NULL;
    const { type, nullable, callee } = this.#spec;
    const value = this.#result(box === undefined ? parseFrozen(this.#initial) : box.value);
    this.#error = takeFault();
    if (this.#error !== null) return NULL;
    const physical = physicalFromJs(value, type, this.#runtime, callee);
    this.#error = takeFault();
    if (physical === NULL && !nullable && this.#error === null) this.#error = gaveNull(callee, type);
    return physical;
  };

  readonly error = (): ScalarError | null => this.#error;

  #result(state: unknown): unknown {
    const { result, callee } = this.#spec;
    return result === null ? state : callUser(this.#runtime.guard, callee, result, [state]);
  }

  #obstacle({ broken, failed }: Folded): ScalarError | null {
    if (broken !== "") {
      return scalarError("function_failed", `the accumulator of a reduce cannot be kept: ${broken}`, {
        hint: "Let it hold what JSON can say.",
      });
    }
    if (this.#report !== null) return null;
    for (const { error } of failed.values()) return error;
    return null;
  }
}

/** What a row is known by. */
export function keyOf(given: readonly unknown[]): string {
  return rowText(given);
}

function promised(value: unknown, { said }: Callee): ScalarError | null {
  if (!isPromise(value)) return null;
  return scalarError("function_failed", `${said} returned a promise`, {
    hint: "Such functions are synchronous: they cannot await.",
  });
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
