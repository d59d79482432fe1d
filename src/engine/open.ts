/** open(): the database in a program of its own, typed by its topics and views. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeUtf8 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { parseJson } from "../batch/lossless-json.ts";
import type { SqlResponse } from "../batch/sql-answer.ts";
import type { RecursionLimits, StateLimits } from "../dataflow/circuit.ts";
import { type AnyTopic, type AnyView, isHandle, type Table, type Topic, type View } from "../face/handles.ts";
import { collect } from "../face/load-app.ts";
import type { SqlFunction } from "../face/routines.ts";
import { type BackupReport, backupLog } from "../log/backup.ts";
import type {
  AppendOptions,
  AppendResult,
  ConsumerInfo,
  Erased,
  ReadOptions,
  ReadTopicOptions,
  RowsOptions,
  SchemaVersionInfo,
} from "./api.ts";
import type { Database } from "./database.ts";
import { type ConsumerOptions, DbConsumer, type RowOfTopic } from "./db/consumer.ts";
import { recordsOf, topicName, viewName } from "./db/given.ts";
import { DbProducer } from "./db/producer.ts";
import { readTyped, type TopicRecord } from "./db/read.ts";
import { runSql, type SqlOptions } from "./db/sql.ts";
import {
  type DbTransactOptions,
  expectationsOf,
  operationsOf,
  type TopicOperation,
  Transaction,
} from "./db/transaction.ts";
import { typedRow } from "./db/typed-row.ts";
import { named } from "./declare.ts";
import { openEngine } from "./open-engine.ts";
import type { FollowOptions } from "./replica/role.ts";

/** Where a database lies, what the program declares, and what it is limited to. */
export interface OpenOptions {
  /** The data directory; made if it does not exist. */
  readonly dir: string;
  readonly topics?: readonly AnyTopic[];
  readonly views?: readonly AnyView[];
  /** Functions that SQL calls by name: scalar(), setReturning(), reducer(). */
  readonly functions?: readonly SqlFunction[];
  /** What one call of a function, of SQL or of a chain, may take before its view is stopped; 0: any time. Default 1,000. */
  readonly functionTimeoutMs?: number;
  readonly clock?: Clock;
  readonly disk?: Disk;
  /** Size of a segment of the log, at least 64 KiB. Default 64 MiB. */
  readonly segmentBytes?: number;
  /**
   * Resolves as soon as what the checkpoint holds can be read, while the log behind it is replayed: views answer at the position they have reached
   * (`catchingUp`), what is written waits, a new definition takes effect at the end, which settled() waits for. Default: false.
   */
  readonly answerWhileCatchingUp?: boolean;
  /**
   * The address of a server that leads: this database follows it, as a replica. It has what the leader has, and answers reads; what is to be written
   * is refused (`not_leader`) and belongs there. evert promote makes it the leader.
   */
  readonly follow?: string | FollowOptions;
  /**
   * How many replicas are to have a commit durably before it is acknowledged and shown here. With fewer of them an append is refused with `timeout`
   * after `syncTimeoutMs`; it stays, and is shown once they have it. Default 0: it is acknowledged when it is durable here.
   */
  readonly syncFollowers?: number;
  /** Default 10,000. */
  readonly syncTimeoutMs?: number;
  /** Milliseconds between checkpoints; 0: only on close. Default 5,000. */
  readonly checkpointIntervalMs?: number;
  /** What a recursive query may do before it is taken for an endless one. */
  readonly recursion?: Partial<RecursionLimits>;
  /** What a view may keep and make before it is stopped; the others go on. */
  readonly limits?: Partial<StateLimits>;
  /**
   * Bytes that all state may take together; half of the machine's memory by default. Near it, rows of tables, views and groups that nobody asks for
   * go to disk, but for those that are found in an order; appends that need more room in a table whose rows stay are refused (`out_of_memory`). At
   * it, the view that grows is stopped (`view_limit`).
   */
  readonly memoryLimit?: number;
  /**
   * Threads beside this one that keep views, or shares of one view, 0 to 64: of use where views take more than a core. Views with functions of the
   * program stay in this thread. Views that workers keep are made anew at each start, and show their earlier rows meanwhile. Default 0: no thread
   * keeps views; whole segments of the log are rewritten in a thread of their own all the same, where there is a second processor.
   */
  readonly workers?: number;
  /** Told what recovery found and what failed in the background. */
  readonly report?: (message: string) => void;
}

