/**
 * An engine of a few lines, in memory, for tests of what stands in front of one: real validation of rows, one view per
 * table topic (its rows by key), subscriptions with resume, and hooks to make it wait or fail.
 */
import { EvertError } from "../../src/base/errors.ts";
import type { Batch } from "../../src/batch/batch.ts";
import { rowToObject } from "../../src/batch/json.ts";
import type {
  AppendOptions,
  AppendResult,
  CopyIn,
  CopyOut,
  DatabaseStats,
  Engine,
  Erased,
  OpenSubscription,
  Operation,
  Readiness,
  ReadOptions,
  ReadTopicOptions,
  RegisteredSchema,
  RowsQuery,
  SchemaVersionInfo,
  SqlOptions,
  SqlResponse,
  StatementResult,
  SubscribeOptions,
  SubscribeTarget,
  SubscriptionEvent,
  TopicInfo,
  TopicRecord,
  TopicRows,
  ViewInfo,
  ViewReader,
} from "../../src/engine/api.ts";
import type { ReplicationApi } from "../../src/engine/replica/api.ts";
import { encode, FakeData } from "./fake-data.ts";
import { subscription } from "./fake-subscription.ts";

interface Receipt {
  readonly digest: string | undefined;
  readonly result: AppendResult;
}

export class FakeEngine implements Engine {
  /** It leads, and nobody follows it. */
  readonly replication: ReplicationApi = {
    info: () => ({ role: "leader", logId: 1, epoch: 0, position: this.position, followers: [] }),
    stream: async function* () {},
    progress: () => {},
    fence: () => Promise.reject(new EvertError("conflict", "nobody else leads")),
    promote: () => Promise.reject(new EvertError("invalid_request", "this is the leader")),
  };
  readonly #data = new FakeData();
  readonly #known = new Map<string, Receipt>();
  subscribers = 0;
  closed = false;
  ready = true;
  /** Topics that say they look at their records one by one. */
  readonly checked = new Set<string>();
  /** Rows of each append, in order. */
  readonly appends: number[] = [];
  /** Awaited before each append is done. */
  gate: Promise<void> | undefined;
  /** Thrown by the next append after this many. */
  failAfter: { appends: number; error: EvertError } | undefined;
  readonly sqlCalls: { text: string; options: SqlOptions }[] = [];

  get position(): string {
    return String(this.#data.position);
  }

  async registerProducer(): Promise<never> {
    throw new EvertError("feature_not_supported", "this engine has no producers");
  }

  async openConsumer(): Promise<never> {
    throw new EvertError("feature_not_supported", "this engine has no consumers");
  }

  async consumers(): Promise<[]> {
    return [];
  }

  async consumer(): Promise<never> {
    throw new EvertError("not_found", "this engine has no consumers");
  }

  async advanceConsumer(): Promise<never> {
    throw new EvertError("not_found", "this engine has no consumers");
  }

  async dropConsumer(): Promise<never> {
    throw new EvertError("not_found", "this engine has no consumers");
  }

  async producerReached(): Promise<void> {}

  async producer(): Promise<null> {
    return null;
  }

  readiness(): Readiness {
    return { ready: this.ready, progress: this.ready ? 1 : 0.25, position: this.position };
  }

  stats(): DatabaseStats {
    return {
      position: this.position,
      logBytes: 1,
      segments: 1,
      sealedSegments: 0,
      unsealedSegments: 0,
      sealedBytes: 0,
      sealedOriginalBytes: 0,
      sealingFailed: false,
      removedRecords: 0,
      removedBytes: 0,
      keepingFailed: false,
      commits: this.#data.position,
      records: this.#data.records,
      steps: this.#data.position,
      stepSeconds: 0.5,
      decodedValues: 40,
      stateBytes: 1,
      memoryLimit: 1000,
      coldBytes: 0,
      dictionaryBytes: 1,
      subscribers: this.subscribers,
      checkpointPosition: "0",
      longestPauseMs: 2,
    };
  }

  /** Takes lines, gives the statement. */
  async copy(text: string): Promise<CopyIn | CopyOut> {
    if (/FROM STDIN/.test(text)) {
      let rows = 0;
      const write = async (bytes: Uint8Array): Promise<void> => {
        for (const byte of bytes) if (byte === 10) rows++;
      };
      const finish = async () => ({ position: this.position, rowCount: rows, command: `COPY ${rows}` });
      return { direction: "in", write, finish };
    }
    async function* pieces() {
      yield `${text}\n`;
    }
    return { direction: "out", position: this.position, format: "csv", pieces: pieces() };
  }

  async append(topic: string, rows: readonly unknown[], options: AppendOptions = {}): Promise<AppendResult> {
    this.appends.push(rows.length);
    await this.gate;
    const { idempotencyKey: key, requestDigest } = options;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) {
      if (known.digest === requestDigest) return known.result;
      throw new EvertError("idempotency_conflict", "the key was used for another request");
    }
    if (this.failAfter !== undefined && this.failAfter.appends-- === 0) throw this.failAfter.error;
    const result = this.#data.commit(this.#data.topic(topic), rows);
    if (key !== undefined) this.#known.set(key, { digest: requestDigest, result });
    return result;
  }

