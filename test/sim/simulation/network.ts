/**
 * The network between copies of a log, in process and by seed: requests and answers take some turns of the event loop, streams come in other pieces than they were sent in,
 * end in the middle of a message, or have a wrong bit; links are cut, and whoever was told nothing does not know what has been done.
 */
import { type ErrorBody, EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import type { Fence, FollowRequest } from "../../../src/engine/replica/api.ts";
import type { Leader, ReachLeader } from "../../../src/engine/replica/leader.ts";
import { MessageReader } from "../../../src/engine/replica/messages.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";

/** A connection that is open. */
interface Stream {
  readonly from: string;
  readonly to: string;
  readonly broken: AbortController;
}

export class SimulatedNetwork {
  readonly #random: SeededRandom;
  readonly #trace: (line: string) => void;
  readonly #up = new Map<string, Database>();
  readonly #streams = new Set<Stream>();
  #isCut: (from: string, to: string) => boolean = () => false;
  /** Once in so many pieces of a stream something happens to it; 0: never. */
  mishaps = 0;

  constructor(random: SeededRandom, trace: (line: string) => void) {
    this.#random = random;
    this.#trace = trace;
  }

  up(url: string, db: Database): void {
    this.#up.set(url, db);
  }

  down(url: string): void {
    this.#up.delete(url);
    this.#break(({ from, to }) => from === url || to === url);
  }

  /** Nothing gets through between these. */
  cut(isCut: (from: string, to: string) => boolean): void {
    this.#isCut = isCut;
    this.#break(({ from, to }) => isCut(from, to));
  }

  mend(): void {
    this.#isCut = () => false;
    this.mishaps = 0;
  }

  /** What is open breaks. */
  breakOff(): void {
    this.#break(() => true);
  }

  #break(of: (stream: Stream) => boolean): void {
    for (const stream of [...this.#streams]) if (of(stream)) stream.broken.abort();
  }

  /** For the copy at that address. */
  reachFrom(from: string): ReachLeader {
    return (url) => this.#link(from, url);
  }

  #link(from: string, url: string): Leader {
    return {
      url,
      logId: () => this.#ask(from, url, (db) => Promise.resolve(db.core.log.logId)),
      follow: (request, signal) => this.#follow(from, url, request, signal),
      file: (name, bytes, signal) =>
        this.#pieces(from, url, signal, (db) => db.backupSource.read(name, 0, bytes)),
      progress: (follower, position) =>
        this.#ask(from, url, async (db) => db.replication.progress(follower, position)),
      fence: (fence) => this.#ask(from, url, (db) => db.replication.fence(asSent(fence))),
    };
  }

  /** A request and its answer; both may be lost, and the request may come twice. */
  async #ask<T>(from: string, to: string, work: (db: Database) => Promise<T>): Promise<T> {
    await this.#turns();
    const twice = this.mishaps > 0 && this.#random.oneIn(this.mishaps);
    const answer = await answered(() => work(this.#reached(from, to)));
    if (twice) await work(this.#reached(from, to)).catch(() => {});
    await this.#turns();
    this.#reached(from, to);
    return answer;
  }

  #reached(from: string, to: string): Database {
    const db = this.#up.get(to);
    if (db === undefined || this.#isCut(from, to)) throw unreachable(to);
    return db;
  }

  async #follow(
    from: string,
    to: string,
    request: FollowRequest,
    signal: AbortSignal,
  ): Promise<MessageReader> {
    const over = new AbortController();
    const messages = async function* (db: Database): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const message of db.replication.stream(asSent(request), over.signal)) yield* message;
    };
    const pieces = this.#pieces(from, to, signal, messages, () => over.abort());
    // Why it cannot follow is said before there is an answer.
    const first = await pieces.next();
    const all = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      if (first.done === true) return;
      yield first.value;
      yield* pieces;
    };
    return new MessageReader(all());
  }

  async *#pieces(
    from: string,
    to: string,
    signal: AbortSignal,
    work: (db: Database) => AsyncIterable<Uint8Array>,
    onEnd: () => void = () => {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#turns();
    const stream: Stream = { from, to, broken: new AbortController() };
    const { broken } = stream;
    const end = (): void => broken.abort();
    signal.addEventListener("abort", end);
    this.#streams.add(stream);
    const lost = new Promise<never>((_, reject) => {
      broken.signal.addEventListener("abort", () => reject(unreachable(to)));
    });
    lost.catch(() => {});
    const pieces = work(this.#reached(from, to))[Symbol.asyncIterator]();
    try {
      if (signal.aborted) throw unreachable(to);
      for (;;) {
        const next = pieces.next();
        next.catch(() => {});
        const { done, value } = await Promise.race([answered(() => next), lost]);
        if (done === true) return;
        for (const piece of this.#travelled(value, to)) {
          await Promise.race([this.#turns(), lost]);
          if (piece === null) throw unreachable(to);
          yield piece;
        }
      }
    } finally {
      onEnd();
      signal.removeEventListener("abort", end);
      this.#streams.delete(stream);
      void Promise.resolve(pieces.return?.()).catch(() => {});
    }
  }

  /** As it arrives; null: it ends there. */
  *#travelled(sent: Uint8Array, to: string): Generator<Uint8Array | null> {
    const random = this.#random;
    const piece = sent.slice();
    const at = random.below(piece.length + 1);
    if (this.mishaps > 0 && random.oneIn(this.mishaps)) {
      if (random.oneIn(3) && piece.length > 0) {
        this.#trace(`a wrong bit on the way from ${to}`);
        piece[random.below(piece.length)]! ^= 1 << random.below(8);
      } else {
        this.#trace(`the stream of ${to} ends after ${at} bytes of ${piece.length}`);
        if (at > 0) yield piece.subarray(0, at);
        yield null;
        return;
      }
    }
    if (at > 0 && at < piece.length && random.oneIn(4)) {
      yield piece.subarray(0, at);
      yield piece.subarray(at);
    } else yield piece;
  }

  async #turns(): Promise<void> {
    for (let turns = this.#random.below(4); turns >= 0; turns--)
      await new Promise((done) => setImmediate(done));
  }
}

/** What goes over a wire is a copy. */
function asSent<T extends FollowRequest | Fence>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** An error comes as its text. */
async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof EvertError)) throw thrown;
    throw EvertError.from(JSON.parse(JSON.stringify(thrown)) as ErrorBody);
  }
}

function unreachable(url: string): EvertError {
  return new EvertError("connection_failed", `the leader at ${url} cannot be reached`);
}
