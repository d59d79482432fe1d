/**
 * map and flatMap with a function of the user: called once per row with a frozen object, giving an object or an iterable of objects, whose
 * properties are converted to the declared columns. What throws or does not fit is an error of the view; then no row of that call comes out.
 *
 * A flatMap's iterable is drained into an array before the first of its rows goes out: when a later one fails, none may have gone.
 */
import type { MapFunctionPlan } from "../../plan/plan.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import { type RowReader, rowReader, type TypedColumn, writeJs } from "../js-rows.ts";
import { type ScalarError, scalarError, takeFault } from "../kernels/errors.ts";
import { type KernelRuntime, runtimeOf } from "../kernels/runtime.ts";
import { callUser, drain, isPromise, ofView } from "../kernels/user-function.ts";
import type { Source } from "../node.ts";
import { FanOut } from "./fan-out.ts";

export class MapFunction extends FanOut {
  readonly label: string;
  protected readonly out: Chunk;
  readonly #plan: MapFunctionPlan;
  readonly #runtime: KernelRuntime;
  readonly #read: RowReader;
  /** One row, to convert into before it is known whether all of it fits. */
  readonly #staged: Chunk;
  #elements: readonly unknown[] | null = null;
  #element = 0;

  /** `plan.fn` refers to columns of the input chunk. */
  constructor(
    identity: string,
    plan: MapFunctionPlan,
    source: Source,
    input: readonly TypedColumn[],
    dictionary: Dictionary,
  ) {
    super(identity, source, input, dictionary);
    this.label = `${plan.flat ? "flatMap" : "map"} over ${source.node.label}`;
    this.errors = new ErrorCollection(this.label, dictionary);
    this.#plan = plan;
    this.#runtime = runtimeOf(dictionary);
    this.#read = rowReader(plan.fn.rows, input, this.#runtime);
    this.out = createChunk(plan.schema.fields);
    this.#staged = createChunk(plan.schema.fields, 1);
  }

  override begin(): void {
    super.begin();
    this.#elements = null;
  }

  protected override fill(chunk: Chunk, row: number, out: Chunk): number {
    if (this.#plan.fn.bounded) return this.#fill(chunk, row, out);
    return this.#runtime.guard.run(() => this.#fill(chunk, row, out));
  }

  #fill(chunk: Chunk, from: number, out: Chunk): number {
    const { guard } = this.#runtime;
    let row = from;
    for (; row < chunk.length; row++) {
      if (row > from && guard.late()) return row;
      const weight = chunk.weights[row]!;
      if (this.#elements === null) {
        const elements = this.#call(chunk, row);
        // One element needs no look ahead: it is converted where it belongs.
        const error = takeFault() ?? (elements.length > 1 ? this.#check(elements) : null);
        if (error !== null) {
          this.errors!.add(error, weight);
          continue;
        }
        this.#elements = elements;
        this.#element = 0;
      }
      for (; this.#element < this.#elements.length; this.#element++) {
        if (out.length === CHUNK_ROWS) return row;
        const error = this.#convert(this.#elements[this.#element], out, out.length);
        if (error !== null) {
          this.errors!.add(error, weight);
          continue;
        }
        out.weights[out.length] = weight;
        out.commits[out.length++] = chunk.commits[row]!;
      }
      this.#elements = null;
    }
    return row;
  }

  #call(chunk: Chunk, row: number): readonly unknown[] {
    const { guard } = this.#runtime;
    const result = callUser(guard, ofView, this.#plan.fn.call, this.#read(chunk, row));
    if (!this.#plan.flat) return [result];
    if (result === null || result === undefined) return [];
    const drained = () => drain(result as Iterable<unknown>);
    return callUser(guard, ofView, drained, []) as readonly unknown[];
  }

  /** The first reason why an element is no row. */
  #check(elements: readonly unknown[]): ScalarError | null {
    for (const element of elements) {
      const error = this.#convert(element, this.#staged, 0);
      if (error !== null) return error;
    }
    return null;
  }

  #convert(element: unknown, out: Chunk, row: number): ScalarError | null {
    if (typeof element !== "object" || element === null || isPromise(element)) {
      const said =
        element instanceof Promise ? "a promise" : element === null ? "null" : `a ${typeof element}`;
      return scalarError(
        "function_failed",
        `a function of the view returned ${said} where an object with a row's columns is due`,
      );
    }
    const fields = this.#plan.schema.fields;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      const value = (element as Record<string, unknown>)[field.name];
      const error = writeJs(value, field.name, field, this.#runtime, out.columns[i]!, out.nulls[i]!, row);
      if (error !== null) return error;
    }
    return null;
  }
}