  checkedRecord(_topic: string, record: unknown): unknown {
    return record;
  }

  fallbacks(): readonly unknown[] | null {
    return null;
  }

  appendBatch(topic: string, batch: Batch, options?: AppendOptions): Promise<AppendResult> {
    const rows = Array.from({ length: batch.length }, (_, i) => rowToObject(batch.schema, batch, i));
    return this.append(topic, rows, options);
  }

  async appended(_topic: string, options: AppendOptions): Promise<AppendResult | null> {
    const known = this.#known.get(options.idempotencyKey!);
    if (known === undefined) return null;
    if (known.digest === options.requestDigest) return known.result;
    throw new EvertError("idempotency_conflict", "the key was used for another request");
  }

  async registerSchema(): Promise<RegisteredSchema> {
    throw new EvertError("feature_not_supported", "the fake registers no schemas");
  }

  async registeredSchemas(): Promise<readonly RegisteredSchema[]> {
    return [];
  }

  readTopicBatches(): AsyncIterable<TopicRows> {
    throw new Error("not used");
  }

  appendArrow(): Promise<AppendResult> {
    return Promise.reject(new EvertError("feature_not_supported", "the fake takes no Arrow"));
  }

  async deleteKey(topic: string, key: unknown): Promise<{ position: string }> {
    const target = this.#data.topic(topic);
    const position = ++this.#data.position;
    this.#data.record(target, position, Array.isArray(key) ? key : [key], null);
    this.#data.wake();
    return { position: String(position) };
  }

  readonly backupSource = {
    files: async () => ({ logId: 1, position: Number(this.position), files: [{ name: "a.log", bytes: 3 }] }),
    read: async function* (name: string, from: number, to: number) {
      if (name !== "a.log") throw new EvertError("not_found", `there is no ${name}`);
      yield Uint8Array.of(1, 2, 3).subarray(from, to);
    },
  };

