/** What a program's own transactions say, typed by its topics and views. */
import type { AnyTopic, Table, Topic, View } from "../face/handles.ts";
import type { AppendOptions, RowsOptions } from "./api.ts";
import type { TransactionWork } from "./transaction.ts";

export type TopicOperation =
  | { readonly topic: AnyTopic; readonly append: readonly unknown[] }
  | { readonly topic: AnyTopic; readonly delete: readonly unknown[] };

/**
 * What a transaction expects:
 * - a position: nothing has been committed since;
 * - a topic and a position: nothing has been committed to it since;
 * - a table, a key and a version: its row is there as it was at that position; null: there is none.
 */
export type TopicExpectation =
  | { readonly position: string }
  | { readonly topic: AnyTopic; readonly position: string }
  | { readonly topic: AnyTopic; readonly key: unknown; readonly version: string | null };

export interface DbTransactOptions extends AppendOptions {
  /** What must hold for it to be stored. */
  readonly expect?: readonly TopicExpectation[] | undefined;
}

/** By which the function of a transaction reads and writes, until it returns. */
export class Transaction {
  readonly #work: TransactionWork;

  constructor(work: TransactionWork) {
    this.#work = work;
  }

  /** The row with this key (an array for a composite key), or undefined. Not of a row that the transaction has written. */
  get<Row, Input>(source: Table<Row, Input> | View<Row>, key: unknown): Promise<Row | undefined> {
    return awaitedLater(this.#work.get(source.name, key)) as Promise<Row | undefined>;
  }

  /** Rows of a view. The transaction runs again if anything that the view is made from is written before it ends. */
  rows<Row>(view: View<Row>, options?: Omit<RowsOptions<Row>, "atLeast" | "timeoutMs">): Promise<Row[]> {
    return awaitedLater(this.#work.rows(view.name, options)) as Promise<Row[]>;
  }

  /** A table's record replaces the row with its key. */
  append<Row, Input>(topic: Topic<Row, Input> | Table<Row, Input>, rows: Input | readonly Input[]): void {
    this.#work.append(topic.name, Array.isArray(rows) ? rows : [rows]);
  }

  /** Takes rows out of a table. */
  delete<Row, Input>(table: Table<Row, Input>, keys: readonly unknown[]): void {
    this.#work.delete(table.name, keys);
  }
}

/** A read that fails while another is awaited has told its conflict by then; nobody has to take it twice. */
function awaitedLater<T>(read: Promise<T>): Promise<T> {
  read.catch(() => {});
  return read;
}
