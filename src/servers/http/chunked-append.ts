/**
 * POST /v1/topics/{topic}/records?atomic=false: records committed in chunks while the body still arrives.
 *
 * 1. Records are collected until a chunk is full, or until the body has been silent for a moment (so that a pipe's lines
 *    do not wait for more of them).
 * 2. A chunk is one commit. The next one is collected meanwhile, but not handed over before this one is durable: a slow
 *    disk slows the reading of the body, and the sender with it.
 * 3. Of a producer, each record counts as a number of its own, from Producer-Seq on; those that are stored already are passed over. So a body that was cut off
 *    may be sent again from any of its records on, whatever chunks it was stored in.
 * 4. The first bad record ends it: what stands before it is committed, nothing from it on. The answer is the error and
 *    `committed`, which says how far it came.
 */
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { AppendResult, ProducerSequence, TopicInfo } from "../../engine/api.ts";
import type { ChunkedProgress } from "../../wire/http/messages.ts";
import {
  type BodyFormat,
  placeUnit,
  RecordDecoder,
  type RecordTarget,
  recordBytesMax,
} from "../../wire/http/record-decoder.ts";
import { type PlainAnswer, plainError, plainJson } from "./answer.ts";
import { BodyReader } from "./body.ts";
import { type Collected, collectorFor, type Portion } from "./collected.ts";
import type { Asked, ServerContext } from "./context.ts";
import { inTurn, producerOf } from "./producers.ts";
import { TimeSlice } from "./time-slice.ts";

const chunkRowsMax = 4096;
const chunkBytesMax = 1024 * 1024;
/** A body silent for this long has its collected records committed. */
const silenceMs = 5;

const silent = Symbol("silent");

export async function appendInChunks(
  c: Asked,
  server: ServerContext,
  topic: TopicInfo,
  format: BodyFormat,
  firstLine: number | undefined,
): Promise<PlainAnswer> {
  const producer = producerOf(c);
  await inTurn(server, topic.name, producer);
  const stored = producer === undefined ? 0 : await storedOf(server, topic.name, producer);
  const body = new BodyReader(c, server, Number.POSITIVE_INFINITY);
  const collected = collectorFor(server.engine, topic, placeUnit(format), chunkRowsMax);
  const target = stored === 0 ? collected : passingOver(stored, collected);
  const decoder = new RecordDecoder(format, target, recordBytesMax, firstLine);
  const chunks = new ChunkWriter(
    collected,
    producer === undefined ? undefined : { ...producer, seq: producer.seq + stored },
  );
  const slice = new TimeSlice();
  const pause = () => chunks.isFull || slice.over();
  try {
    let reading: Promise<Uint8Array | undefined> | null = null;
    for (let ended = false; !ended; ) {
      if (server.closing.aborted) throw shuttingDown();
      reading ??= body.read();
      const chunk = await orSilence(reading, chunks.isEmpty ? undefined : silenceMs, server.closing);
      if (chunk === silent) {
        await chunks.flush();
        continue;
      }
      reading = null;
      ended = chunk === undefined;
      if (chunk === undefined) decoder.end();
      else decoder.push(chunk);
      while (!decoder.advance(pause)) {
        if (chunks.isFull) await chunks.flush();
        if (slice.over()) await slice.rest();
      }
    }
    await chunks.finish();
    return plainJson(chunks.progress, chunks.progress.position ?? server.engine.position);
  } catch (error) {
    const failure = await chunks.fail(toEvertError(error));
    const { progress } = chunks;
    return plainError(failure, progress.position ?? server.engine.position, { committed: progress });
  } finally {
    decoder.close();
    collected.close();
    await body.done();
  }
}

/** How many of the body's first records are stored. */
async function storedOf(
  { engine }: ServerContext,
  topic: string,
  { id, epoch, seq }: ProducerSequence,
): Promise<number> {
  const info = await engine.producer(id).catch((thrown: unknown) => {
    const error = toEvertError(thrown);
    if (error.code !== "timeout") throw error;
    // Of this request nothing is stored, but it may be one that came before and is.
    throw new EvertError(error.code, error.message, {
      detail: "What came under these numbers before may be stored, and stays then.",
      hint: "Send the request again, under the same numbers.",
      cause: error,
    });
  });
  const last = info?.epoch === epoch ? info.topics.find((known) => known.topic === topic)?.seq : undefined;
  return last === undefined ? 0 : Math.max(0, last + 1 - seq);
}

