/** What the thread that rewrites segments is asked for, and what it answers: plain objects, which are copied on their way. */
import type { ErrorBody } from "../../base/errors.ts";
import type { SegmentWish, TopicVersions, WithoutRows } from "../keeping/key-work.ts";
import type { LogTopic } from "../log.ts";
import type { FrameExtent } from "../sealed/rewrite.ts";
import type { SealedSegment } from "../sealed/sealed-segment.ts";

export interface ThreadData {
  readonly directory: string;
  readonly logId: number;
  /** An Int32 that is not 0 once the log is being closed. */
  readonly stop: SharedArrayBuffer;
}

/** A sealed segment: the thread reads for itself what it holds. */
export type SegmentFile = Pick<SealedSegment, "firstPosition" | "generation">;

interface OfPass {
  readonly pass: number;
  /** Of the pass's table of keys. */
  readonly seed: number;
  readonly segment: SegmentFile;
}

export interface Asked {
  readonly seal: { readonly kind: "seal"; readonly extent: FrameExtent };
  readonly compare: OfPass & { readonly kind: "compare"; readonly topics: readonly TopicVersions[] };
  readonly takeOut: OfPass & { readonly kind: "takeOut"; readonly wish: SegmentWish };
}

export interface Answered {
  readonly seal: SealedSegment;
  readonly compare: number;
  readonly takeOut: WithoutRows | "nothing";
}

export type Kind = keyof Asked;

export type Request =
  | {
      readonly kind: "work";
      readonly id: number;
      /** Those that the thread has not been told of. */
      readonly topics: readonly LogTopic[];
      readonly work: Asked[Kind];
    }
  /** What it knows of the pass is not needed any more: there is no answer. */
  | { readonly kind: "passEnded"; readonly pass: number };

export type Answer =
  | { readonly kind: "done"; readonly id: number; readonly result: Answered[Kind] }
  | { readonly kind: "failed"; readonly id: number; readonly error: ErrorBody };
