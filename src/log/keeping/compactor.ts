/**
 * The background worker that takes out of sealed segments what the rules let go (pass.ts), one pass at a time, after the sealer.
 *
 * It begins by itself when there is something to trim, or when half of the rows of a compacted topic have come since it was compacted last: so a row
 * is written anew a logarithmic number of times. It looks when a segment has been sealed and every `everyMs`; the rules are asked for each time.
 * compact() does all there is to do, and says when it is done.
 *
 * A failure leaves every segment as it was or as the pass has made it: what was begun is removed, the reason reported once and shown in the figures,
 * and it is tried again later.
 */
import { joinPath } from "../../base/disk.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { Batch } from "../../batch/batch.ts";
import type { Position } from "../log.ts";
import type { LogIndex } from "../log-index.ts";
import { pauseOf } from "../sealed/file-writer.ts";
import type { SealedSegment } from "../sealed/sealed-segment.ts";
import { compactingName, isCompactingName, parseSegmentName, removeUnfinished } from "../segment.ts";
import { type Holdings, holdingsOf } from "./holdings.ts";
import { type CleanTo, eligible, Pass, type PassSource, type PassWish } from "./pass.ts";
import type { KeepingRules, KeepingStats } from "./rules.ts";
import { keysOf } from "./topic-keys.ts";
import { anyTrims } from "./trimming.ts";

export interface CompactorOptions extends Omit<PassSource, "checkStopped"> {
  /** Resolves when no full segment waits to be sealed. */
  readonly sealed: () => Promise<void>;
  /** Between two looks; 0: none by itself. */
  readonly everyMs: number;
  readonly lastPosition: () => Position;
  /** Resolves when the position is durable, which it may never be. */
  readonly durable: (position: Position) => Promise<void>;
}

export class Compactor {
  readonly #options: CompactorOptions;
  readonly #clean: CleanTo = new Map();
  #rules: (() => KeepingRules) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  readonly #ended: Promise<void>;
  #end: () => void = () => {};
  /** What was asked for, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #busy = 0;
  #stats: KeepingStats = { segments: 0, rows: 0, bytes: 0, heldBack: new Map(), failure: null };

  constructor(options: CompactorOptions) {
    this.#options = options;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** From now on these rules hold. */
  keep(rules: () => KeepingRules): void {
    const { everyMs } = this.#options;
    this.#rules = rules;
    if (this.#timer !== null || everyMs === 0 || this.#stopped) return;
    this.#timer = setInterval(() => this.wake(), everyMs);
    this.#timer.unref();
  }

  /** Something may have become worth a pass. */
  wake(): void {
    if (this.#options.everyMs === 0 || this.#rules === null || this.#stopped || this.#busy > 0) return;
    this.#enqueue(() => this.#ifWorthIt()).catch(() => {}); // told in the figures, and reported
  }

  /** Resolves when nothing is left to take out. @throws EvertError what kept it from it */
  compact(): Promise<void> {
    return this.#options.thread.holding(this.#enqueue(() => this.#all({})));
  }

  /** Takes out every row of the key, up to the position. `key`: one row, of which the key's columns count. @throws EvertError */
  erase(topicId: number, key: Batch, to: Position): Promise<void> {
    const erased = this.#enqueue(async () => {
      const { registry, index } = this.#options;
      const active = index.segments.at(-1);
      if (active?.sealed === null && active.firstPosition <= to) {
        throw new EvertError("conflict", "the key has records in the segment that is written to", {
          detail: `One is at position ${to}, the segment begins at ${active.firstPosition}. Rows are taken out of full segments.`,
          hint: "On a replica: erase it again, on the leader first, whose log goes on in a new segment then.",
        });
      }
      const last = eligible(index, this.#rules?.().horizon ?? 0).at(-1)?.sealed?.lastPosition ?? 0;
      if (last < to) {
        throw new EvertError("io_error", "the key cannot be erased yet: a segment of the log is not sealed", {
          detail: `Segments are sealed, and behind the checkpoint, up to position ${last}; ${to} is needed.`,
          hint: "The server's log says why a segment could not be sealed; try again.",
        });
      }
      const versions = new Set<number>();
      for (const { sealed } of index.segments)
        for (const run of sealed?.directory.runs ?? [])
          if (run.topicId === topicId && run.kept > 0) versions.add(run.schemaVersion);
      const newest = registry.newest(topicId);
      const keys = keysOf(registry, topicId, versions.add(newest.schemaVersion));
      if (keys === null) {
        throw new EvertError("wrong_object_type", "rows of this topic cannot be told by a key", {
          detail: "It has none, or its key's columns have changed their types.",
        });
      }
      await this.#all({ doomed: [{ topicId, digest: keys.digestOf(newest.schemaVersion, key), to }] });
      await this.#removeEarlier();
    });
    return this.#options.thread.holding(erased);
  }

  /** Waits for what is under way. */
  idle(): Promise<void> {
    return this.#options.thread.holding(this.#queue);
  }

  /** What is half done is thrown away. REQUIRES that the thread has been stopped. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#end();
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.idle();
  }

  stats(): KeepingStats {
    return this.#stats;
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#busy++;
    const done = this.#queue.then(async () => {
      await this.#options.sealed();
      this.#checkStopped();
      await work();
    });
    this.#queue = done
      .catch(() => {})
      .then(() => {
        this.#busy--;
      });
    return done;
  }

  readonly #checkStopped = (): void => {
    if (this.#stopped) throw new EvertError("shutting_down", "the log is being closed");
  };

  async #ifWorthIt(): Promise<void> {
    const rules = this.#rules!();
    const { index, nowUs, leaveRoom } = this.#options;
    const sealed = eligible(index, rules.horizon).map((extent) => extent.sealed!);
    const pause = pauseOf({ checkStopped: this.#checkStopped, leaveRoom });
    const isWanted = (id: number): boolean =>
      rules.topics.has(id) || rules.isDropped(id) || index.topicStart(id) > 0;
    const holdings = await holdingsOf(sealed, isWanted, pause);
    const dirty = this.#dirty(sealed, holdings, rules);
    if (dirty.size > 0 || anyTrims(sealed, holdings, rules, nowUs(), index)) await this.#all({ only: dirty });
  }

  /** Compacted topics of which half of the rows have not been compared with those before. */
  #dirty(sealed: readonly SealedSegment[], holdings: Holdings, { topics }: KeepingRules): Set<number> {
    const dirty = new Set<number>();
    for (const [topicId, holding] of holdings) {
      if (topics.get(topicId)?.tombstonesForUs == null) continue;
      let cleanTo = this.#clean.get(topicId) ?? 0;
      for (const { segment, isCompacted } of holding)
        if (isCompacted) cleanTo = Math.max(cleanTo, sealed[segment]!.directory.sparse?.horizon ?? 0);
      let rows = 0;
      let later = 0;
      for (const held of holding) {
        rows += held.rows;
        if (sealed[held.segment]!.firstPosition > cleanTo) later += held.rows;
      }
      if (later > 0 && 2 * later >= rows) dirty.add(topicId);
    }
    return dirty;
  }

