/**
 * Opens the engine.
 *
 * 1. The log is opened and recovered. The newest checkpoint, if it can be used, gives the position to start from; the catalog is what
 *    the checkpoint says plus the catalog events after it (without a checkpoint: all of them).
 * 2. Views whose rows the checkpoint holds, made by the same code, are compiled and their stores filled. Without a checkpoint all
 *    views are compiled empty. The log after the position is replayed through the circuit: the same steps as live.
 * 3. Views the checkpoint does not hold are built from history like any new view, while everything else goes on. Where it holds the rows of an
 *    earlier definition, these are read meanwhile, as of the checkpoint's position, and marked stale.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import { type Disk, joinPath } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { type Random, systemRandom } from "../base/random.ts";
import { type Slices, systemSlices } from "../base/slices.ts";
import type { RecursionLimits, StateLimits } from "../dataflow/circuit.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import type { SqlFunction } from "../face/routines.ts";
import type { Log } from "../log/log.ts";
import type { ClockJump } from "../log/log-time.ts";
import { openLog } from "../log/open-log.ts";
import { type FoundEnd, lacksEnd } from "../log/reached.ts";
import { loadParser } from "../sql/statement.ts";
import { RunFiles } from "../state/cold/run-files.ts";
import { Dictionary } from "../state/dictionary.ts";
import { CATALOG_ENTRY, SINK_ENTRY, TICK_ENTRY } from "./catalog/hidden-topics.ts";
import { restoreDictionary, restoreStores } from "./checkpoint/checkpoint-reader.ts";
import {
  CHECKPOINT_DIRECTORY,
  checkpointed,
  logIdText,
  readManifest,
  removeManifest,
  runFilesOf,
} from "./checkpoint/checkpointing.ts";
import { Indexing } from "./checkpoint/indexing.ts";
import { compile, keepOldRows, readCatalog, storesWithin } from "./checkpoint/restore.ts";
import { Core } from "./core.ts";
import { Database } from "./database.ts";
import { memoryLimitOf } from "./default-memory.ts";
import { Lifecycle } from "./lifecycle.ts";
import { overHttp, type ReachLeader } from "./replica/leader.ts";
import { KeptNote } from "./replica/note.ts";
import { rejoin } from "./replica/rejoin.ts";
import type { ReplicationParts } from "./replica/replication.ts";
import { type FollowOptions, roleOf, syncOptions } from "./replica/role.ts";
import { routinesByName } from "./routines.ts";
import { type Workers, workersOf } from "./workers/workers.ts";

const CHECKPOINT_INTERVAL_MS = 5000;

export interface OpenEngineOptions {
  /** Where the log and everything derived from it lies. */
  readonly directory: string;
  /** Topics and views declared in TypeScript; made if they are not there, rebuilt if their definition has changed. */
  readonly topics?: readonly AnyTopic[] | undefined;
  readonly views?: readonly AnyView[] | undefined;
  readonly disk?: Disk | undefined;
  readonly clock?: Clock | undefined;
  /** Default: by the clock of this machine. */
  readonly slices?: Slices | undefined;
  /** Where the id of a new log comes from. Default: the platform's. */
  readonly random?: Random | undefined;
  /** Size of a segment of the log. Smaller ones are sealed, and can be shipped and removed, sooner. Default 64 MiB. */
  readonly segmentBytes?: number | undefined;
  /**
   * Opens as soon as the rows of the checkpoint can be read, while the log after it is still replayed: views say that they catch up, what is written
   * waits. Without a usable checkpoint there is nothing to read before.
   */
  readonly answerWhileCatchingUp?: boolean | undefined;
  /** Opens the database as a replica of another, which leads: it has what that has, answers reads, and writes nothing of its own. */
  readonly follow?: FollowOptions | undefined;
  /** How other copies of the log are reached. Default: over HTTP. */
  readonly reach?: ReachLeader | undefined;
  /** Where this database leads: how many replicas are to have a commit durably before it is acknowledged and shown. Default 0. */
  readonly syncFollowers?: number | undefined;
  /** How long an append waits for them. Default 10,000. */
  readonly syncTimeoutMs?: number | undefined;
  /** Milliseconds between checkpoints while there is something new; 0 turns them off (one is still taken on close). Default 5,000. */
  readonly checkpointIntervalMs?: number | undefined;
  /** Functions that SQL calls by name. */
  readonly functions?: readonly SqlFunction[] | undefined;
  /** What one call of a function of the program may take; 0: any time. Default 1,000. */
  readonly functionTimeoutMs?: number | undefined;
  /** What a recursive query may do before it is taken for an endless one. */
  readonly recursion?: Partial<RecursionLimits> | undefined;
  /** What a view may keep and make before it is stopped. */
  readonly limits?: Partial<StateLimits> | undefined;
  /** Bytes that all state may take together. Default: half of the machine's memory. */
  readonly memoryLimit?: number | undefined;
  /** Of the memory limit, the share from which on rows go to disk; 0: as soon as they may. */
  readonly warm?: number | undefined;
  /** Threads that keep views, or shares of them, beside this one: 0 to 64. Default 0. */
  readonly workers?: number | undefined;
  /** Told what recovery found, what a checkpoint could not be used for, what failed in the background. */
  readonly report?: ((message: string) => void) | undefined;
  /** Called when the disk has failed: nothing more will be acknowledged, the process should end. */
  readonly onFatal?: ((error: EvertError) => void) | undefined;
}

