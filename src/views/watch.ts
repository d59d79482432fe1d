/** A view that is watched, or was a while ago, and the frames kept of it. */
import type { EvertError } from "../base/errors.ts";
import type { FrameLog } from "./frames.ts";
import type { View } from "./view.ts";

export interface WatchedView {
  readonly view: View;
  /** The error reads of the view answer with, or null. */
  readonly error: () => EvertError | null;
  /** Set where the rows are those of an earlier definition: what they reflect. They never change; in the end they are replaced. */
  readonly stalePosition?: number | undefined;
}

export interface Watch {
  readonly watched: WatchedView;
  readonly log: FrameLog;
  watchers: number;
  /** When the last watcher left. */
  leftAt: number;
  failing: boolean;
}
