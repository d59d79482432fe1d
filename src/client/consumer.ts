/**
 * A named consumer over HTTP: its topics' records in batches, from where the server remembers it has come.
 *
 * Each topic is followed on a stream of its own. A stream that breaks is opened again behind the last record that came. What is said of progress
 * carries a key, so that a retry is stored once; an answer that says that a newer instance goes on (fenced) ends it.
 *
 * A stream says by which of the topic's schemas its values are taken, and ends where the topic gets another: the columns are asked for then, and it
 * is opened again.
 */
import { EvertError } from "../base/errors.ts";
import { gathered } from "../base/gathered.ts";
import type { OpenedConsumerAnswer, RecordMessage, TopicsAnswer } from "../wire/http/messages.ts";
import { contentTypes } from "../wire/http/messages.ts";
import { backoffMs, pause } from "./backoff.ts";
import { parseJson } from "./json.ts";
import { failureOf, type Transport } from "./transport.ts";
import type { ConsumedBatch, ConsumedRecord, Consumer, ConsumerOptions, Named, Operation } from "./types.ts";
import { keyConverter, needsDigits, type RawRow, rowConverter } from "./values.ts";

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

/** How a topic's values are taken. */
interface Form {
  readonly schemaVersion: number;
  readonly convert: (row: RawRow) => Row;
  readonly typedKey: (key: unknown) => unknown;
  readonly exact: boolean;
}

export function createConsumer(name: string, options: ConsumerOptions, context: ConsumerContext): Consumer {
  const { store } = context;
  const closed = new AbortController();
  const topics = options.topics.map((topic) => (typeof topic === "string" ? topic : topic.name));
  let opening: Promise<OpenedConsumerAnswer> | null = null;

  function open(): Promise<OpenedConsumerAnswer> {
    const { from, reset } = options;
    const start = from instanceof Date ? from.toISOString() : from;
    if (opening === null) {
      opening = store("/v1/consumers", { name, topics, from: start, reset });
      // A failure is for whoever waits; the next call asks again.
      opening.catch(() => {
        opening = null;
      });
    }
    return opening;
  }

  async function* batches(): AsyncGenerator<ConsumedBatch, void, undefined> {
    const { epoch, topics: offsets } = await open();
    const left = new AbortController();
    const signals = [left.signal, closed.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(signals);
    const known = await context.topics();
    const sources = offsets.map(({ topic, offset }) => {
      const form = formOf(known, topic);
      return {
        source: topic,
        items: recordsOf(topic, form, offset, options.follow !== false, signal, context),
      };
    });
    try {
      const max = options.batchRecordsMax ?? BATCH_RECORDS_MAX;
      for await (const { source: topic, items } of gathered(sources, max)) {
        if (signal.aborted) return;
        const offset = (items.at(-1) as ConsumedRecord).offset + 1;
        const consume = { name, epoch, topic, offset };
        yield {
          topic,
          records: items,
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

/** @throws EvertError undefined_table */
function formOf({ topics }: TopicsAnswer, name: string): Form {
  const topic = topics.find((one) => one.name === name);
  if (topic === undefined) throw new EvertError("undefined_table", `topic "${name}" does not exist`);
  const { schemaVersion, columns, key } = topic;
  return {
    schemaVersion,
    convert: rowConverter(columns),
    typedKey: keyConverter(columns, key ?? []),
    exact: needsDigits(columns),
  };
}

function recordOf({ key, ...record }: RecordMessage, { convert, typedKey }: Form): ConsumedRecord {
  const { offset, position, timestamp } = record;
  const value = record.value === null ? null : convert(record.value as RawRow);
  return key === undefined
    ? { offset, position, timestamp, value }
    : { offset, position, timestamp, key: typedKey(key), value };
}

function named(operation: Operation): object {
  return { ...operation, topic: nameOf(operation.topic) };
}

function nameOf(topic: string | Named): string {
  return typeof topic === "string" ? topic : topic.name;
}

/** Records from the offset on, over as many connections as it takes. */
async function* recordsOf(
  topic: string,
  form: Form,
  from: number,
  follow: boolean,
  signal: AbortSignal,
  { transport, retryMsMax, topics }: ConsumerContext,
): AsyncGenerator<ConsumedRecord, void, undefined> {
  const path = `/v1/topics/${encodeURIComponent(topic)}/records`;
  let known: Form | null = form;
  let next = from;
  let brokenSince = 0;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      known ??= formOf(await topics(), topic);
      const query = new URLSearchParams({
        from: String(next),
        schema: String(known.schemaVersion),
        ...(follow ? { follow: "true" } : {}),
      });
      const headers = { accept: contentTypes.ndjson };
      const response = await transport.send(path, { query, headers, signal });
      for await (const line of linesOf(response, transport.base, signal)) {
        const record = recordOf(parseJson(line, known.exact) as RecordMessage, known);
        next = record.offset + 1;
        attempt = 0;
        brokenSince = 0;
        yield record;
      }
      if (!follow) return;
    } catch (thrown) {
      if (signal.aborted) return;
      const hasChanged = thrown instanceof EvertError && thrown.code === "conflict";
      if (!hasChanged && !(thrown instanceof EvertError && thrown.retryable)) throw thrown;
      // A stream breaks off at a change of the columns, too.
      known = null;
      if (brokenSince === 0) brokenSince = Date.now();
      // One that follows waits for its server as long as it takes.
      if (!follow && Date.now() - brokenSince >= retryMsMax) throw thrown;
    }
    await pause(backoffMs(attempt, 2_000), signal);
  }
}

/**
 * Whole lines of a body as they arrive, but for empty ones, which say that the server is there. @throws EvertError connection_failed where it breaks
 * off
 */
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
      for (const line of lines) if (line !== "") yield line;
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