/** Opens the directory, recovers, restores and replays. Views in need of a rebuild are built after it has resolved: see built(). */
export async function openEngine(options: OpenEngineOptions): Promise<Database> {
  const disk = options.disk ?? nodeDisk;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? (() => {});
  await loadParser();
  const onClockJump = ({ direction, wallUs, timeUs }: ClockJump): void => {
    const [wall, taken] = [wallUs, timeUs].map((us) => new Date(us / 1000).toISOString());
    report(
      `the wall clock was set ${direction}, to ${wall}; commits are stamped from ${taken} on until it fits again`,
    );
  };
  const { directory, random, slices, segmentBytes, recursion, functionTimeoutMs, limits } = options;
  const workers = workersOf(options.workers ?? 0, { recursion, functionTimeoutMs, limits }, report);
  const kept = await KeptNote.read(disk, directory);
  const reach = options.reach ?? overHttp;
  const { leader, note } = roleOf(kept, directory, random ?? systemRandom, options.follow, reach);
  const following = leader === null ? undefined : { logId: () => leader.logId() };
  const logOptions = { directory, disk, clock, random, slices, onClockJump, report, segmentBytes };
  if (leader !== null && note !== null && options.follow?.rejoin === true)
    await rejoin(logOptions, leader, note.id, report);
  // A replica gets what it lacks from its leader.
  const examine = leader === null ? (found: FoundEnd) => refuseShorter(found, disk, directory) : undefined;
  const log = await openLog({ ...logOptions, following, examine });
  try {
    workers?.start();
    const { tornTail } = log.report;
    if (tornTail !== null) {
      report(
        `the log ended in the middle of a write; ${tornTail.bytes} bytes that were never acknowledged were cut off`,
      );
    }
    if (leader !== null && note !== null)
      await kept.set({ ...note, isCopying: note.isCopying || log.lastPosition === 0 });
    const token = options.follow?.token;
    const sync = syncOptions(options.syncFollowers, options.syncTimeoutMs);
    const replica = { sync, leader, reach, note: kept, token, random: random ?? systemRandom };
    return await openOn(log, workers, disk, clock, report, options, replica);
  } catch (error) {
    await workers?.close();
    await log.close();
    throw error;
  }
}

