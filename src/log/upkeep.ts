/**
 * What is done to full segments while others append and read: they are sealed, and records that nobody needs any more are taken out of them. Who
 * decides what is due (Sealer, Compactor), and the thread that does it for both; together they stop.
 */
import type { Disk } from "../base/disk.ts";
import { Compactor } from "./keeping/compactor.ts";
import { KEYS_MAX } from "./keeping/pass.ts";
import type { Position } from "./log.ts";
import type { LogIndex } from "./log-index.ts";
import type { LogOptions } from "./log-options.ts";
import { Sealer } from "./sealed/sealer.ts";
import { SegmentThread } from "./thread/segment-thread.ts";
import type { TopicRegistry } from "./topics.ts";

const SEAL_RETRY_MS = 30_000;
const KEEP_EVERY_MS = 60_000;

export interface UpkeepContext {
  readonly disk: Disk;
  readonly directory: string;
  readonly index: LogIndex;
  readonly registry: TopicRegistry;
  readonly logId: number;
  readonly options: Pick<LogOptions, "sealRetryMs" | "keepEveryMs" | "compactedKeysMax">;
  readonly report: (message: string) => void;
  /** As of Sealer. */
  readonly isAppending: () => boolean;
  readonly nowUs: () => number;
  readonly lastPosition: () => Position;
  /** Resolves when the position is durable, which it may never be. */
  readonly durable: (position: Position) => Promise<void>;
}

export class Upkeep {
  readonly sealer: Sealer;
  readonly compactor: Compactor;
  readonly #thread: SegmentThread;

  constructor({ options, isAppending, nowUs, lastPosition, durable, ...log }: UpkeepContext) {
    const thread = new SegmentThread({ ...log, leaveRoom: () => this.sealer.room() });
    this.#thread = thread;
    this.sealer = new Sealer({
      ...log,
      thread,
      retryMs: options.sealRetryMs ?? SEAL_RETRY_MS,
      isAppending,
      sealed: () => this.compactor.wake(),
    });
    this.compactor = new Compactor({
      ...log,
      thread,
      seed: log.logId % 0x1_0000_0000,
      keysMax: options.compactedKeysMax ?? KEYS_MAX,
      everyMs: options.keepEveryMs ?? KEEP_EVERY_MS,
      nowUs,
      lastPosition,
      durable,
      leaveRoom: () => this.sealer.room(),
      sealed: () => this.sealer.idle(),
    });
  }

  /** Ends when nobody writes in the background any more. */
  async stop(): Promise<void> {
    this.#thread.stop();
    await Promise.all([this.sealer.stop(), this.compactor.stop()]);
    await this.#thread.close();
  }
}