  async transact(
    operations: readonly Operation[],
    options: AppendOptions = {},
  ): Promise<{ position: string }> {
    const { idempotencyKey: key, requestDigest: digest } = options;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) {
      if (known.digest === digest) return { position: known.result.position };
      throw new EvertError("idempotency_conflict", "the key was used for another request");
    }
    for (const operation of operations) this.#data.topic(operation.topic);
    for (const operation of operations) {
      if ("delete" in operation) for (const k of operation.delete) await this.deleteKey(operation.topic, k);
      else
        this.#data.commit(
          this.#data.topic(operation.topic),
          "append" in operation ? operation.append : operation.upsert,
        );
    }
    const { position } = this;
    if (key !== undefined) {
      this.#known.set(key, { digest, result: { position, count: 0, firstOffset: 0, lastOffset: 0 } });
    }
    return { position };
  }

  /** Statements, separated by ";": `SELECT <json array>` answers with that row, `FAIL` fails, `BIG n` has n rows. */
  async sql(text: string, options: SqlOptions = {}): Promise<SqlResponse> {
    this.sqlCalls.push({ text, options });
    await this.reached(options);
    const results: StatementResult[] = [];
    for (const statement of text.split(";")) {
      const words = statement.trim();
      if (words === "FAIL") {
        const error = new EvertError("undefined_table", 'relation "x" does not exist', { position: 1 });
        return { results, position: this.position, error: { ...error.toJSON(), status: error.status } };
      }
      const rowsJson = words.startsWith("BIG ")
        ? Array.from({ length: Number(words.slice(4)) }, (_, i) => `[${i}]`)
        : [words.slice("SELECT ".length)];
      results.push({
        command: `SELECT ${rowsJson.length}`,
        columns: [{ name: "?column?", type: "int4" }],
        rowCount: rowsJson.length,
        rowsJson,
        rowTexts: (form) =>
          form === "json" ? rowsJson : rowsJson.map((row) => JSON.stringify(textsOf(row))),
        rowsText: () => rowsJson.map(textsOf),
        values: () => rowsJson.map((row) => JSON.parse(row) as unknown[]),
      });
    }
    return { results, position: this.position };
  }

  topics(): TopicInfo[] {
    return [...this.#data.topics.keys()].map((name) => this.topic(name));
  }

  schemas(name: string): SchemaVersionInfo[] {
    const { schema, key } = this.#data.topic(name);
    return [{ version: 1, position: null, timestamp: null, schema, key, changes: [] }];
  }

  topic(name: string): TopicInfo {
    const { schema, key, records } = this.#data.topic(name);
    const kind = key === null ? "stream" : "table";
    const isChecked = this.checked.has(name);
    return {
      id: [...this.#data.topics.keys()].indexOf(name),
      name,
      schemaVersion: 1,
      kind,
      schema,
      key,
      isChecked,
      withDefault: [],
      records: records.length,
      start: 0,
      keeping: null,
      deadLetters: null,
      heldBackBy: [],
      rows: records.length,
      stateBytes: 10,
      coldBytes: 0,
    };
  }

  views(): ViewInfo[] {
    return [...this.#data.views.keys()].map((name) => this.#viewInfo(name));
  }

  #viewInfo(name: string): ViewInfo {
    const view = this.#data.view(name);
    return {
      name,
      status: "live",
      schema: view.topic.schema,
      key: view.topic.key,
      order: [{ column: 0, descending: true, nullsFirst: true }],
      rows: view.rows.size,
      stateBytes: 100,
      coldBytes: 0,
      rowsIn: 30,
      rowsOut: 20,
      stepSeconds: 0.25,
      position: this.position,
      lag: 0,
      progress: 1,
      errors: view.error === undefined ? 0 : 1,
      skipped: 0,
      definition: `SELECT * FROM ${view.topic.name}`,
      ...(view.error === undefined ? {} : { error: view.error }),
    };
  }

  view(name: string): ViewReader {
    const view = this.#data.view(name);
    const { fields } = this.#viewInfo(name).schema;
    const getJson = async (key: unknown, options: ReadOptions = {}) => {
      await this.reached(options);
      const { position } = this;
      if (view.error !== undefined) throw new EvertError(view.error.code, view.error.message);
      return { rowJson: view.rows.get(encode(key)), fields, position };
    };
    const found = async (query: RowsQuery = {}) => {
      await this.reached(query);
      const { position } = this;
      const where = Object.entries(query.where ?? {});
      const rows = [...view.rows.values()].filter((json) => {
        const row = JSON.parse(json) as Record<string, unknown>;
        return where.every(([name, value]) => String(row[name]) === String(value));
      });
      return { rowsJson: rows.slice(0, query.limit), position };
    };
    const rowsJson = async (query?: RowsQuery) => {
      const { rowsJson: rows, position } = await found(query);
      const chunks = (async function* () {
        for (let i = 0; i < rows.length; i += 512) yield rows.slice(i, i + 512);
      })();
      return { rowsJson: chunks, fields, position };
    };
    return {
      info: this.#viewInfo(name),
      getJson,
      rowsJson,
      get: async (key, options) => {
        const { rowJson, position } = await getJson(key, options);
        return { row: rowJson === undefined ? undefined : JSON.parse(rowJson), position };
      },
      rows: async (query) => {
        const { rowsJson: rows, position } = await found(query);
        return { rows: rows.map((row) => JSON.parse(row)), position };
      },
    };
  }

  async dropView(name: string): Promise<{ position: string }> {
    this.#data.view(name);
    this.#data.views.delete(name);
    return { position: String(++this.#data.position) };
  }

  /** Puts an error on the view's subscriptions and reads. */
  fail(name: string, error: EvertError): void {
    this.#data.view(name).error = error.toJSON();
    this.#data.wake();
  }

  async *readTopic(name: string, options: ReadTopicOptions = {}): AsyncGenerator<TopicRecord> {
    const { records } = this.#data.topic(name);
    const { from = "earliest", limit = Number.POSITIVE_INFINITY, follow = false, signal } = options;
    let at = from === "earliest" ? 0 : typeof from === "number" ? from : records.length;
    if (from !== "latest" && typeof from !== "number" && from !== "earliest") {
      const time = new Date(from).toISOString();
      while (at > 0 && records[at - 1]!.timestamp >= time) at--;
    }
    for (let sent = 0; sent < limit; ) {
      if (at < records.length) {
        yield records[at++]!;
        sent++;
      } else if (!follow || signal?.aborted) return;
      else await this.#data.next(signal);
    }
  }

  get versions(): never {
    throw new EvertError("feature_not_supported", "this engine has one version of each view");
  }

  openSubscription(_signal: AbortSignal): OpenSubscription {
    throw new EvertError("feature_not_supported", "this engine has no subscriptions that change");
  }

  async *subscribe(
    targets: readonly SubscribeTarget[],
    options: SubscribeOptions = {},
  ): AsyncGenerator<SubscriptionEvent> {
    this.subscribers++;
    try {
      yield* subscription(this.#data, targets, options);
    } finally {
      this.subscribers--;
    }
  }

  async reached({ atLeast, timeoutMs = 10_000 }: ReadOptions): Promise<void> {
    const stop = AbortSignal.timeout(timeoutMs);
    while (atLeast !== undefined && Number(atLeast) > this.#data.position) {
      if (stop.aborted)
        throw new EvertError("timeout", `position ${atLeast} was not reached in ${timeoutMs} ms`);
      await this.#data.next(stop);
    }
  }

  async settled(): Promise<void> {}
  async checkpoint(): Promise<void> {}

  async compact(): Promise<void> {}

  async erase(topic: string, key: unknown): Promise<Erased> {
    return { ...(await this.deleteKey(topic, key)), sinks: ["sunk"] };
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

function textsOf(rowJson: string): (string | null)[] {
  return (JSON.parse(rowJson) as unknown[]).map((v) => (v === null ? null : String(v)));
}
