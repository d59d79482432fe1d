/** The client: live views over one connection, and requests beside it. */
import { EvertError } from "../base/errors.ts";
import type { SqlResponse } from "../batch/sql-answer.ts";
import type { AppendAnswer, PositionAnswer, SqlAnswer, TopicsAnswer } from "../wire/http/messages.ts";
import { contentTypes } from "../wire/http/messages.ts";
import { ArrowAppends } from "./arrow-appends.ts";
import type { BodyMaker } from "./columns.ts";
import { Connection } from "./connection.ts";
import { createConsumer } from "./consumer.ts";
import { encodeJson, parseJson } from "./json.ts";
import { createProducer } from "./producer.ts";
import { Requests } from "./requests.ts";
import { sqlParts } from "./sql-answer.ts";
import { createTransport, errorFrom, isJson, isNode, noJson } from "./transport.ts";
import type {
  AppendOptions,
  AppendResult,
  Client,
  ClientOptions,
  ColumnsOf,
  Consumer,
  ConsumerOptions,
  Key,
  Named,
  Operation,
  Producer,
  ReadOptions,
  RowsQuery,
  TransactOptions,
} from "./types.ts";
import { mayNeedDigits, needsDigits, tupleConverter } from "./values.ts";
import { ViewState } from "./view.ts";
import { ViewReads } from "./view-reads.ts";

/**
 * A client of the server at `url`; "" is the page's own origin. Opens nothing before the first view is listened to.
 * @throws EvertError invalid_argument when the address is none.
 */
export function connect(url: string, options: ClientOptions = {}): Client {
  return new HttpClient(url, options);
}

class HttpClient implements Client {
  readonly #requests: Requests;
  readonly #reads: ViewReads;
  readonly #arrow: ArrowAppends;
  readonly #connection: Connection;
  readonly #lingerMs: number;
  readonly #views = new Map<string, ViewState>();
  readonly #lingering = new Map<ViewState, ReturnType<typeof setTimeout>>();
  #closed = false;

  constructor(url: string, options: ClientOptions) {
    const transport = createTransport(url, options);
    const { retryMsMax = 30_000 } = options;
    const copiesBodies = options.fetch === undefined && isNode();
    this.#requests = new Requests(transport, { retryMsMax, copiesBodies });
    this.#reads = new ViewReads(this.#requests);
    this.#arrow = new ArrowAppends(this.#requests);
    this.#lingerMs = options.lingerMs ?? 2_000;
    this.#connection = new Connection(transport, options, (position) => this.#requests.saw(position));
  }

  get position(): string | undefined {
    return this.#requests.position;
  }

  // The types are the caller's word for it: rows come as they are, whatever they were said to be.
  view(view: string | Named): never {
    const name = nameOf(view);
    let state = this.#views.get(name);
    if (state === undefined) {
      state = new ViewState(name, { wanted: (v) => this.#wanted(v), unwanted: (v) => this.#unwanted(v) });
      this.#views.set(name, state);
    }
    return state as never;
  }

  async append(topic: string | Named, rows: unknown, options: AppendOptions = {}): Promise<AppendResult> {
    if (options.format !== "arrow") {
      return this.#append(topic, encodeJson(rows), contentTypes.json, options);
    }
    const list = Array.isArray(rows) ? (rows as readonly unknown[]) : [rows];
    const appended = await this.#appendArrow(topic, options, (maker) => maker.ofRows(list));
    return appended ?? this.#append(topic, encodeJson(rows), contentTypes.json, options);
  }

  async appendColumns(
    topic: string | Named,
    columns: object,
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const encode = (maker: BodyMaker) => maker.ofColumns(columns as ColumnsOf<unknown>);
    return (await this.#appendArrow(topic, options, encode)) as AppendResult;
  }

  #appendArrow(
    topic: string | Named,
    options: AppendOptions,
    encode: (maker: BodyMaker) => Uint8Array<ArrayBuffer> | null,
  ): Promise<AppendResult | null> {
    const post = (body: Uint8Array<ArrayBuffer>) => this.#append(topic, body, contentTypes.arrow, options);
    return this.#arrow.append(nameOf(topic), encode, post);
  }

  async #append(
    topic: string | Named,
    body: string | Uint8Array<ArrayBuffer>,
    contentType: string,
    options: AppendOptions,
  ): Promise<AppendResult> {
    const path = `/v1/topics/${encodeURIComponent(nameOf(topic))}/records`;
    const answer = await this.#requests.store<AppendAnswer>(path, body, contentType, options);
    const { position, count, firstOffset, lastOffset, deadLetters } = answer;
    const dead = deadLetters === undefined ? {} : { deadLetters };
    return { position, count, firstOffset, lastOffset, ...dead };
  }

  producer(id: string): Producer {
    return createProducer(id, {
      transport: this.#requests.transport,
      retryMsMax: this.#requests.retryMsMax,
      store: (path, body) => this.#requests.store(path, body, contentTypes.json, {}),
      saw: (position) => this.#requests.saw(position),
    });
  }

  consumer(name: string, options: ConsumerOptions): Consumer {
    return createConsumer(name, options, {
      transport: this.#requests.transport,
      retryMsMax: this.#requests.retryMsMax,
      store: (path, body, method = "POST") =>
        this.#requests.store(path, encodeJson(body), contentTypes.json, {}, method),
      topics: () => this.#requests.json<TopicsAnswer>("/v1/topics", {}, false),
    });
  }

  async transact(
    operations: readonly Operation[],
    options: TransactOptions = {},
  ): Promise<{ position: string }> {
    const named = <T extends object>(part: T): T =>
      "topic" in part ? { ...part, topic: nameOf(part.topic as string | Named) } : part;
    const body = encodeJson({ operations: operations.map(named), expect: options.expect?.map(named) });
    const { position } = await this.#requests.store<PositionAnswer>(
      "/v1/transactions",
      body,
      contentTypes.json,
      options,
    );
    return { position };
  }