/** A row that came, changed or left, with its key. */
export type RowChange<Row> =
  | { readonly op: "insert"; readonly key: unknown; readonly row: Row }
  | { readonly op: "update"; readonly key: unknown; readonly row: Row; readonly old: Row }
  | { readonly op: "delete"; readonly key: unknown; readonly old: Row };

/** What a step changed in a view. */
export interface Changes<Row> {
  readonly position: string;
  readonly changes: readonly RowChange<Row>[];
  /**
   * Why what was told so far no longer holds: the changes are the whole view, as inserts, in place of it. It comes when the view was rebuilt or
   * has healed, when the subscriber did not keep up, or when `from` is too long ago.
   */
  readonly reset?: string;
}

/** A view, read in process: no network, no copy but the row. */
export interface ViewHandle<Row> {
  /** The row with this key (an array for a composite key), or undefined. */
  get(key: unknown, options?: ReadOptions): Promise<Row | undefined>;
  rows(options?: RowsOptions<Row>): Promise<Row[]>;
  /** First the view as it is, as inserts; then one item per step that changes it. Where that cannot go on, an item with `reset`. */
  subscribe(options?: { readonly from?: string; readonly signal?: AbortSignal }): AsyncIterable<Changes<Row>>;
}

/** What db.backup() has made: `bytes` in all, of which so many were new. */
export interface Backup extends Omit<BackupReport, "position"> {
  readonly position: string;
}

/** An open database: what open() gives. */
export class Db {
  /** The engine below, for servers and tools. */
  readonly engine: Database;
  readonly #disk: Disk;

  constructor(engine: Database, disk: Disk) {
    this.engine = engine;
    this.#disk = disk;
  }

  /** Newest position that reads reflect. */
  get position(): string {
    return this.engine.position;
  }