async function openOn(
  log: Log,
  workers: Workers | null,
  disk: Disk,
  clock: Clock,
  report: (message: string) => void,
  options: OpenEngineOptions,
  replica: Pick<ReplicationParts, "sync" | "leader" | "reach" | "note" | "token" | "random">,
): Promise<Database> {
  for (const { id, schemaVersion, schema } of [CATALOG_ENTRY, TICK_ENTRY, SINK_ENTRY]) {
    log.registerTopic({ topicId: id, schemaVersion, schema });
  }
  const directory = joinPath(options.directory, CHECKPOINT_DIRECTORY);
  const found = await readManifest(disk, directory);
  let { manifest } = found;
  const rebuilt = (reason: string): void =>
    report(`the checkpoint is not used: ${reason}; everything is rebuilt from the log`);
  if (found.reason !== null) rebuilt(found.reason);
  // A log without commits has no id yet that it would keep, and a checkpoint at its beginning is one of any log.
  const logId = logIdText(log.logId);
  if (manifest !== null && manifest.position > 0 && (manifest.logId ?? logId) !== logId) {
    rebuilt("it is of another log");
    manifest = null;
  } else if (manifest !== null && manifest.position > log.durablePosition) {
    // A replica's: it gets what it lacks from its leader.
    rebuilt("it is ahead of the log");
    manifest = null;
  }
  const routines = routinesByName(options.functions ?? []);
  const handles = new Map((options.views ?? []).map((v) => [v.name, v]));
  const onFatal = options.onFatal ?? (() => {});
  const { recursion, functionTimeoutMs, slices = systemSlices } = options;
  for (;;) {
    const dictionary = new Dictionary();
    const { catalog, kept } = await readCatalog(log, manifest, routines);
    const memoryLimit = memoryLimitOf(options.memoryLimit);
    const limits = { recursion, functionTimeoutMs, limits: options.limits, memoryLimit };
    const runFiles = new RunFiles(disk, directory, report);
    const isUnused = manifest === null && (found.manifest !== null || found.reason !== null);
    if (isUnused) await removeManifest(disk, directory);
    await runFiles.start(manifest === null ? new Set() : runFilesOf(manifest));
    const { warm } = options;
    const core = new Core({
      log,
      catalog,
      dictionary,
      clock,
      slices,
      limits,
      runFiles,
      warm,
      workers,
      handles,
      report,
      onFatal,
    });
    const indexingOptions = { catalog, dictionary, memoryBytes: memoryLimit, report };
    const indexing = manifest === null ? null : Indexing.of(disk, directory, manifest, indexingOptions);
    try {
      if (manifest !== null) await restoreDictionary(disk, directory, manifest, dictionary, slices);
      compile(core, manifest);
      if (manifest !== null) {
        core.circuit.prepare();
        const stores = [...storesWithin(core, manifest), ...keepOldRows(core, kept)];
        await restoreStores(disk, directory, manifest, dictionary, stores, 1, indexing, slices);
        const timeUs = manifest.timeUs ?? Number.NEGATIVE_INFINITY;
        core.circuit.restored(1, timeUs);
        core.startAt(1, manifest.position, timeUs);
      }
    } catch (error) {
      if (manifest === null) throw error;
      // It is a copy: whatever is wrong with it, the log has the truth.
      rebuilt(toEvertError(error).message);
      core.retire();
      await runFiles.close();
      manifest = null;
      continue;
    } finally {
      indexing?.end();
    }
    const last = manifest ?? found.manifest;
    const used = last === null ? null : { manifest: last, restored: manifest !== null };
    const life = new Lifecycle(core, disk, directory, used, report, replica);
    await life.start(
      options.topics ?? [],
      options.views ?? [],
      options.checkpointIntervalMs ?? CHECKPOINT_INTERVAL_MS,
      options.answerWhileCatchingUp === true && manifest !== null,
    );
    return new Database(core, life);
  }
}

/**
 * A checkpoint is taken of what is on the disk: where it has met more, the log had more, and it may have been acknowledged. A checkpoint that is of
 * no other use, as that of another version, knows it as well.
 * @throws EvertError log_damaged
 */
async function refuseShorter(found: FoundEnd, disk: Disk, directory: string): Promise<void> {
  const reached = await checkpointed(disk, joinPath(directory, CHECKPOINT_DIRECTORY));
  if (reached === null || !lacksEnd(found, reached)) return;
  const end = found.lastPosition;
  const last = end === 0 ? "is empty" : `ends at position ${end}`;
  throw new EvertError("log_damaged", `the log ${last}, and had come to position ${reached.position}`, {
    detail: `${CHECKPOINT_DIRECTORY}/ was made of what it had then. A server that went on would give the positions of what is lost to other commits.`,
    hint:
      end === 0
        ? `Restore a backup. If the log is to begin anew, remove ${CHECKPOINT_DIRECTORY}/ as well.`
        : `Restore a backup; without one, \`evert check --repair\` keeps what is left. If you have put an earlier log there yourself, or copied both while a server ran, remove ${CHECKPOINT_DIRECTORY}/: it is made anew.`,
  });
}
