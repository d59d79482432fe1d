/** The client: live views over one connection, and requests beside it. */
import { type ErrorCode, EvertError, notSupported } from "../base/errors.ts";
import type { SqlResponse } from "../batch/sql-answer.ts";
import type {
  AppendAnswer,
  PositionAnswer,
  RowAnswer,
  RowsAnswer,
  SqlAnswer,
  TopicsAnswer,
  ViewMessage,
} from "../wire/http/messages.ts";
import { contentTypes, headers as headerNames, rowsParameters } from "../wire/http/messages.ts";
import { backoffMs, pause } from "./backoff.ts";
import type { BodyMaker } from "./columns.ts";
import { Connection, laterPosition } from "./connection.ts";
import { createConsumer } from "./consumer.ts";
import { encodeJson, parseJson } from "./json.ts";
import { createProducer } from "./producer.ts";
import { sqlParts } from "./sql-answer.ts";
import {
  createTransport,
  errorFrom,
  isJson,
  isNode,
  noJson,
  positionOf,
  type RequestInput,
  type Transport,
} from "./transport.ts";
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
import { mayNeedDigits, needsDigits, type RawRow, rowConverter, tupleConverter } from "./values.ts";
import { ViewState } from "./view.ts";

/**
 * A client of the server at `url`; "" is the page's own origin. Opens nothing before the first view is listened to.
 * @throws EvertError invalid_argument when the address is none.
 */
export function connect(url: string, options: ClientOptions = {}): Client {
  return new HttpClient(url, options);
}

interface Columns {
  readonly convert: (row: RawRow) => RawRow;
  readonly needsDigits: boolean;
  readonly key: readonly string[] | null;
  /** What the server says with answers that have them; null where it does not, or a browser does not let it through. */
  readonly tag: string | null;
  /** They are those of the view's earlier definition. */
  readonly stale: boolean;
}

/** What is told of an append whose columns are no longer the topic's. */
const changedSchema: ReadonlySet<ErrorCode> = new Set([
  "undefined_column",
  "datatype_mismatch",
  "not_null_violation",
]);

/** Keys that a path cannot end with: it would lead elsewhere. */
const NO_SEGMENTS: readonly string[] = ["", ".", ".."];

/** How often a view may change while a read of it is under way. */
const CHANGES_MAX = 3;

class HttpClient implements Client {
  readonly #transport: Transport;
  readonly #connection: Connection;
  readonly #lingerMs: number;
  readonly #retryMsMax: number;
  readonly #views = new Map<string, ViewState>();
  readonly #lingering = new Map<ViewState, ReturnType<typeof setTimeout>>();
  readonly #columns = new Map<string, Promise<Columns>>();
  /** By topic, what makes the bodies of its appends in columns. */
  readonly #bodyMakers = new Map<string, Promise<BodyMaker>>();
  #position: string | undefined;
  #closed = false;
  /** Whether fetch is Node's, which keeps a copy of each body that a redirect may ask for again, and bodies can be used again once it has answered. */
  readonly #copiesBodies: boolean;

  constructor(url: string, options: ClientOptions) {
    this.#transport = createTransport(url, options);
    this.#copiesBodies = options.fetch === undefined && isNode();
    this.#lingerMs = options.lingerMs ?? 2_000;
    this.#retryMsMax = options.retryMsMax ?? 30_000;
    this.#connection = new Connection(this.#transport, options, (position) => this.#saw(position));
  }

  get position(): string | undefined {
    return this.#position;
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

  /** null: there is no such body. */
  async #appendArrow(
    topic: string | Named,
    options: AppendOptions,
    encode: (maker: BodyMaker) => Uint8Array<ArrayBuffer> | null,
  ): Promise<AppendResult | null> {
    const name = nameOf(topic);
    for (let again = this.#bodyMakers.has(name); ; again = false) {
      try {
        const maker = await this.#bodyMaker(name);
        const body = encode(maker);
        if (body === null) return null;
        try {
          return await this.#append(topic, body, contentTypes.arrow, options);
        } finally {
          // A request has a copy of its body, which it sends.
          if (this.#copiesBodies) maker.giveBack(body);
        }
      } catch (error) {
        // The topic may have other columns than when it was asked. Nothing was stored; they are asked for again, once.
        if (!(error instanceof EvertError && changedSchema.has(error.code))) throw error;
        this.#bodyMakers.delete(name);
        if (!again) throw error;
      }
    }
  }

  /** For the columns of a topic, which are asked once. */
  #bodyMaker(name: string): Promise<BodyMaker> {
    let maker = this.#bodyMakers.get(name);
    if (maker === undefined) {
      maker = this.#askColumns(name);
      this.#bodyMakers.set(name, maker);
      // A failure is for whoever waits; the next call asks again.
      maker.catch(() => this.#bodyMakers.delete(name));
    }
    return maker;
  }

  async #askColumns(name: string): Promise<BodyMaker> {
    const columnar = await import("./columns.ts");
    const { topics } = await this.#json<TopicsAnswer>("/v1/topics", {}, false);
    const topic = topics.find((candidate) => candidate.name === name);
    if (topic === undefined) throw new EvertError("undefined_table", `topic "${name}" does not exist`);
    const withDefault = topic.columns.filter((column) => column.hasDefault === true);
    return new columnar.BodyMaker(
      columnar.schemaOfTopic(topic),
      withDefault.map((column) => column.name),
    );
  }