  /**
   * Appends one record or many, in one commit; resolves when it is durable. A table's record replaces the one with its key.
   * @throws EvertError what refuses it, as of a list without a record
   */
  append<Row, Input>(
    topic: Topic<Row, Input> | Table<Row, Input>,
    rows: Input | readonly Input[],
    options?: AppendOptions,
  ): Promise<AppendResult> {
    let name: string;
    let records: readonly unknown[];
    // Without a promise of its own: see Database.append.
    try {
      name = topicName(topic);
      records = recordsOf(rows);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.engine.append(name, records, options);
  }

  /**
   * Deletes a row for good: resolves when no file of the data directory has it, in its history either. Backups and followers have files of their own.
   * @throws EvertError what kept it from it: the row is deleted then, and erasing it again goes on
   */
  async erase<Row, Input>(topic: Table<Row, Input>, key: unknown): Promise<Erased> {
    return this.engine.erase(topicName(topic), key);
  }

  /**
   * Takes out of the log all that topics' retention and compaction let go by now; it happens by itself, too. @throws EvertError what kept it from it
   */
  compact(): Promise<void> {
    return this.engine.compact();
  }

  /** Takes a row out of a table: a tombstone in its topic. */
  async delete<Row, Input>(
    topic: Table<Row, Input>,
    key: unknown,
    options?: AppendOptions,
  ): Promise<{ position: string }> {
    return this.engine.deleteKey(topicName(topic), key, options);
  }

  /**
   * Several appends and deletes that appear together or not at all; only if what `expect` says still holds. @throws EvertError conflict: what does
   * not
   */
  transact(operations: readonly TopicOperation[], options?: DbTransactOptions): Promise<{ position: string }>;
  /**
   * Runs `work`, which reads rows and says what to append and delete: all of it is stored as one commit, as if nothing else had happened since its
   * first read. Where something has, it runs again, so it should have no other effects. @throws EvertError what `work` throws, and then nothing is
   * stored; conflict
   */
  transact<T>(work: (transaction: Transaction) => Promise<T> | T): Promise<{ position: string; result: T }>;
  async transact<T>(
    what: readonly TopicOperation[] | ((transaction: Transaction) => Promise<T> | T),
    { expect, ...options }: DbTransactOptions = {},
  ): Promise<{ position: string; result?: T }> {
    if (typeof what === "function") return this.engine.transaction((work) => what(new Transaction(work)));
    return this.engine.transact(operationsOf(what), { ...options, expect: expectationsOf(expect) });
  }

  /** Whoever has the id from now on; its epoch begins with its first append. */
  producer(id: string): DbProducer {
    return new DbProducer(this.engine, id);
  }

  /** Who reads topics, remembers in the log how far it has come, and goes on there. Whoever opens the name next takes its place. */
  consumer<T extends AnyTopic>(name: string, options: ConsumerOptions<T>): DbConsumer<RowOfTopic<T>> {
    return new DbConsumer(this.engine, name, options);
  }

  /** The consumers that there are, and how far they have come. */
  consumers(): Promise<ConsumerInfo[]> {
    return this.engine.consumers();
  }

  /**
   * Each statement is a transaction of its own unless inside BEGIN ... COMMIT. `params` are $1, $2, ...
   * @throws EvertError what the first statement that fails says: those before it stand
   */
  sql(text: string, params?: readonly unknown[], options?: SqlOptions): Promise<SqlResponse> {
    return runSql(this.engine, text, params, options);
  }

  view<Row>(view: View<Row> | string): ViewHandle<Row> {
    const name = viewName(view);
    const { engine } = this;
    return {
      async get(key, options) {
        return (await engine.view(name).get(key, options)).row as Row | undefined;
      },
      async rows(options = {}) {
        return (await engine.view(name).rows(options as RowsOptions<Record<string, unknown>>)).rows as Row[];
      },
      subscribe: (options = {}) => changesOf<Row>(engine, name, options),
    };
  }

  /** The schemas that a topic has had, oldest first. */
  schemas(topic: AnyTopic | string): readonly SchemaVersionInfo[] {
    return this.engine.schemas(typeof topic === "string" ? topic : topic.name);
  }

  /** Records of a topic from an offset on. */
  read<Row, Input>(
    topic: Topic<Row, Input> | Table<Row, Input>,
    options?: ReadTopicOptions,
  ): AsyncIterable<TopicRecord<Row>> {
    return readTyped(this.engine, topicName(topic), options);
  }

  /**
   * Copies the log, as of one position, into a directory: a new one, or an earlier backup, which is brought up to date. The database goes on
   * meanwhile. evert restore makes a data directory of it. @throws EvertError invalid_request: the directory holds something else
   */
  async backup(directory: string): Promise<Backup> {
    const source = this.engine.backupSource;
    const report = await backupLog({ source, directory, disk: this.#disk, now: Date.now() });
    return { ...report, position: String(report.position) };
  }

  /**
   * Makes a database that was opened with `follow` the leader: it takes writes from then on, and the former leader, as soon as it can be told, no
   * more.
   */
  async promote(): Promise<{ position: string; epoch: number }> {
    const { position, epoch } = await this.engine.replication.promote();
    return { position, epoch };
  }

  /** Resolves when everything appended so far is durable and reflected by every view. */
  settled(): Promise<void> {
    return this.engine.settled();
  }

  /** Drains, takes a checkpoint, releases the directory. */
  close(): Promise<void> {
    return this.engine.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Opens a data directory, alone: a second open of it is refused. Resolves when its views, built or restored, can be read.
 * @throws EvertError directory_locked, log_damaged, or what is wrong with a topic or a view.
 */
export async function open(options: OpenOptions): Promise<Db> {
  checkOptions(options);
  const app = collect([...(options.topics ?? []), ...(options.views ?? [])]);
  const engine = await openEngine({
    directory: options.dir,
    topics: app.topics,
    views: app.views,
    clock: options.clock,
    disk: options.disk,
    segmentBytes: options.segmentBytes,
    checkpointIntervalMs: options.checkpointIntervalMs,
    functions: options.functions,
    functionTimeoutMs: options.functionTimeoutMs,
    recursion: options.recursion,
    limits: options.limits,
    memoryLimit: options.memoryLimit,
    workers: options.workers,
    answerWhileCatchingUp: options.answerWhileCatchingUp,
    syncFollowers: options.syncFollowers,
    syncTimeoutMs: options.syncTimeoutMs,
    follow: typeof options.follow === "string" ? { url: options.follow } : options.follow,
    report: options.report,
  });
  const disk = options.disk ?? nodeDisk;
  if (options.answerWhileCatchingUp === true) return new Db(engine, disk);
  await engine.built();
  // Its views come with the leader's log.
  if (options.follow !== undefined) return new Db(engine, disk);
  for (const view of app.views) {
    const error = engine.viewFailure(view.name);
    if (error !== null) {
      await engine.close();
      throw named(view.name, error);
    }
  }
  return new Db(engine, disk);
}

/** All that there are: who names another has meant one of them. */
export const OPTIONS: Readonly<Record<keyof OpenOptions, true>> = {
  dir: true,
  topics: true,
  views: true,
  functions: true,
  functionTimeoutMs: true,
  clock: true,
  disk: true,
  segmentBytes: true,
  answerWhileCatchingUp: true,
  follow: true,
  syncFollowers: true,
  syncTimeoutMs: true,
  checkpointIntervalMs: true,
  recursion: true,
  limits: true,
  memoryLimit: true,
  workers: true,
  report: true,
};

/** Programs in JavaScript are told by nobody else. @throws EvertError invalid_request */
function checkOptions(options: OpenOptions | undefined): void {
  const example = { hint: 'As in open({ dir: "data", topics: [...], views: [...] }).' };
  if (typeof options?.dir !== "string" || options.dir === "")
    throw new EvertError("invalid_request", "open() needs dir, the directory of the data", example);
  for (const [name, given = []] of Object.entries({ topics: options.topics, views: options.views })) {
    if (Array.isArray(given) && given.every(isHandle)) continue;
    throw new EvertError(
      "invalid_request",
      `${name} must be a list of what topic(), table() and view() give`,
      example,
    );
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown === undefined) return;
  throw new EvertError("invalid_request", `open() has no option ${JSON.stringify(unknown)}`, {
    detail: `Its options are ${Object.keys(OPTIONS).join(", ")}.`,
  });
}

async function* changesOf<Row>(
  engine: Database,
  name: string,
  options: { readonly from?: string; readonly signal?: AbortSignal },
): AsyncGenerator<Changes<Row>> {
  const fields = engine.view(name).info.schema.fields;
  const rowOf = (value: unknown): Row => typedRow(fields, value as Record<string, unknown>) as Row;
  let first: RowChange<Row>[] = [];
  let reset: { reset?: string } = {};
  for await (const event of engine.subscribe([{ view: name }], options)) {
    if (event.type === "error") throw EvertError.from(event.error);
    if (event.type === "reset") {
      first = [];
      reset = { reset: event.reason };
    }
    if (event.type === "snapshot") {
      for (const json of event.rowsJson) {
        const { key, row } = parseJson(json) as { key: unknown; row: unknown };
        first.push({ op: "insert", key, row: rowOf(row) });
      }
      if (!event.last) continue;
      yield { position: event.position, changes: first, ...reset };
      first = [];
      reset = {};
    } else if (event.type === "step") {
      const changes: unknown[] = [];
      for (const [i, piece] of (event.views.get(name) ?? []).entries()) {
        if (i > 0) await nextTurn();
        for (const c of parseJson(`[${decodeUtf8(piece)}]`) as {
          op: string;
          key: unknown;
          row?: unknown;
          old?: unknown;
        }[]) {
          changes.push({
            ...c,
            ...(c.row === undefined ? {} : { row: rowOf(c.row) }),
            ...(c.old === undefined ? {} : { old: rowOf(c.old) }),
          });
        }
      }
      if (changes.length === 0) continue;
      yield { position: event.position, changes: changes as unknown as RowChange<Row>[] };
    }
  }
}
