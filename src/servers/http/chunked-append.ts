/**
 * POST /v1/topics/{topic}/records?atomic=false: records committed in chunks while the body still arrives.
 *
 * 1. Records are collected until a chunk is full, or until the body has been silent for a moment (so that a pipe's lines
 *    do not wait for more of them).
 * 2. A chunk is one commit. The next one is collected meanwhile, but not handed over before this one is durable: a slow
 *    disk slows the reading of the body, and the sender with it.
 * 3. The first bad record ends it: what stands before it is committed, nothing from it on. The answer is the error and
 *    `committed`, which says how far it came.
 */
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { AppendResult } from "../../engine/api.ts";
import type { Element } from "../../wire/http/json-elements.ts";
import type { ChunkedProgress } from "../../wire/http/messages.ts";
import {
  atPlaceOfRow,
  type BodyFormat,
  type PlaceUnit,
  parseRecord,
  type RecordDecoder,
  recordDecoder,
  refusedRow,
} from "../../wire/http/record-decoder.ts";
import { errorAnswer, jsonAnswer } from "./answer.ts";
import { BodyReader } from "./body.ts";
import type { RequestContext, ServerContext } from "./context.ts";
import { TimeSlice } from "./time-slice.ts";

const chunkRowsMax = 4096;
const chunkCharsMax = 1024 * 1024;
/** A body silent for this long has its collected records committed. */
const silenceMs = 5;

const silent = Symbol("silent");

export async function appendInChunks(
  c: RequestContext,
  server: ServerContext,
  topic: string,
  format: BodyFormat,
): Promise<Response> {
  const decoder = recordDecoder(format);
  const body = new BodyReader(c, server, Number.POSITIVE_INFINITY);
  const chunks = new ChunkWriter((rows) => server.engine.append(topic, rows), decoder.unit);
  const slice = new TimeSlice();
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
      const elements: Element[] = [];
      const broken = decode(decoder, chunk, elements);
      for (const element of elements) {
        chunks.add(parseRecord(element, decoder.unit), element);
        if (chunks.isFull) await chunks.flush();
        if (slice.over()) await slice.rest();
      }
      // Only now: the elements before the place where the text breaks off are whole.
      if (broken !== undefined) throw broken;
    }
    await chunks.finish();
    return jsonAnswer(chunks.progress, chunks.progress.position ?? server.engine.position);
  } catch (error) {
    const failure = await chunks.fail(toEvertError(error));
    const { progress } = chunks;
    return errorAnswer(failure, progress.position ?? server.engine.position, { committed: progress });
  } finally {
    await body.done();
  }
}

function decode(
  decoder: RecordDecoder,
  chunk: Uint8Array | undefined,
  out: Element[],
): EvertError | undefined {
  try {
    if (chunk === undefined) decoder.end(out);
    else decoder.push(chunk, out);
    return undefined;
  } catch (error) {
    return toEvertError(error);
  }
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

/** Collects rows, commits them chunk by chunk with one commit under way, and counts. */
class ChunkWriter {
  readonly #append: (rows: readonly unknown[]) => Promise<AppendResult>;
  readonly #unit: PlaceUnit;
  #rows: unknown[] = [];
  #numbers: number[] = [];
  #chars = 0;
  /** The commit under way: resolves with its error, or undefined. Never rejects. */
  #underWay: Promise<EvertError | undefined> = Promise.resolve(undefined);
  #progress: ChunkedProgress = { position: null, count: 0, firstOffset: null, lastOffset: null, commits: 0 };

  constructor(append: (rows: readonly unknown[]) => Promise<AppendResult>, unit: PlaceUnit) {
    this.#append = append;
    this.#unit = unit;
  }

  get progress(): ChunkedProgress {
    return this.#progress;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  get isFull(): boolean {
    return this.#rows.length >= chunkRowsMax || this.#chars >= chunkCharsMax;
  }

  add(row: unknown, element: Element): void {
    this.#rows.push(row);
    this.#numbers.push(element.number);
    this.#chars += element.text.length;
  }

  /** Waits for the commit under way and starts the next. @throws EvertError of the one that was under way. */
  async flush(): Promise<void> {
    const error = await this.#underWay;
    if (error !== undefined) throw error;
    if (this.#rows.length === 0) return;
    const rows = this.#rows;
    const numbers = this.#numbers;
    this.#rows = [];
    this.#numbers = [];
    this.#chars = 0;
    this.#underWay = this.#commit(rows, numbers);
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

  async #commit(rows: readonly unknown[], numbers: readonly number[]): Promise<EvertError | undefined> {
    try {
      this.#count(await this.#append(rows));
      return undefined;
    } catch (error) {
      const refusal = toEvertError(error);
      const row = refusedRow(refusal);
      try {
        if (row !== undefined && row > 0) this.#count(await this.#append(rows.slice(0, row)));
      } catch (second) {
        return toEvertError(second);
      }
      return atPlaceOfRow(refusal, this.#unit, numbers);
    }
  }

  #count(result: AppendResult): void {
    const before = this.#progress;
    this.#progress = {
      position: result.position,
      count: before.count + result.count,
      firstOffset: before.firstOffset ?? result.firstOffset,
      lastOffset: result.lastOffset,
      commits: before.commits + 1,
    };
  }
}
