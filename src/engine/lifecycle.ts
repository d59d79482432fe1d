/**
 * A database from its start to its end: the log behind the checkpoint is replayed, what the program declares is made true, views are built,
 * checkpoints taken and history let go of while it runs, and at the end all of it comes to rest. What is asked of it meanwhile is in database.ts.
 */
import type { Disk } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import type { Erased, Key } from "./api.ts";
import { CatchUp } from "./catch-up.ts";
import { Checkpointer, logIdText, type Manifest } from "./checkpoint/checkpointing.ts";
import type { Core } from "./core.ts";
import { declareApp } from "./declare.ts";
import { eraseCopy, eraseKey } from "./erase.ts";
import { keepingRules, learnDropped } from "./keeping.ts";
import { Replication, type ReplicationParts } from "./replica/replication.ts";
import { LongWait } from "./write/long-wait.ts";

/** The checkpoint found at start, and whether the stores hold it. */
export interface Found {
  readonly manifest: Manifest;
  readonly restored: boolean;
}

const SETTLE_TIMEOUT_MS = 600_000;

export class Lifecycle {
  readonly replication: Replication;
  readonly #core: Core;
  readonly #checkpointer: Checkpointer;
  readonly #checkpointWaits: LongWait;
  readonly #report: (message: string) => void;
  #checkpointTimer: NodeJS.Timeout | null = null;
  #catchUp: CatchUp | null = null;
  #keeping: Promise<void> = Promise.resolve();
  /** Ends when the database is what it was. */
  #caughtUp: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #declared: { readonly topics: readonly AnyTopic[]; readonly views: readonly AnyView[] } = {
    topics: [],
    views: [],
  };

  constructor(
    core: Core,
    disk: Disk,
    directory: string,
    found: Found | null,
    report: (message: string) => void,
    replica: Pick<ReplicationParts, "sync" | "note" | "leader" | "reach" | "token" | "random">,
  ) {
    this.#core = core;
    this.#checkpointWaits = new LongWait(core.durability);
    this.#report = report;
    this.replication = new Replication({
      ...replica,
      core,
      disk,
      report,
      lead: () => this.#lead(),
      rest: () => {
        core.ticker.stop();
        core.sinks.stop();
      },
    });
    // Rows of tables are lost, whoever met it: a query, or a step.
    core.runFiles.onDamaged = (error) => core.fail(error);
    this.#checkpointer = new Checkpointer(
      disk,
      directory,
      {
        dictionary: core.dictionary,
        runFiles: core.runFiles,
        stores: () => core.stores(),
        atBoundary: (run) => core.stepper.atBoundary(run),
        current: () => core.current(),
        durable: (position) => this.#checkpointWaits.durable(position),
        turn: () => core.chores.turn(),
        describe: () => ({
          logId: logIdText(core.log.logId),
          catalog: core.catalog.toJSON(),
          lastId: core.catalog.nextId() - 1,
          views: core.views.fingerprints(),
          rows: core.views.keptRows(core.stores(), this.#momentOf(core.current().position)),
        }),
      },
      found,
    );
  }

  /**
   * From the checkpoint to now: replays the log, then starts to build what the checkpoint did not hold. `beside`: resolves at once, and readers are
   * answered meanwhile.
   */
  async start(
    topics: readonly AnyTopic[],
    views: readonly AnyView[],
    checkpointIntervalMs: number,
    beside: boolean,
  ): Promise<void> {
    const core = this.#core;
    this.#catchUp = core.catchUp = new CatchUp(core);
    if (!beside) return this.#reachEnd(topics, views, checkpointIntervalMs, null);
    // What these say of records holds for the first that is let in.
    for (const handle of topics) core.declareTopic(handle);
    this.#caughtUp = this.#reachEnd(topics, views, checkpointIntervalMs, core.committer.hold());
    this.#caughtUp.catch((error: unknown) => {
      this.#catchUp?.end();
      if (this.#closing === null) core.fail(toEvertError(error));
    });
  }

  /** `admit` lets in those who write. */
  async #reachEnd(
    topics: readonly AnyTopic[],
    views: readonly AnyView[],
    checkpointIntervalMs: number,
    admit: (() => void) | null,
  ): Promise<void> {
    const core = this.#core;
    // Those who write stand before the gate, and go on waiting when it opens.
    const letIn = this.replication.leads ? this.replication.comeFirst() : null;
    try {
      await this.#begin(topics, views, admit);
      // All topics are known to the log by now.
      core.log.startSealing();
      this.#keeping = this.#keep();
      if (this.#closing === null) this.replication.start();
    } finally {
      letIn?.();
    }
    this.#catchUp?.end();
    this.#catchUp = core.catchUp = null;
    if (checkpointIntervalMs > 0 && this.#closing === null) this.#checkpointEvery(checkpointIntervalMs);
  }

  /** The log's end is reached, and what the program declares is there. */
  async #begin(
    topics: readonly AnyTopic[],
    views: readonly AnyView[],
    admit: (() => void) | null,
  ): Promise<void> {
    const core = this.#core;
    try {
      await (this.#catchUp as CatchUp).run(admit !== null);
      core.replayed();
      // Constant rows and aggregates over nothing are there even if the log is empty.
      await core.stepper.kick();
      await core.loadOwn();
    } catch (error) {
      // Who waits to write is let in by a start that has failed only to be told so.
      if (admit !== null && this.#closing === null) core.fail(toEvertError(error));
      throw error;
    } finally {
      admit?.();
    }
    this.#declared = { topics, views };
    for (const handle of topics) core.declareTopic(handle);
    if (this.replication.leads) await this.#lead();
    else core.views.fillMissing();
  }

  /** What the program declares is made true, and ticks and sinks write: none of that is for a follower to do. */
  async #lead(): Promise<void> {
    const core = this.#core;
    await declareApp(core, this.#declared.topics, this.#declared.views, this.#report);
    core.views.fillMissing();
    core.ticker.start();
    core.sinks.start();
  }

  /** Retention and compaction begin, beside what else goes on: which topics are gone is read off the log. */
  async #keep(): Promise<void> {
    const core = this.#core;
    try {
      await learnDropped(core, () => this.#closing !== null);
      core.log.keep(() => keepingRules(core, this.#checkpointer.position, () => this.replication.copiedTo()));
    } catch (error) {
      if (this.#closing === null)
        this.#report(
          `retention and compaction do not go on before the next start: ${toEvertError(error).message}`,
        );
    }
  }

  #checkpointEvery(intervalMs: number): void {
    const take = (): void => {
      this.#checkpointer.take().catch((error: unknown) => {
        if (this.#closing === null) this.#report(`a checkpoint failed: ${toEvertError(error).message}`);
      });
    };
    this.#checkpointTimer = setInterval(() => {
      if (!this.#checkpointer.busy) take();
    }, intervalMs);
    this.#checkpointTimer.unref();
    // A start with changed columns has no use for a checkpoint from before them: it would replay the whole log.
    this.#core.evolution.applied = () => {
      // When its step is done.
      const done = this.#core.stepper.atBoundary(() => {});
      done.then(() => {
        if (this.#closing === null) take();
      }, ignored);
    };
  }

  // ---- while it runs ----------------------------------------------------------------------------------------------------

  /** Of the last checkpoint. */
  get checkpointPosition(): number {
    return this.#checkpointer.position;
  }

  /** 0..1: how much of the log after the checkpoint has been replayed. */
  get progress(): number {
    return this.#catchUp?.progress ?? 1;
  }

  /** Whether the position is yet to be reached again. */
  isBehind(position: number): boolean {
    return this.#catchUp?.isAhead(position) === true;
  }

  /** Resolves when it is. */
  reachAgain(position: number): Promise<void> {
    return this.#core.publisher.waitFor(position, SETTLE_TIMEOUT_MS);
  }

  async settled(): Promise<void> {
    await this.#caughtUp;
    const { log, publisher, sinks } = this.#core;
    // What sinks append is a commit too, and may have them append more.
    for (let at = -1; at !== log.lastPosition; ) {
      at = log.lastPosition;
      log.seal();
      await publisher.waitFor(at, SETTLE_TIMEOUT_MS);
      await sinks.resting();
    }
  }

  /** Resolves when no view is being built. */
  async built(): Promise<void> {
    await this.#caughtUp;
    await this.#core.views.settled();
  }

  async checkpoint(): Promise<void> {
    await this.#caughtUp;
    await this.#checkpointWaits.inTime(this.#checkpointer.take());
  }

  /** Erases a key for good: see erase.ts. */
  async erase(topic: string, key: Key): Promise<Erased> {
    await this.#caughtUp;
    await this.#keeping;
    const erase = this.replication.leads ? eraseKey : eraseCopy;
    const renew = (): Promise<void> => this.#checkpointWaits.inTime(this.#checkpointer.renew());
    return erase(this.#core, renew, this.replication, topic, key);
  }

  /** Takes out of the log all that topics' retention and compaction let go, up to now. @throws EvertError what kept it from it */
  async compact(): Promise<void> {
    await this.checkpoint();
    await this.#core.log.sealed();
    await this.#keeping;
    await this.#core.log.compact();
  }

  /** Null: what is there at the position is no moment of the log. */
  #momentOf(position: number): number | null {
    return this.#core.publisher.moments.has(position) ? position : null;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const core = this.#core;
    core.ticker.stop();
    if (this.#checkpointTimer !== null) clearInterval(this.#checkpointTimer);
    const gone = new EvertError("shutting_down", "the database is being closed");
    core.sinks.stop();
    core.committer.close(gone);
    core.publisher.moments.end(gone);
    const isBehind = this.#catchUp !== null;
    const isFedBehind = await this.replication.close();
    if (isFedBehind) core.giveUp(gone);
    if (isBehind) {
      // The next start begins where this one did.
      this.#catchUp?.stop();
      core.publisher.fail(gone);
      await this.#caughtUp.catch(() => {});
    }
    try {
      await core.sinks.resting();
      await core.views.abort();
      if (core.failure === null && !isBehind && !isFedBehind) {
        await this.settled();
        await this.#checkpointer.take();
      }
    } finally {
      core.end(gone);
      core.subscriptions.closeAll(gone);
      await this.#checkpointer.close();
      await core.circuit.cooling?.stop();
      await core.runFiles.close();
      await core.workers?.close();
      await this.#keeping;
      await core.log.close();
    }
  }
}

/** The database has failed, and has said so. */
function ignored(): void {}