  async #append(
    topic: string | Named,
    body: string | Uint8Array<ArrayBuffer>,
    contentType: string,
    options: AppendOptions,
  ): Promise<AppendResult> {
    const path = `/v1/topics/${encodeURIComponent(nameOf(topic))}/records`;
    const answer = await this.#store<AppendAnswer>(path, body, contentType, options);
    const { position, count, firstOffset, lastOffset, deadLetters } = answer;
    const dead = deadLetters === undefined ? {} : { deadLetters };
    return { position, count, firstOffset, lastOffset, ...dead };
  }

  producer(id: string): Producer {
    return createProducer(id, {
      transport: this.#transport,
      retryMsMax: this.#retryMsMax,
      store: (path, body) => this.#store(path, body, contentTypes.json, {}),
      saw: (position) => this.#saw(position),
    });
  }

  consumer(name: string, options: ConsumerOptions): Consumer {
    return createConsumer(name, options, {
      transport: this.#transport,
      retryMsMax: this.#retryMsMax,
      store: (path, body, method = "POST") =>
        this.#store(path, encodeJson(body), contentTypes.json, {}, method),
      topics: () => this.#json<TopicsAnswer>("/v1/topics", {}, false),
    });
  }

  async transact(
    operations: readonly Operation[],
    options: TransactOptions = {},
  ): Promise<{ position: string }> {
    const named = <T extends object>(part: T): T =>
      "topic" in part ? { ...part, topic: nameOf(part.topic as string | Named) } : part;
    const body = encodeJson({ operations: operations.map(named), expect: options.expect?.map(named) });
    const { position } = await this.#store<PositionAnswer>(
      "/v1/transactions",
      body,
      contentTypes.json,
      options,
    );
    return { position };
  }

  /** Posts a body until it is stored, under one key. */
  async #store<T extends { readonly position: string }>(
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    contentType: string,
    options: Pick<AppendOptions, "idempotencyKey" | "signal">,
    method: "POST" | "PUT" = "POST",
  ): Promise<T> {
    const request: RequestInput = {
      method,
      body,
      headers: {
        "content-type": contentType,
        [headerNames.idempotencyKey]: options.idempotencyKey ?? randomKey(),
      },
      signal: options.signal,
    };
    const never = new AbortController().signal;
    const until = Date.now() + this.#retryMsMax;
    for (let attempt = 0; ; attempt++) {
      const refusesRedirects = this.#copiesBodies && typeof body !== "string" && attempt === 0;
      try {
        return await this.#json<T>(path, { ...request, refusesRedirects }, false);
      } catch (error) {
        // What a redirect may have failed is sent again at once: the next failure names it.
        if (
          refusesRedirects &&
          error instanceof EvertError &&
          error.code === "connection_failed" &&
          !this.#closed
        )
          continue;
        const again = error instanceof EvertError && error.retryable && Date.now() < until && !this.#closed;
        if (!again) throw error;
      }
      await pause(backoffMs(attempt, 2_000), options.signal ?? never);
      options.signal?.throwIfAborted();
    }
  }

  async sql(text: string, params: readonly unknown[] = [], options: ReadOptions = {}): Promise<SqlResponse> {
    const body = encodeJson({ sql: text, params, atLeast: options.atLeast, timeoutMs: options.timeoutMs });
    const response = await this.#transport.send("/v1/sql", { method: "POST", body, signal: options.signal });
    const answer = await this.#transport.text(response, options.signal);
    if (!isJson(response)) throw noJson(response, answer);
    const { results, error, position } = parseJson(answer, mayNeedDigits(answer)) as SqlAnswer;
    this.#saw(position);
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
    const response = await this.#transport.send("/v1/sql", { method: "POST", body, signal });
    if (!isJson(response)) throw noJson(response, await this.#transport.text(response, signal));
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
      else if (part.kind === "position") this.#saw(part.position);
      else if (part.kind === "error") throw errorFrom(part.error);
    }
  }

  async get(view: string | Named, key: Key, options: ReadOptions = {}): Promise<never> {
    const name = nameOf(view);
    const segment = keyPath(key);
    if (NO_SEGMENTS.includes(segment)) return this.#whereKeyIs(name, segment, options);
    const path = `/v1/views/${encodeURIComponent(name)}/rows/${encodeURIComponent(segment)}`;
    // Another address has no such view either, and no row: that is said.
    await unlessAborted(this.#columnsOf(name), options.signal);
    try {
      const { answer, columns } = await this.#read<RowAnswer>(name, path, readRequest(options));
      return columns.convert(answer.row as RawRow) as never;
    } catch (error) {
      if (error instanceof EvertError && error.code === "not_found") return undefined as never;
      throw error;
    }
  }

  async #whereKeyIs(view: string, key: string, options: ReadOptions): Promise<never> {
    const { key: columns } = await unlessAborted(this.#columnsOf(view), options.signal);
    const [column, ...others] = columns ?? [];
    if (column === undefined || others.length > 0) return undefined as never;
    if (rowsParameters.includes(column)) {
      throw notSupported(
        `Reading the row with key ${JSON.stringify(key)} of a column called "${column}"`,
        undefined,
        "Read it with sql().",
      );
    }
    const { rows } = await this.rows(view, { ...options, where: { [column]: key }, limit: 1 });
    return rows[0] as never;
  }

  async rows(
    view: string | Named,
    query: RowsQuery = {},
  ): Promise<{ rows: never[]; position: string; stale?: true }> {
    const name = nameOf(view);
    const request = readRequest(query);
    for (const [column, value] of Object.entries(query.where ?? {}))
      request.query.append(column, String(value));
    if (query.order !== undefined) request.query.set("order", [query.order].flat().join(","));
    if (query.limit !== undefined) request.query.set("limit", String(query.limit));
    const path = `/v1/views/${encodeURIComponent(name)}/rows`;
    const { answer, columns } = await this.#read<RowsAnswer>(name, path, request);
    return {
      rows: answer.rows.map((row) => columns.convert(row as RawRow) as never),
      position: answer.position,
      ...(answer.stale === true ? { stale: true } : {}),
    };
  }

  close(): void {
    this.#closed = true;
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

  // ---- requests

  #saw(position: string): void {
    this.#position = laterPosition(this.#position, position);
  }

  async #json<T extends { readonly position?: string | null }>(
    path: string,
    request: RequestInput,
    exact: boolean,
  ): Promise<T> {
    return this.#answerOf(await this.#transport.send(path, request), request, exact);
  }

  async #answerOf<T extends { readonly position?: string | null }>(
    response: Response,
    request: RequestInput,
    exact: boolean,
  ): Promise<T> {
    const text = await this.#transport.text(response, request.signal);
    if (!isJson(response)) throw noJson(response, text);
    const answer = parseJson(text, exact) as T;
    const position = answer.position ?? positionOf(response);
    if (position !== undefined) this.#saw(position);
    return answer;
  }

  /** Rows of a view and how to read them, of one definition: asked again when that changes. */
  async #read<T extends { readonly position: string; readonly stale?: true }>(
    name: string,
    path: string,
    request: RequestInput,
  ): Promise<{ answer: T; columns: Columns }> {
    for (let again = 0; ; again++) {
      const columns = await unlessAborted(this.#columnsOf(name), request.signal);
      const response = await this.#transport.send(path, request);
      const tag = response.headers.get(headerNames.columns);
      const answer = await this.#answerOf<T>(response, request, columns.needsDigits);
      const isKnown = tag === null ? columns.stale === (answer.stale === true) : columns.tag === tag;
      if (isKnown) return { answer, columns };
      this.#columns.delete(name);
      if (again === CHANGES_MAX) {
        throw new EvertError("protocol_violation", `the columns of "${name}" are never those of its rows`);
      }
    }
  }

  /** How to read a view's rows: asked once, for all who read it. */
  #columnsOf(name: string): Promise<Columns> {
    let columns = this.#columns.get(name);
    if (columns === undefined) {
      columns = this.#askView(name);
      this.#columns.set(name, columns);
      // A failure is for whoever waits; the next call asks again.
      columns.catch(() => this.#columns.delete(name));
    }
    return columns;
  }

  async #askView(name: string): Promise<Columns> {
    const response = await this.#transport.send(`/v1/views/${encodeURIComponent(name)}`);
    const view = await this.#answerOf<ViewMessage>(response, {}, false);
    return {
      convert: rowConverter(view.columns),
      needsDigits: needsDigits(view.columns),
      key: view.key,
      tag: response.headers.get(headerNames.columns),
      stale: view.status === "stale",
    };
  }
}

/** The same, for one of several who wait for it. @throws the signal's reason */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
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

function readRequest(options: ReadOptions): RequestInput & { query: URLSearchParams } {
  const query = new URLSearchParams();
  if (options.atLeast !== undefined) query.set("atLeast", options.atLeast);
  if (options.timeoutMs !== undefined) query.set("timeoutMs", String(options.timeoutMs));
  return { query, signal: options.signal };
}

/** A key as a path segment: a composite one is a JSON array. */
function keyPath(key: Key): string {
  return Array.isArray(key) ? encodeJson(key) : String(key);
}

/** 128 random bits. (crypto.randomUUID exists in secure contexts only; a page on a LAN address is none.) */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
