/** What a program's own transactions say, typed by its topics and views. */
import { EvertError } from "../../base/errors.ts";
import type { AnyTopic, Table, Topic, View } from "../../face/handles.ts";
import type { AppendOptions, Expectation, Key, Operation, RowsOptions } from "../api.ts";
import type { TransactionWork } from "../write/transaction.ts";
import { sourceName, topicName, viewName } from "./given.ts";

/** One record or key, or a list of them. A table's record replaces the row with its key, whether it is said to be appended or upserted. */
export type TopicOperation =
  | { readonly topic: AnyTopic; readonly append: unknown }
  | { readonly topic: AnyTopic; readonly upsert: unknown }
  | { readonly topic: AnyTopic; readonly delete: unknown };

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
  readonly expect?: TopicExpectation | readonly TopicExpectation[] | undefined;
}

/** By which the function of a transaction reads and writes, until it returns. */
export class Transaction {
  readonly #work: TransactionWork;

  constructor(work: TransactionWork) {
    this.#work = work;
  }

  /** The row with this key (an array for a composite key), or undefined. Not of a row that the transaction has written. */
  get<Row, Input>(source: Table<Row, Input> | View<Row>, key: unknown): Promise<Row | undefined> {
    return awaitedLater(this.#get(source, key)) as Promise<Row | undefined>;
  }

  /** Rows of a view. The transaction runs again if anything that the view is made from is written before it ends. */
  rows<Row>(view: View<Row>, options?: Omit<RowsOptions<Row>, "atLeast" | "timeoutMs">): Promise<Row[]> {
    return awaitedLater(this.#rows(view, options)) as Promise<Row[]>;
  }

  // What is no handle rejects, as what is no key does.
  async #get(source: unknown, key: unknown): Promise<unknown> {
    return this.#work.get(sourceName(source), key as Key);
  }

  async #rows(view: unknown, options: Parameters<TransactionWork["rows"]>[1]): Promise<unknown[]> {
    return this.#work.rows(viewName(view), options);
  }

  /** A table's record replaces the row with its key. */
  append<Row, Input>(topic: Topic<Row, Input> | Table<Row, Input>, rows: Input | readonly Input[]): void {
    this.#work.append(topicName(topic), listOf(rows));
  }

  /** Takes a row, or several, out of a table. */
  delete<Row, Input>(table: Table<Row, Input>, keys: unknown): void {
    this.#work.delete(topicName(table), listOf(keys));
  }
}

/** As the engine takes them. @throws EvertError invalid_request: programs in JavaScript are told by nobody else */
export function operationsOf(operations: readonly TopicOperation[]): Operation[] {
  if (!Array.isArray(operations) || operations.length === 0)
    throw new EvertError(
      "invalid_request",
      "a transaction is a function, or a list of at least one operation",
      {
        hint: "For example [{ topic: orders, append: { id: 1 } }].",
      },
    );
  return operations.map((operation, i) => {
    const { topic, ...verbs } = membersOf(operation, `operations[${i}]`);
    const name = topicName(topic, `operations[${i}]: topic`);
    const [[verb, content] = [], ...more] = Object.entries(verbs).filter(([, given]) => given !== undefined);
    if (more.length === 0) {
      if (verb === "append") return { topic: name, append: listOf(content) };
      if (verb === "upsert") return { topic: name, upsert: listOf(content) };
      if (verb === "delete") return { topic: name, delete: listOf(content) as Key[] };
    }
    throw invalid(`operations[${i}]: an operation has a topic, and exactly one of append, upsert and delete`);
  });
}

/** @throws EvertError invalid_request */
export function expectationsOf(expected: DbTransactOptions["expect"]): Expectation[] {
  return listOf(expected ?? []).map((given, i) => {
    const { topic, ...rest } = membersOf(given, `expect[${i}]`);
    const isOfKey = rest.key !== undefined && (rest.version === null || typeof rest.version === "string");
    if (isOfKey ? topic === undefined || rest.position !== undefined : typeof rest.position !== "string")
      throw new EvertError(
        "invalid_request",
        `expect[${i}]: an expectation has a position, or a key and its version`,
        {
          hint: 'For example { position: "12" }, { topic: orders, position: "12" }, or { topic: orders, key: 1, version: "12" }.',
        },
      );
    return (
      topic === undefined ? rest : { ...rest, topic: topicName(topic, `expect[${i}]: topic`) }
    ) as Expectation;
  });
}

function membersOf(given: unknown, path: string): Record<string, unknown> {
  if (typeof given === "object" && given !== null) return given as Record<string, unknown>;
  throw invalid(`${path} must be an object`);
}

function listOf(given: unknown): readonly unknown[] {
  return Array.isArray(given) ? given : [given];
}

function invalid(message: string): EvertError {
  return new EvertError("invalid_request", message);
}

/** A read that fails while another is awaited has told its conflict by then; nobody has to take it twice. */
function awaitedLater<T>(read: Promise<T>): Promise<T> {
  read.catch(() => {});
  return read;
}
