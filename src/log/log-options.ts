import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Random } from "../base/random.ts";
import type { Slices } from "../base/slices.ts";
import type { ClockJump } from "./log-time.ts";
import type { FoundEnd } from "./reached.ts";

export interface LogOptions {
  /** The data directory; the log lies in its folder `log`. */
  readonly directory: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random?: Random | undefined;
  readonly slices?: Slices | undefined;
  readonly segmentBytes?: number | undefined;
  /** The open group is sealed rather than grow beyond it (a larger commit is a group of its own). */
  readonly groupBytesMax?: number;
  readonly commitBytesMax?: number;
  /** How far a busy log zero-fills ahead. */
  readonly aheadBytesMax?: number;
  /** After a segment could not be sealed, until it is tried again. */
  readonly sealRetryMs?: number;
  /** How often it is looked whether rows may be taken out of sealed segments; 0: only when compact() is called. */
  readonly keepEveryMs?: number;
  /** Keys compared in one pass of a compaction. */
  readonly compactedKeysMax?: number;
  /** The log follows another: see intake.ts. Its id is asked for where the log is empty. */
  readonly following?: { readonly logId: () => Promise<number> } | undefined;
  /**
   * Told where the log ends, before what stands behind that is cut off as a torn write. Where it throws, the log is not opened, and its end is as it
   * was.
   */
  readonly examine?: ((found: FoundEnd) => Promise<void>) | undefined;
  /** Told what failed in the background and does no harm. */
  readonly report?: (message: string) => void;
  /** The wall clock jumped and log time did not follow. */
  readonly onClockJump?: (jump: ClockJump) => void;
}