  async sql(text: string, params: readonly unknown[] = [], options: ReadOptions = {}): Promise<SqlResponse> {
    const body = encodeJson({ sql: text, params, atLeast: options.atLeast, timeoutMs: options.timeoutMs });
    const { transport } = this.#requests;
    const response = await transport.send("/v1/sql", { method: "POST", body, signal: options.signal });
    const answer = await transport.text(response, options.signal);
    if (!isJson(response)) throw noJson(response, answer);
    const { results, error, position } = parseJson(answer, mayNeedDigits(answer)) as SqlAnswer;
    this.#requests.saw(position);
    if (error !== undefined) throw errorFrom(error);
    return {
      results: results.map(({ command, columns, rows, rowCount }) => {
        const convert = tupleConverter(columns);
        return { command, columns, rows: rows.map((row) => convert(row as unknown[])), rowCount };
      }),
      position,
    };
  }

  async *stream(
    query: string,
    params: readonly unknown[] = [],
    options: ReadOptions = {},
  ): AsyncGenerator<readonly never[], void, undefined> {
    const { atLeast, timeoutMs, signal } = options;
    const body = encodeJson({ sql: query, params, atLeast, timeoutMs });
    const { transport } = this.#requests;
    const response = await transport.send("/v1/sql", { method: "POST", body, signal });
    if (!isJson(response)) throw noJson(response, await transport.text(response, signal));
    const parts = sqlParts(response.body as ReadableStream<Uint8Array>, (cause) => {
      if (signal?.aborted) throw signal.reason;
      return new EvertError("connection_failed", "the server broke off its answer", {
        detail: "Not all rows have come.",
        cause,
      });
    });
    let toRow = rowReader([]);
    let isQuery = false;
    for await (const part of parts) {
      if (part.kind === "columns") {
        // Of statements that are no queries it is empty.
        if (isQuery && part.columns.length > 0) throw notOneQuery();
        isQuery ||= part.columns.length > 0;
        toRow = rowReader(part.columns);
      } else if (part.kind === "rows") yield part.texts.map(toRow);
      else if (part.kind === "position") this.#requests.saw(part.position);
      else if (part.kind === "error") throw errorFrom(part.error);
    }
  }

  async get(view: string | Named, key: Key, options: ReadOptions = {}): Promise<never> {
    return this.#reads.get(nameOf(view), key, options);
  }

  async rows(
    view: string | Named,
    query: RowsQuery = {},
  ): Promise<{ rows: never[]; position: string; stale?: true }> {
    return this.#reads.rows(nameOf(view), query);
  }

  close(): void {
    this.#closed = true;
    this.#requests.close();
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    this.#lingering.clear();
    this.#connection.close();
  }

  // ---- live views

  #wanted(view: ViewState): void {
    const timer = this.#lingering.get(view);
    clearTimeout(timer);
    // Still lingering: it was never taken off the connection.
    if (!this.#lingering.delete(view)) this.#connection.add(view);
  }

  #unwanted(view: ViewState): void {
    if (this.#closed) return;
    this.#lingering.set(
      view,
      setTimeout(() => {
        this.#lingering.delete(view);
        this.#connection.remove(view);
        view.clear();
      }, this.#lingerMs),
    );
  }
}

function notOneQuery(): EvertError {
  return new EvertError("invalid_request", "there are several queries, and rows of one are streamed", {
    hint: "Send each by itself, or ask sql() for the answers to all.",
  });
}

/** Makes an object of a row's array. */
function rowReader(columns: SqlResponse["results"][number]["columns"]): (text: string) => never {
  const convert = tupleConverter(columns);
  const isExact = needsDigits(columns);
  return (text) => {
    const values = convert(parseJson(text, isExact) as unknown[]);
    return Object.fromEntries(columns.map(({ name }, i) => [name, values[i]])) as never;
  };
}

function nameOf(named: string | Named): string {
  return typeof named === "string" ? named : named.name;
}