/** Takes no notice of the first records. */
function passingOver(count: number, target: RecordTarget): RecordTarget {
  let left = count;
  return {
    takeText: (text, number) => (left > 0 ? 0 : target.takeText(text, number)),
    take: (value, number) => {
      if (left > 0) left--;
      else target.take(value, number);
    },
    leave: (error, bytes) => {
      if (left === 0) return target.leave?.(error, bytes) === true;
      left--;
      return true;
    },
  };
}

function shuttingDown(): EvertError {
  return new EvertError("shutting_down", "the server is shutting down", {
    hint: "Send the records that are not committed yet again.",
  });
}

/** What `reading` gives, or `silent` after `ms` or when the server begins to close. */
async function orSilence<T>(
  reading: Promise<T>,
  ms: number | undefined,
  closing: AbortSignal,
): Promise<T | typeof silent> {
  let wake = () => {};
  const woken = new Promise<typeof silent>((resolve) => {
    wake = () => resolve(silent);
  });
  const timer = ms === undefined ? undefined : setTimeout(wake, ms);
  closing.addEventListener("abort", wake);
  try {
    return await Promise.race([reading, woken]);
  } finally {
    clearTimeout(timer);
    closing.removeEventListener("abort", wake);
  }
}

/** Commits what is collected chunk by chunk, with one commit under way, and counts. */
class ChunkWriter {
  readonly #collected: Collected;
  /** The commit under way: resolves with its error, or undefined. Never rejects. */
  #underWay: Promise<EvertError | undefined> = Promise.resolve(undefined);
  /** Of the next chunk. */
  #producer: ProducerSequence | undefined;
  #progress: ChunkedProgress = { position: null, count: 0, firstOffset: null, lastOffset: null, commits: 0 };

  constructor(collected: Collected, producer: ProducerSequence | undefined) {
    this.#collected = collected;
    this.#producer = producer;
  }

  get progress(): ChunkedProgress {
    return this.#progress;
  }

  get isEmpty(): boolean {
    return this.#collected.length === 0;
  }

  get isFull(): boolean {
    return this.#collected.length >= chunkRowsMax || this.#collected.byteLength >= chunkBytesMax;
  }

  /** Waits for the commit under way and starts the next. @throws EvertError of the one that was under way. */
  async flush(): Promise<void> {
    const error = await this.#underWay;
    if (error !== undefined) throw error;
    if (this.#collected.length > 0) this.#underWay = this.#commit(this.#collected.takeAll());
  }

  async finish(): Promise<void> {
    await this.flush();
    await this.flush();
  }

  /** Ends with `error`: what was collected before it is still committed. Answers the error that came first. */
  async fail(error: EvertError): Promise<EvertError> {
    try {
      await this.finish();
      return error;
    } catch (earlier) {
      return toEvertError(earlier);
    }
  }

  async #commit(portion: Portion): Promise<EvertError | undefined> {
    let refusal: EvertError | undefined;
    // What stands before a refused record may hold another one, which the whole had hidden.
    for (let left: Portion | null = portion; left !== null; left = left.beforeRefused()) {
      try {
        this.#count(await this.#append(left));
        break;
      } catch (error) {
        refusal = toEvertError(error);
      }
    }
    return refusal;
  }

  async #append(portion: Portion): Promise<AppendResult> {
    const producer = this.#producer;
    if (producer === undefined) return portion.append();
    const result = await portion.append({ producer: { ...producer, count: portion.length } });
    this.#producer = { ...producer, seq: producer.seq + portion.length };
    return result;
  }

  #count(result: AppendResult): void {
    const before = this.#progress;
    const deadLetters = (before.deadLetters ?? 0) + (result.deadLetters ?? 0);
    this.#progress = {
      position: result.position,
      count: before.count + result.count,
      firstOffset: before.firstOffset ?? (result.count === 0 ? null : result.firstOffset),
      lastOffset: result.count === 0 ? before.lastOffset : result.lastOffset,
      commits: before.commits + 1,
      ...(deadLetters === 0 ? {} : { deadLetters }),
    };
  }
}