  async #all(wish: PassWish): Promise<void> {
    const source: PassSource = { ...this.#options, checkStopped: this.#checkStopped };
    for (let again = this.#rules !== null; again; ) {
      this.#checkStopped();
      const known = this.#rules!();
      const rules = { known, now: this.#rules!, position: await this.#durable() };
      const pass = new Pass(source, rules, this.#clean, wish);
      try {
        const { heldBack, isPartial } = await pass.run();
        this.#stats = { ...this.#stats, heldBack, failure: null };
        again = isPartial;
      } catch (thrown) {
        const error = toEvertError(thrown);
        await this.#removeUnfinished();
        if (error.code !== "shutting_down") this.#failed(error);
        throw error;
      } finally {
        const { segments, rows, bytes } = pass.made;
        this.#stats = {
          ...this.#stats,
          segments: this.#stats.segments + segments,
          rows: this.#stats.rows + rows,
          bytes: this.#stats.bytes + bytes,
        };
      }
    }
  }

  /**
   * What the rules come from, as the dropping of a topic, must not be lost when what they let go is gone. Returns the last position now, once it is
   * durable.
   */
  async #durable(): Promise<Position> {
    const { lastPosition, durable } = this.#options;
    const position = lastPosition();
    await Promise.race([durable(position), this.#ended]);
    this.#checkStopped();
    return position;
  }

  #failed(error: EvertError): void {
    const said = `rows could not be taken out of sealed segments: ${error.message}`;
    if (this.#stats.failure !== said) this.#options.report(`${said}; what was not done stays as it is`);
    this.#stats = { ...this.#stats, failure: said };
  }

  /**
   * Forms that segments had and that could not be removed when they were replaced, and what was not finished. @throws EvertError where they still
   * cannot
   */
  async #removeEarlier(): Promise<void> {
    const { disk, directory, index } = this.#options;
    for (const name of await disk.list(directory)) {
      // Looked at anew each time: a segment may be sealed meanwhile.
      if (!isCompactingName(name) && !isEarlier(name, index)) continue;
      try {
        await disk.unlink(joinPath(directory, name));
      } catch (error) {
        // Whoever has replaced it has removed it.
        if (toEvertError(error).code !== "not_found") throw error;
      }
    }
    await disk.syncDirectory(directory);
  }

  async #removeUnfinished(): Promise<void> {
    const { disk, directory, index, report } = this.#options;
    for (const { firstPosition } of index.segments)
      await removeUnfinished(disk, directory, compactingName(firstPosition), report);
  }
}

/** A form that a segment had before the one of now: one that is just being begun is not in the index yet. */
function isEarlier(name: string, { segments }: LogIndex): boolean {
  const firstPosition = parseSegmentName(name)?.firstPosition;
  return segments.some(
    ({ firstPosition: its, sealed }) => its === firstPosition && sealed !== null && sealed.name !== name,
  );
}
