/**
 * Checkpoints that are being written of a store whose rows move.
 *
 * A checkpoint holds cold rows where they were when it was taken, and the others by their slots, in ascending order. So a row that has not been
 * written yet may not leave its slot, and one that comes back meanwhile is not looked for in its new slot.
 */
import { isMarked, Marks } from "../marks.ts";
import type { Extent } from "./extent.ts";
import type { KeptLinks, KeptRun } from "./kept.ts";
import type { Links } from "./links.ts";
import type { Run } from "./run.ts";

/** What a checkpoint holds of cold rows: as they were when it was taken. What it has yet to find in memory stays there. */
export interface ColdCapture {
  readonly runs: readonly KeptRun[];
  readonly links: readonly KeptLinks[];
  /** Of extents that have changed since the last one, or of all: which rows are here. */
  readonly here: readonly { readonly id: number; readonly bits: Int32Array }[];
  /** The first slot whose row may be captured still: how far whoever captures has come. */
  at: number;
  /** Whether the row in the slot has come back since: it is captured where it was. */
  isBack(slot: number): boolean;
  /** The files survive a power cut. */
  sync(): Promise<void>;
  release(): void;
}

interface Capture {
  readonly capture: ColdCapture;
  readonly marks: Int32Array | null;
  readonly back: Marks;
}

export class Captures {
  readonly #captures = new Set<Capture>();

  get isEmpty(): boolean {
    return this.#captures.size === 0;
  }

  /** Whether one of them has yet to look at every slot. */
  get needAll(): boolean {
    for (const { capture, marks } of this.#captures) if (marks === null && capture.at === 0) return true;
    return false;
  }

  /** Up to which slot all have come; Infinity: there are none. */
  get reached(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { capture } of this.#captures) least = Math.min(least, capture.at);
    return least;
  }

  /** Whether one of them has yet to find the row in its slot. */
  needs(slot: number): boolean {
    for (const { capture, marks } of this.#captures)
      if (slot >= capture.at && isMarked(marks, slot)) return true;
    return false;
  }

  /** A row has come back to the slot. */
  came(slot: number): void {
    for (const { back } of this.#captures) back.mark(slot);
  }

  /** What a checkpoint of this moment holds, until it is released: of the slots with these marks; null: of all, and what has not changed, too. */
  take(allRuns: readonly Run[], links: readonly Links[], marks: Int32Array | null): ColdCapture {
    const back = new Marks();
    const runs = allRuns
      .map((run) => ({ run, extents: run.extents.filter((extent) => extent.live > 0) }))
      .filter(({ extents }) => extents.length > 0);
    const linked = links.filter(({ isComplete }) => isComplete && runs.length > 0);
    const files = [...runs.map(({ run }) => run), ...linked.flatMap((one) => one.runs)].map(
      ({ file }) => file,
    );
    for (const file of files) file.hold();
    const here = runs.flatMap(({ extents }) =>
      extents
        .filter((extent) => marks === null || extent.changed)
        .map((extent) => {
          extent.changed = false;
          return { id: extent.id, bits: extent.here.slice() };
        }),
    );
    const capture: ColdCapture = {
      at: 0,
      runs: runs.map(({ run, extents }) => keptRun(run, extents)),
      links: linked.map((one) => ({
        columns: one.columns,
        runs: one.runs.map((run) => keptRun(run, run.extents)),
      })),
      here,
      isBack: (slot) => back.has(slot),
      sync: async () => {
        for (const file of files) await file.sync();
      },
      release: () => {
        if (!this.#captures.delete(captured)) return;
        for (const file of files) file.release();
      },
    };
    const captured = { capture, marks, back };
    this.#captures.add(captured);
    return capture;
  }
}

function keptRun({ file }: Run, extents: readonly Extent[]): KeptRun {
  return { file: file.name, extents: extents.map(({ id, place }) => ({ id, ...place })) };
}
