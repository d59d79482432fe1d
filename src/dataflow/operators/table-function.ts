/**
 * A table function, lateral: each input row with each row the function gives for it. The arguments were computed before, as the last columns.
 * A function's rows are drawn as the output has room for them, so its position is kept between two calls.
 */
import { isSmallNumeric, type SqlType } from "../../batch/types.ts";
import type { TableFunctionPlan } from "../../plan/plan.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Decimal } from "../kernels/decimal.ts";
import { takeFault } from "../kernels/errors.ts";
import type { Guard } from "../kernels/guard.ts";
import { hasRowsFor, routineRows } from "../kernels/routine-rows.ts";
import { type KernelRuntime, runtimeOf } from "../kernels/runtime.ts";
import { rowsOf, type TableRow, type TableRows } from "../kernels/table-functions.ts";
import type { Value } from "../kernels/value.ts";
import type { Source } from "../node.ts";
import { FanOut } from "./fan-out.ts";

const NO_ROWS: readonly TableRow[] = [];

export class TableFunctionRows extends FanOut {
  readonly label: string;
  protected readonly out: Chunk;
  readonly #plan: TableFunctionPlan;
  readonly #runtime: KernelRuntime;
  readonly #argTypes: readonly SqlType[];
  readonly #rowsOf: (args: readonly Value[]) => TableRows;
  /** Columns passed on; the arguments follow them in the input. */
  readonly #width: number;
  readonly #nothing: TableRow;
  /** null: no function of the user is called. */
  readonly #guard: Guard | null;
  #rows: Iterator<TableRow> | null = null;
  /** Drawn, but without room in the output before. */
  #next: TableRow | null = null;
  #number = 0;

  constructor(
    identity: string,
    plan: TableFunctionPlan,
    source: Source,
    input: readonly TypedColumn[],
    dictionary: Dictionary,
  ) {
    super(identity, source, input, dictionary);
    const name = typeof plan.fn === "string" ? plan.fn : plan.fn.name;
    this.label = `${name} over ${source.node.label}`;
    this.errors = new ErrorCollection(this.label, dictionary);
    this.#plan = plan;
    this.#runtime = runtimeOf(dictionary);
    this.#width = input.length - plan.args.length;
    this.#argTypes = input.slice(this.#width).map((c) => c.type);
    const { guard } = this.#runtime;
    this.#guard = typeof plan.fn === "string" || plan.fn.bounded ? null : guard;
    this.#rowsOf =
      typeof plan.fn === "string"
        ? rowsOf(
            plan.fn,
            this.#argTypes,
            plan.parts,
            plan.columns.map((c) => c.type),
          )
        : routineRows(plan.fn, guard);
    this.#nothing = plan.columns.map(() => null);
    const made = plan.schema.fields.slice(plan.input.schema.fields.length);
    this.out = createChunk([...input.slice(0, this.#width), ...made]);
  }

  override begin(): void {
    super.begin();
    this.#rows = null;
  }

  protected override fill(chunk: Chunk, row: number, out: Chunk): number {
    if (this.#guard === null) return this.#fill(chunk, row, out);
    return this.#guard.run(() => this.#fill(chunk, row, out));
  }

  #fill(chunk: Chunk, from: number, out: Chunk): number {
    let row = from;
    for (; row < chunk.length; row++) {
      if (row > from && this.#guard?.late()) return row;
      if (this.#rows === null) {
        const rows = this.#call(chunk, row);
        const error = takeFault();
        if (error !== null) {
          this.errors!.add(error, chunk.weights[row]!);
          continue;
        }
        this.#rows = rows[Symbol.iterator]();
        this.#number = 0;
        this.#draw();
        if (this.#next === null && this.#plan.outer) this.#next = this.#nothing;
      }
      while (this.#next !== null) {
        if (out.length === CHUNK_ROWS) return row;
        this.#write(chunk, row, out, this.#next);
        this.#draw();
      }
      this.#rows = null;
    }
    return row;
  }

  #draw(): void {
    const drawn = this.#rows!.next();
    this.#next = drawn.done ? null : drawn.value;
    if (!drawn.done) this.#number++;
  }

  #call(chunk: Chunk, row: number): TableRows {
    const args = this.#argTypes.map((type, i) => this.#argument(chunk, this.#width + i, type, row));
    const { fn } = this.#plan;
    return typeof fn === "string" || hasRowsFor(fn, args) ? this.#rowsOf(args) : NO_ROWS;
  }

  #argument(chunk: Chunk, column: number, type: SqlType, row: number): Value {
    if (chunk.nulls[column]?.[row] === 1) return null;
    const code = chunk.columns[column]![row]!;
    if (type.name !== "numeric") return this.#runtime.value(code, type);
    return isSmallNumeric(type)
      ? this.#runtime.decimalOfScaled(code, type.scale ?? 0)
      : this.#runtime.decimal(code);
  }

  #write(chunk: Chunk, row: number, out: Chunk, made: TableRow): void {
    const o = out.length++;
    for (let i = 0; i < this.#width; i++) {
      out.columns[i]![o] = chunk.columns[i]![row]!;
      if (out.nulls[i]) out.nulls[i]![o] = chunk.nulls[i]![row]!;
    }
    for (const [i, value] of made.entries()) {
      const { type } = this.#plan.columns[i]!;
      const isScaled = value !== null && isSmallNumeric(type);
      this.#set(out, this.#width + i, o, isScaled ? (value as Decimal).unscaled : value);
    }
    if (this.#plan.ordinality) {
      this.#set(out, this.#width + made.length, o, made === this.#nothing ? null : BigInt(this.#number));
    }
    out.weights[o] = chunk.weights[row]!;
    out.commits[o] = chunk.commits[row]!;
  }

  #set(out: Chunk, column: number, row: number, value: Value): void {
    const nulls = out.nulls[column];
    if (nulls) nulls[row] = value === null ? 1 : 0;
    out.columns[column]![row] = value === null ? 0 : this.#code(value);
  }

  #code(value: Exclude<Value, null>): number {
    switch (typeof value) {
      case "number":
        return value;
      case "bigint":
        return this.#runtime.code(value);
      case "boolean":
        return value ? 1 : 0;
      case "string":
        return this.#runtime.internText(value);
      default:
        return this.#runtime.internDecimal(value as Decimal);
    }
  }
}
