/**
 * Rows of an answer that are made as they are taken, at one position, however many there are.
 *
 * - Where a query only looks at rows one by one (filters, columns, UNION ALL) and none of that can fail, it is run while it is read: its rows leave
 *   the circuit as they are made, and what is held of them is a piece of text (dataflow/operators/outflow.ts). Rows of tables and views that it reads
 *   stay for it meanwhile.
 * - Any other is run first. Its rows then lie where those of a view would, outside the JavaScript heap and counted by the memory limit, and are made
 *   into text one after the other; so what can fail has failed before anything is told.
 */
import { toEvertError } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import type { Field } from "../../batch/schema.ts";
import { carrierOf, type SqlType } from "../../batch/types.ts";
import type { Chunk, Values } from "../../dataflow/chunk.ts";
import type { Build } from "../../dataflow/circuit.ts";
import type { RowTaker } from "../../dataflow/operators/outflow.ts";
import { isFallible, nodesOf } from "../../plan/inspect.ts";
import type { Plan, Query } from "../../plan/plan.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import { Pace } from "../../views/pace.ts";
import type { View } from "../../views/view.ts";
import { fillOnce } from "../builds/backfill.ts";
import type { ColumnsRead } from "./columns-read.ts";
import type { QueryContext, QueryResult } from "./query-context.ts";

/** Text that is handed on at once, and as much again that may be made before it is taken. */
const PIECE_CHARS = 64 << 10;

/** Makes text of a row, whose array is used again for the next. */
export type WriteRow = (row: readonly Datum[]) => string;

export interface FlowingRows {
  readonly fields: readonly Field[];
  readonly position: number;
  /** How many have been made so far. */
  readonly rowCount: number;
  /**
   * All rows as text, in pieces. To be asked for once, and read to its end or returned. @throws EvertError of what reads them, and what `signal` was
   * aborted with
   */
  pieces(write: WriteRow): AsyncGenerator<string, void, undefined>;
  /** Nothing more of it is wanted; where pieces() has begun, returning that does the same. */
  close(): void;
}

/** What rows are read from, and at which moment. */
export interface FlowSource {
  readonly core: QueryContext;
  readonly build: Build;
  readonly fields: readonly Field[];
  readonly at: { readonly epoch: number; readonly position: number };
  readonly signal: AbortSignal | undefined;
}

/** Whether rows of the query can leave as they are made. REQUIRES that it is read once. */
export function flowsThrough({ plan, order }: Query): boolean {
  return order.length === 0 && nodesOf(plan).every(isRowByRow);
}

function isRowByRow(plan: Plan): boolean {
  switch (plan.kind) {
    case "source":
    case "values":
    case "union":
      return true;
    case "filter":
      return !isFallible(plan.predicate);
    case "project":
      return !plan.exprs.some(isFallible);
    default:
      return false;
  }
}

/** Rows that are there. */
export class FewRows implements FlowingRows {
  readonly fields: readonly Field[];
  readonly position: number;
  readonly rowCount: number;
  readonly #rows: QueryResult["rows"];

  constructor({ fields, position, rows }: QueryResult) {
    this.fields = fields;
    this.position = position;
    this.rowCount = rows.length;
    this.#rows = rows;
  }

  async *pieces(write: WriteRow): AsyncGenerator<string, void, undefined> {
    for (const row of this.#rows) yield write(row);
  }

  close(): void {}
}

abstract class Flow implements FlowingRows {
  readonly fields: readonly Field[];
  readonly position: number;
  rowCount = 0;
  protected readonly source: FlowSource;
  #closed = false;

  constructor(source: FlowSource) {
    this.source = source;
    this.fields = source.fields;
    this.position = source.at.position;
  }

  abstract pieces(write: WriteRow): AsyncGenerator<string, void, undefined>;

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.source.build.cancel();
    this.source.core.stepper.sweep();
  }
}

/** Of a query that has been run: rows that lie in its result. */
export class HeldRows extends Flow {
  readonly #view: View;

  constructor(source: FlowSource, view: View) {
    super(source);
    this.#view = view;
  }

