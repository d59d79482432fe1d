/** Reads of a view's rows. How they are read, by the view's columns, is asked once, and again when the server says that they have changed. */
import { EvertError, notSupported } from "../base/errors.ts";
import type { RowAnswer, RowsAnswer, ViewMessage } from "../wire/http/messages.ts";
import { headers as headerNames, rowsParameters } from "../wire/http/messages.ts";
import { encodeJson } from "./json.ts";
import type { Requests } from "./requests.ts";
import type { RequestInput } from "./transport.ts";
import type { Key, ReadOptions, RowsQuery } from "./types.ts";
import { needsDigits, type RawRow, rowConverter } from "./values.ts";

interface Columns {
  readonly convert: (row: RawRow) => RawRow;
  readonly needsDigits: boolean;
  readonly key: readonly string[] | null;
  /** What the server says with answers that have them; null where it does not, or a browser does not let it through. */
  readonly tag: string | null;
  /** They are those of the view's earlier definition. */
  readonly stale: boolean;
}

/** Keys that a path cannot end with: it would lead elsewhere. */
const NO_SEGMENTS: readonly string[] = ["", ".", ".."];

/** How often a view may change while a read of it is under way. */
const CHANGES_MAX = 3;

export class ViewReads {
  readonly #requests: Requests;
  readonly #columns = new Map<string, Promise<Columns>>();

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** undefined: there is no such row. */
  async get(view: string, key: Key, options: ReadOptions = {}): Promise<never> {
    const segment = keyPath(key);
    if (NO_SEGMENTS.includes(segment)) return this.#whereKeyIs(view, segment, options);
    const path = `/v1/views/${encodeURIComponent(view)}/rows/${encodeURIComponent(segment)}`;
    // Another address has no such view either, and no row: that is said.
    await unlessAborted(this.#columnsOf(view), options.signal);
    try {
      const { answer, columns } = await this.#read<RowAnswer>(view, path, readRequest(options));
      return columns.convert(answer.row as RawRow) as never;
    } catch (error) {
      if (error instanceof EvertError && error.code === "not_found") return undefined as never;
      throw error;
    }
  }

  /** The same for a key that no path can end with. */
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
    view: string,
    query: RowsQuery = {},
  ): Promise<{ rows: never[]; position: string; stale?: true }> {
    const request = readRequest(query);
    for (const [column, value] of Object.entries(query.where ?? {}))
      request.query.append(column, String(value));
    if (query.order !== undefined) request.query.set("order", [query.order].flat().join(","));
    if (query.limit !== undefined) request.query.set("limit", String(query.limit));
    const path = `/v1/views/${encodeURIComponent(view)}/rows`;
    const { answer, columns } = await this.#read<RowsAnswer>(view, path, request);
    return {
      rows: answer.rows.map((row) => columns.convert(row as RawRow) as never),
      position: answer.position,
      ...(answer.stale === true ? { stale: true } : {}),
    };
  }

  /** Rows of a view and how to read them, of one definition: asked again when that changes. */
  async #read<T extends { readonly position: string; readonly stale?: true }>(
    name: string,
    path: string,
    request: RequestInput,
  ): Promise<{ answer: T; columns: Columns }> {
    for (let again = 0; ; again++) {
      const columns = await unlessAborted(this.#columnsOf(name), request.signal);
      const response = await this.#requests.transport.send(path, request);
      const tag = response.headers.get(headerNames.columns);
      const answer = await this.#requests.answerOf<T>(response, request, columns.needsDigits);
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
    const response = await this.#requests.transport.send(`/v1/views/${encodeURIComponent(name)}`);
    const view = await this.#requests.answerOf<ViewMessage>(response, {}, false);
    return {
      convert: rowConverter(view.columns),
      needsDigits: needsDigits(view.columns),
      key: view.key,
      tag: response.headers.get(headerNames.columns),
      stale: view.status === "stale",
    };
  }
}

/** What the work gives, for one of several who wait for it. @throws the signal's reason */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
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
