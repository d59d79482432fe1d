/**
 * Makes a run repeat to the turn of the event loop. Imported before anything of src/.
 *
 * What differs from run to run in one thread of JavaScript is the clock and what other threads do. So, while a run lasts:
 * - performance.now() and timers follow a time that passes a little with each turn of the event loop and with each look at it, and no otherwise;
 * - zstd compresses in this thread, and answers a turn later;
 * - a turn of the event loop is what Node makes of one where there is nothing to wait for, without asking the system: callbacks one after the other, all
 *   promises between them;
 * - code that was generated before is not compiled again, and small pages that were decompressed before are not once more.
 */
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import zlib, { type ZstdOptions } from "node:zlib";

type Callback = (error: Error | null, result: Buffer) => void;

function inThisThread(work: (input: Uint8Array, options: object) => Buffer) {
  return (input: Uint8Array, options: object, callback: Callback): void => {
    let error: Error | null = null;
    let result: Buffer = Buffer.alloc(0);
    try {
      result = work(input, options);
    } catch (thrown) {
      error = thrown as Error;
    }
    setImmediate(() => callback(error, result));
  };
}

/** Pages that are larger are rarely met again. */
const REMEMBERED_BYTES_MAX = 4096;
const REMEMBERED_MAX = 20_000;

/** What zstd made of the same bytes before: nearly all that it does with a small page is to begin. Gives memory of its own, of the kind that zstd gives. */
function remembering(work: (input: Uint8Array, options: ZstdOptions) => Buffer) {
  const known = new Map<string, Buffer>();
  return (input: Uint8Array, options: ZstdOptions): Buffer => {
    const { chunkSize } = options;
    if (input.length > REMEMBERED_BYTES_MAX || chunkSize === undefined) return work(input, options);
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length);
    const key = `${JSON.stringify(options)} ${bytes.toString("latin1")}`;
    const made = known.get(key);
    if (made === undefined) {
      const result = work(input, options);
      if (known.size === REMEMBERED_MAX) known.clear();
      known.set(key, Buffer.from(result));
      return result;
    }
    const result = Buffer.allocUnsafe(chunkSize);
    made.copy(result);
    return result.subarray(0, made.length);
  };
}

const zstdDecompressSync = remembering(zlib.zstdDecompressSync);
Object.assign(zlib, {
  zstdDecompressSync,
  zstdCompress: inThisThread(zlib.zstdCompressSync),
  zstdDecompress: inThisThread(zstdDecompressSync),
});
Object.assign(timers, {
  setImmediate: <T>(value: T) => new Promise<T>((done) => setImmediate(() => done(value))),
});
syncBuiltinESMExports();

/** By their bodies, which few with other parameters share. */
const compiled = new Map<string, { readonly parameters: readonly string[]; readonly made: object }[]>();
globalThis.Function = new Proxy(Function, {
  construct(target, source: string[]) {
    const body = source[source.length - 1] as string;
    let known = compiled.get(body);
    if (known === undefined) compiled.set(body, (known = []));
    for (const { parameters, made } of known) {
      if (parameters.length === source.length && parameters.every((one, i) => one === source[i])) return made;
    }
    const made = new target(...source);
    known.push({ parameters: source, made });
    return made;
  },
});

/** Node's own. */
const nextTurn = globalThis.setImmediate;
/** Turns after which the system is asked all the same: garbage is collected there, and output written. */
const TURNS_ALONE = 256;
const TURN_MS = 0.02;
const LOOK_MS = 0.002;

interface Timer {
  readonly id: number;
  at: number;
  readonly everyMs: number | null;
  readonly run: () => void;
}

/** What timers are to those who set them. */
interface Handle {
  readonly id: number;
  ref(): Handle;
  unref(): Handle;
}

/** The time of a run. */
export class RunTime {
  /** Turns of the event loop so far. */
  turns = 0;
  #nowMs = 1000;
  #nextId = 1;
  readonly #timers = new Map<number, Timer>();
  readonly #restore: (() => void)[] = [];
  #over = false;
  readonly #onTurn: (turns: number) => void;
  /** What is to run in the next turn, and what is left of this one. */
  #queue: (() => void)[] = [];
  #turn: (() => void)[] = [];
  #done = 0;

  /** From now on, until end(). `onTurn` is called in each turn. */
  constructor(onTurn: (turns: number) => void) {
    this.#onTurn = onTurn;
    this.#replace(performance, "now", () => (this.#nowMs += LOOK_MS));
    this.#replace(globalThis, "setTimeout", (run: () => void, ms = 0) => this.#set(run, ms, null));
    this.#replace(globalThis, "setInterval", (run: () => void, ms = 0) => this.#set(run, ms, ms));
    const clear = (handle: Handle | undefined | null): void => {
      if (handle != null) this.#timers.delete(handle.id);
    };
    this.#replace(globalThis, "clearTimeout", clear);
    this.#replace(globalThis, "clearInterval", clear);
    this.#replace(globalThis, "setImmediate", (run: () => void) => this.#queue.push(run));
    this.#queue.push(this.#onPump);
    nextTurn(this.#runTurn);
  }

  /** Timers that are due fire in the turns that follow. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  end(): void {
    this.#over = true;
    for (const restore of this.#restore) restore();
  }

  #replace(target: object, name: string, value: unknown): void {
    const before = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
    this.#restore.push(() => {
      if (before === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, before);
    });
  }

  #set(run: () => void, ms: number, everyMs: number | null): Handle {
    const id = this.#nextId++;
    this.#timers.set(id, { id, at: this.#nowMs + Math.max(1, ms), everyMs, run });
    const handle: Handle = { id, ref: () => handle, unref: () => handle };
    return handle;
  }

  readonly #runTurn = (): void => {
    this.#turn = this.#queue;
    this.#queue = [];
    this.#done = 0;
    this.#runNext();
  };

  /** One callback, and then, when no promise has anything left to do, the next one. */
  readonly #runNext = (): void => {
    const run = this.#turn[this.#done++];
    if (run === undefined) {
      if (this.#over) for (const left of this.#queue) nextTurn(left);
      else if (this.turns % TURNS_ALONE === 0) nextTurn(this.#runTurn);
      else this.#runTurn();
      return;
    }
    queueMicrotask(this.#whenStill);
    run();
  };

  readonly #whenStill = (): void => process.nextTick(this.#runNext);

  /** In most turns none is. */
  #isDue(): boolean {
    for (const { at } of this.#timers.values()) if (at <= this.#nowMs) return true;
    return false;
  }

  #fire(): void {
    for (const timer of [...this.#timers.values()].sort((a, b) => a.at - b.at || a.id - b.id)) {
      if (timer.at > this.#nowMs || !this.#timers.has(timer.id)) continue;
      if (timer.everyMs === null) this.#timers.delete(timer.id);
      else timer.at += Math.max(1, timer.everyMs);
      timer.run();
    }
  }

  readonly #onPump = (): void => {
    if (this.#over) return;
    this.turns++;
    this.#nowMs += TURN_MS;
    if (this.#isDue()) this.#fire();
    this.#onTurn(this.turns);
    this.#queue.push(this.#onPump);
  };
}
