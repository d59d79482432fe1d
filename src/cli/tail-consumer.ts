/**
 * How far `evert tail --consumer` has come: whole lines are printed, and when they have been taken by whoever reads the output, the server is told so. One such request is
 * under way at a time; what comes meanwhile is told with the next.
 */
import { type EvertError, toEvertError } from "../base/errors.ts";
import type { OpenedConsumerAnswer } from "../client/protocol.ts";
import type { Remote } from "./remote.ts";

const lineFeed = 0x0a;

export class TailConsumer {
  readonly #remote: Remote;
  readonly #name: string;
  readonly #topic: string;
  readonly #epoch: number;
  /** Of the record that is printed next. */
  offset: number;
  #told: number;
  #telling: Promise<void> | null = null;
  /** Why the server could not be told: a newer instance goes on, for one. */
  failure: EvertError | null = null;
  /** Called then. */
  onFailed: () => void = () => {};
  /** The beginning of a line. */
  #rest: Uint8Array = new Uint8Array(0);

  private constructor(remote: Remote, topic: string, { name, epoch, topics }: OpenedConsumerAnswer) {
    this.#remote = remote;
    this.#name = name;
    this.#topic = topic;
    this.#epoch = epoch;
    this.offset = this.#told = topics[0]!.offset;
  }

  static async open(remote: Remote, name: string, topic: string, from: string): Promise<TailConsumer> {
    const opened = await remote.send<OpenedConsumerAnswer>("POST", "/v1/consumers", {
      name,
      topics: [topic],
      from,
    });
    return new TailConsumer(remote, topic, opened);
  }

  /** The whole lines that have come. */
  take(chunk: Uint8Array): Uint8Array {
    const end = chunk.lastIndexOf(lineFeed) + 1;
    if (end === 0) {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      return new Uint8Array(0);
    }
    const lines = Buffer.concat([this.#rest, chunk.subarray(0, end)]);
    this.#rest = chunk.slice(end);
    const last = lines.subarray(lines.lastIndexOf(lineFeed, lines.length - 2) + 1);
    const { offset } = JSON.parse(last.toString("utf8")) as { offset: number };
    this.offset = offset + 1;
    return lines;
  }

  /** What was taken has been printed. */
  printed(): void {
    this.#telling ??= this.#tell(this.offset).finally(() => {
      this.#telling = null;
      if (this.#told < this.offset && this.failure === null) this.printed();
    });
  }

  /** Resolves when the server knows. @throws EvertError why it could not be told */
  async done(): Promise<void> {
    while (this.#telling !== null) await this.#telling;
    if (this.failure !== null) throw this.failure;
  }

  async #tell(offset: number): Promise<void> {
    try {
      const body = { epoch: this.#epoch, progress: { [this.#topic]: offset } };
      await this.#remote.send("PUT", `/v1/consumers/${encodeURIComponent(this.#name)}`, body);
      this.#told = offset;
    } catch (thrown) {
      this.failure = toEvertError(thrown);
      this.onFailed();
    }
  }
}