  override async *pieces(write: WriteRow): AsyncGenerator<string, void, undefined> {
    const { core, at, signal } = this.source;
    const { encoder } = this.#view;
    const { slices } = core.backfill;
    const turn = (): Promise<number> => core.backfill.turn();
    const pace = new Pace({ signal, turn, slices });
    const row: Datum[] = this.fields.map(() => null);
    let piece = "";
    try {
      for await (const slots of this.#view.slots(at.epoch, {}, { signal, turn, slices })) {
        for (const slot of slots) {
          for (let i = 0; i < row.length; i++) row[i] = encoder.datum(slot, i);
          piece += write(row);
          this.rowCount++;
          if (piece.length < PIECE_CHARS) continue;
          yield piece;
          piece = "";
          await pace.pause();
        }
      }
      if (piece !== "") yield piece;
    } finally {
      this.close();
    }
  }
}

/** Of a query that is run while it is read. */
export class PassingRows extends Flow {
  readonly #taker: Taker;
  readonly #columns: ColumnsRead;

  /** `taker`: what the build gives its rows to. It is held at the epoch from now on. */
  constructor(source: FlowSource, plan: Plan, taker: Taker, columns: ColumnsRead) {
    super(source);
    this.#taker = taker;
    this.#columns = columns;
    const { core, build, at } = source;
    build.hold(at.epoch);
    core.views.wanted.noteBuild(build, plan);
  }

  override async *pieces(write: WriteRow): AsyncGenerator<string, void, undefined> {
    const { core, build, at, signal } = this.source;
    const left = new AbortController();
    const taker = this.#taker;
    taker.write = (row) => {
      this.rowCount++;
      return write(row);
    };
    const signals = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
    const filled = fillOnce(core.backfill, build, at, signals)
      .then(
        () => build.firstError(),
        // What it was aborted with is nobody's failure.
        (error: unknown) => (signals.aborted ? signals.reason : toEvertError(error)) as unknown,
      )
      .finally(() => taker.end());
    try {
      for (;;) {
        await taker.ready();
        const piece = taker.handOut();
        if (piece === "") break;
        // Texts that it computes belong to nobody.
        core.stepper.lookedFor();
        yield piece;
      }
      const error = (await filled) ?? this.#columns.lost;
      if (error !== null) throw error;
    } finally {
      left.abort();
      taker.handOut();
      await filled;
      this.close();
    }
  }
}

/** Takes rows of a build's result as text. */
export class Taker implements RowTaker {
  write: WriteRow = () => "";
  readonly #read: readonly ((values: Values, row: number) => Exclude<Datum, null>)[];
  readonly #row: Datum[];
  #piece = "";
  #isOver = false;
  #emptied: Latch | null = null;
  #completed: Latch | null = null;

  constructor(fields: readonly Field[], dictionary: Dictionary) {
    this.#read = fields.map(({ type }) => valueReader(type, dictionary));
    this.#row = fields.map(() => null);
  }

  get full(): Promise<void> | null {
    if (this.#piece.length < PIECE_CHARS) return null;
    return (this.#emptied ??= latch()).promise;
  }

  take({ columns, nulls, weights }: Chunk, at: number): void {
    const row = this.#row;
    for (let i = 0; i < row.length; i++)
      row[i] = nulls[i]?.[at] === 1 ? null : this.#read[i]!(columns[i] as Values, at);
    for (let w = weights[at] as number; w > 0; w--) this.#piece += this.write(row);
    if (this.#piece.length >= PIECE_CHARS) this.#completed?.open();
  }

  /** There will be no more. */
  end(): void {
    this.#isOver = true;
    this.#completed?.open();
  }

  /** Resolves when a piece is complete, or the last. */
  async ready(): Promise<void> {
    if (this.#isOver || this.#piece.length >= PIECE_CHARS) return;
    this.#completed = latch();
    await this.#completed.promise;
    this.#completed = null;
  }

  /** What there is; from now on there is room again. */
  handOut(): string {
    const piece = this.#piece;
    this.#piece = "";
    this.#emptied?.open();
    this.#emptied = null;
    return piece;
  }
}

interface Latch {
  readonly promise: Promise<void>;
  readonly open: () => void;
}

function latch(): Latch {
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

function valueReader(
  type: SqlType,
  dictionary: Dictionary,
): (values: Values, row: number) => Exclude<Datum, null> {
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return (values, row) => values[row] as number;
    case "bool":
      return (values, row) => values[row] !== 0;
    case "int64":
      return (values, row) => {
        const value = values[row] as number;
        return value >= WIDE ? dictionary.bigint(value) : value;
      };
    case "string":
      return (values, row) => dictionary.string(values[row] as number);
  }
}
