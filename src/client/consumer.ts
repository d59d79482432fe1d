/**
 * A named consumer over HTTP: its topics' records in batches, from where the server remembers it has come.
 *
 * Each topic is followed on a stream of its own. A stream that breaks is opened again behind the last record that came. What is said of progress carries a key, so that
 * a retry is stored once; an answer that says that a newer instance goes on (fenced) ends it.
 *
 * A record that has a column nobody knows of yet comes after ALTER TABLE: the topic's columns are asked for again, so that its values are of their types, with all digits.
 */
import { EvertError } from "../base/errors.ts";
import { gathered } from "../base/gathered.ts";
import type {
  ColumnMessage,
  OpenedConsumerAnswer,
  RecordMessage,
  TopicsAnswer,
} from "../wire/http/messages.ts";
import { contentTypes } from "../wire/http/messages.ts";
import { backoffMs, pause } from "./backoff.ts";
import { parseJson } from "./json.ts";
import { failureOf, type Transport } from "./transport.ts";
import type { ConsumedBatch, Consumer, ConsumerOptions, Named, Operation } from "./types.ts";
import { needsDigits, type RawRow, rowConverter } from "./values.ts";

export interface ConsumerContext {
  readonly transport: Transport;
  readonly retryMsMax: number;
  /** Sends a body until it is stored, under a key of its own. */
  readonly store: <T extends { readonly position: string }>(
    path: string,
    body: unknown,
    method?: "POST" | "PUT",
  ) => Promise<T>;
  readonly topics: () => Promise<TopicsAnswer>;
}

const BATCH_RECORDS_MAX = 512;

type Row = Record<string, unknown>;

interface Source {
  readonly topic: string;
  /** Of its columns. */
  names: Set<string>;
  convert: (row: RawRow) => Row;
  exact: boolean;
}

export function createConsumer(name: string, options: ConsumerOptions, context: ConsumerContext): Consumer {
  const { store } = context;
  const closed = new AbortController();
  const topics = options.topics.map((topic) => (typeof topic === "string" ? topic : topic.name));
  let opening: Promise<OpenedConsumerAnswer> | null = null;

  function open(): Promise<OpenedConsumerAnswer> {
    const { from, reset } = options;
    const start = from instanceof Date ? from.toISOString() : from;
    opening ??= store("/v1/consumers", { name, topics, from: start, reset });
    return opening;
  }

  async function* batches(): AsyncGenerator<ConsumedBatch, void, undefined> {
    const { epoch, topics: offsets } = await open();
    const left = new AbortController();
    const signals = [left.signal, closed.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(signals);
    const known = await context.topics();
    const sources = offsets.map(({ topic, offset }) => {
      const columns = known.topics.find((one) => one.name === topic)?.columns;
      if (columns === undefined) throw new EvertError("undefined_table", `topic "${topic}" does not exist`);
      const source = { topic, ...formOf(columns) };
      return { source, items: recordsOf(source, offset, options.follow !== false, signal, context) };
    });
    try {
      const max = options.batchRecordsMax ?? BATCH_RECORDS_MAX;
      for await (const { source, items } of gathered(sources, max)) {
        if (signal.aborted) return;
        const offset = (items.at(-1) as RecordMessage).offset + 1;
        const { topic } = source;
        const consume = { name, epoch, topic, offset };
        yield {
          topic,
          records: items.map((record) => ({
            offset: record.offset,
            position: record.position,
            timestamp: record.timestamp,
            value: record.value === null ? null : source.convert(record.value as RawRow),
          })),
          commit: () =>
            store(
              `/v1/consumers/${encodeURIComponent(name)}`,
              { epoch, progress: { [topic]: offset } },
              "PUT",
            ),
          transact: (operations: readonly Operation[]) =>
            store("/v1/transactions", { operations: operations.map(named), consume }),
        };
      }
    } finally {
      left.abort();
    }
  }

  return { name, open, close: () => closed.abort(), [Symbol.asyncIterator]: batches };
}

function formOf(columns: readonly ColumnMessage[]): Omit<Source, "topic"> {
  const names = new Set(columns.map(({ name }) => name));
  return { names, convert: rowConverter(columns), exact: needsDigits(columns) };
}

/** Whether the row has a column that is not known. */
function isOfOthers(row: object, { names }: Source): boolean {
  for (const name in row) if (!names.has(name)) return true;
  return false;
}

function named(operation: Operation): object {
  return { ...operation, topic: nameOf(operation.topic) };
}

function nameOf(topic: string | Named): string {
  return typeof topic === "string" ? topic : topic.name;
}

/** Records from the offset on, over as many connections as it takes. */
async function* recordsOf(
  source: Source,
  from: number,
  follow: boolean,
  signal: AbortSignal,
  { transport, retryMsMax, topics }: ConsumerContext,
): AsyncGenerator<RecordMessage, void, undefined> {
  const { topic } = source;
  const path = `/v1/topics/${encodeURIComponent(topic)}/records`;
  let next = from;
  let brokenSince = 0;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      const query = new URLSearchParams({ from: String(next), ...(follow ? { follow: "true" } : {}) });
      const headers = { accept: contentTypes.ndjson };
      const response = await transport.send(path, { query, headers, signal });
      for await (const line of linesOf(response, transport.base, signal)) {
        let record = parseJson(line, source.exact) as RecordMessage;
        if (record.value !== null && isOfOthers(record.value as RawRow, source)) {
          const columns = (await topics()).topics.find(({ name }) => name === topic)?.columns;
          if (columns !== undefined) Object.assign(source, formOf(columns));
          // Those that have gone again by now are not asked for with each record.
          for (const name of Object.keys(record.value as RawRow)) source.names.add(name);
          record = parseJson(line, source.exact) as RecordMessage;
        }
        next = record.offset + 1;
        attempt = 0;
        brokenSince = 0;
        yield record;
      }
      if (!follow) return;
    } catch (thrown) {
      if (signal.aborted) return;
      if (!(thrown instanceof EvertError && thrown.retryable)) throw thrown;
      if (brokenSince === 0) brokenSince = Date.now();
      // One that follows waits for its server as long as it takes.
      if (!follow && Date.now() - brokenSince >= retryMsMax) throw thrown;
    }
    await pause(backoffMs(attempt, 2_000), signal);
  }
}

/** Whole lines of a body as they arrive. @throws EvertError connection_failed where it breaks off */
async function* linesOf(response: Response, base: string, signal: AbortSignal): AsyncGenerator<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const utf8 = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += value === undefined ? utf8.decode() : utf8.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() as string;
      yield* lines;
      if (!done) continue;
      if (rest !== "")
        throw new EvertError("connection_failed", `the server at ${base} broke off its answer`);
      return;
    }
  } catch (cause) {
    throw failureOf(cause, base, signal);
  } finally {
    // Where it has ended or failed there is nothing to cancel.
    reader.cancel().catch(() => {});
  }
}
