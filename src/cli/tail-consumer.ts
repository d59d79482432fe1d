/**
 * How far `evert tail --consumer` has come: whole lines are printed, and when they have been taken by whoever reads the output, the server is told so. One such request is
 * under way at a time; what comes meanwhile is told with the next.
 */
import { EvertError, toEvertError } from "../base/errors.ts";
import type { ConsumerMessage, OpenedConsumerAnswer } from "../client/protocol.ts";
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

  /** @throws EvertError conflict where the name is known, and so goes on, and it is said where it is to begin. */
  static async open(
    remote: Remote,
    name: string,
    topic: string,
    { from, isSaid, resets }: { readonly from: string; readonly isSaid: boolean; readonly resets: boolean },
  ): Promise<TailConsumer> {
    if (isSaid && !resets) {
      const known = await progressOf(remote, name, topic);
      if (known !== undefined) {
        throw new EvertError(
          "conflict",
          `consumer ${JSON.stringify(name)} goes on at offset ${known} of "${topic}"`,
          {
            detail: "--from is where a consumer begins that has not read the topic yet.",
            hint: "Leave --from out to go on there; with --reset it begins at --from, and what it has read is read again.",
          },
        );
      }
    }
    const opened = await remote.send<OpenedConsumerAnswer>("POST", "/v1/consumers", {
      name,
      topics: [topic],
      from,
      ...(resets ? { reset: true } : {}),
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

/** Where the consumer goes on; undefined: it has not read the topic. */
async function progressOf(remote: Remote, name: string, topic: string): Promise<number | undefined> {
  try {
    const known = await remote.get<ConsumerMessage>(`/v1/consumers/${encodeURIComponent(name)}`);
    return known.topics.find((one) => one.topic === topic)?.offset;
  } catch (error) {
    if (toEvertError(error).code === "not_found") return undefined;
    throw error;
  }
}
