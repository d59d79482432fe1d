/**
 * From a backup to a data directory, whole or as it was at an earlier position or time.
 *
 * Everything is made in DATA/restoring and verified there, every byte; then its files move to DATA/log, the newest first: while they do, the first
 * segment is missing, and a server refuses to start. Before, a mark in DATA/log has it refuse: an empty log would pass for a new one. What a restore
 * that was refused has made goes; what one that was killed has left is written over by the next.
 *
 * As it was earlier: the copy is opened as a log. Its sealed segments before the last commit wanted are taken over; the commits behind them are
 * appended, one by one, to a new one that is told their times, up to the last one wanted. Positions, offsets, times and idempotency keys are the
 * same; the log is another by its id.
 */
import { assert } from "../base/assert.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { type Disk, joinPath, readFully, writeFully } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import type { Batch } from "../batch/batch.ts";
import { sliceBatch } from "../batch/column.ts";
import { batchBytes } from "../batch/commit-bytes.ts";
import { type BackupManifest, readManifest } from "../log/backup.ts";
import { checkLog } from "../log/check.ts";
import { copySealed, recordsGone } from "../log/copy-sealed.ts";
import { LOG_DIRECTORY, lockDirectory } from "../log/lock.ts";
import type { CommitInfo, Group, Log } from "../log/log.ts";
import { randomLogId } from "../log/log-id.ts";
import { offsetOf } from "../log/offsets.ts";
import { openLog } from "../log/open-log.ts";
import { isLeftover, isSystems, RESTORE_BEGUN } from "../log/segment.ts";
import type { TopicEntry } from "./catalog/catalog.ts";
import { catalogEvents } from "./catalog/definitions.ts";
import { CATALOG_ENTRY, CATALOG_TOPIC, SINK_ENTRY, TICK_ENTRY } from "./catalog/hidden-topics.ts";
import { CHECKPOINT_DIRECTORY } from "./checkpoint/checkpointing.ts";
import { logTopicsOf } from "./evolution/evolved.ts";
import { OWN_TABLES } from "./own/own-tables.ts";

const RESTORING = "restoring";
const COPY_BYTES = 1 << 20;
/** There while files move. */
const MOVING = "moving";
const POSITION_DIGITS = 20;
/** What a commit takes beside its columns, at most about. */
const COMMIT_BYTES = 4096;

/** The last commit wanted: at this position, or the last of this time (microseconds since 1970). */
export type RestoreTo = { readonly position: number } | { readonly timeUs: number };

export interface RestoreOptions {
  readonly backup: string;
  /** The data directory that is made. */
  readonly directory: string;
  readonly disk: Disk;
  readonly to?: RestoreTo | undefined;
  /** Told how much is done: bytes copied; then, with `to`, positions appended. */
  readonly onProgress?: ((done: number, total: number, unit: "bytes" | "rows") => void) | undefined;
}

export interface RestoreReport {
  readonly position: number;
  readonly bytes: number;
}

/** @throws EvertError not_found: no backup; invalid_request: the data directory has a log, or the position is not in the backup; log_damaged */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const { backup, directory, disk, to } = options;
  const manifest = await readManifest(disk, backup);
  if (manifest === null) {
    throw new EvertError("not_found", `${backup} is no backup`, { hint: "evert backup makes one." });
  }
  if (to !== undefined && "position" in to && to.position > manifest.position) {
    throw new EvertError("invalid_request", `the backup ends at position ${manifest.position}`, {
      detail: `It was taken at ${manifest.takenAt}.`,
    });
  }
  const restoring = joinPath(directory, RESTORING);
  await disk.makeDirectory(joinPath(directory, LOG_DIRECTORY));
  const lock = await lockDirectory(disk, directory);
  try {
    await refuseLog(disk, directory, manifest);
    const mark = joinPath(joinPath(directory, LOG_DIRECTORY), RESTORE_BEGUN);
    await (await disk.open(mark, "write")).close();
    await disk.syncDirectory(joinPath(directory, LOG_DIRECTORY));
    const copy = joinPath(restoring, "copy");
    const made = to === undefined ? copy : joinPath(restoring, "made");
    let report: RestoreReport;
    try {
      for (const part of new Set([copy, made])) await empty(disk, part);
      await copyFiles(options, manifest, joinPath(copy, LOG_DIRECTORY));
      report = await checkSound(disk, copy);
      if (to !== undefined) {
        await appendAnew(options, manifest, copy, made, to);
        report = await checkSound(disk, made);
      }
    } catch (error) {
      // What went wrong is what matters: a disk that does not even remove files leaves the mark, and the server says so.
      await removeAll(disk, restoring, mark).catch(() => {});
      throw error;
    }
    await moveAll(disk, made, directory);
    await disk.unlink(mark);
    return report;
  } finally {
    await lock.release();
  }
}

async function removeAll(disk: Disk, restoring: string, mark: string): Promise<void> {
  await disk.removeTree(restoring);
  await disk.unlink(mark);
}

/** What an earlier restore has begun to move goes. @throws EvertError where there is a log, or what was made from one */
async function refuseLog(disk: Disk, directory: string, { files }: BackupManifest): Promise<void> {
  const log = joinPath(directory, LOG_DIRECTORY);
  const names = (await disk.list(log)).filter((name) => name !== RESTORE_BEGUN && !isSystems(name));
  // The oldest file comes last.
  const isBegun = await exists(disk, joinPath(joinPath(directory, RESTORING), MOVING));
  const first = files[0]?.name.slice(0, POSITION_DIGITS) ?? "";
  if (names.some((name) => (!isBegun && !isLeftover(name)) || name.startsWith(first))) {
    throw new EvertError("invalid_request", `${directory} has a log already`, {
      hint: "Restore into a directory that is not there, or empty: nothing is written over.",
    });
  }
  // The server would start from it where it is not ahead of the restored log, be it of this log or of another.
  if (await exists(disk, joinPath(joinPath(directory, CHECKPOINT_DIRECTORY), "manifest"))) {
    throw new EvertError("invalid_request", `${directory} has a checkpoint of the log that was there`, {
      hint: `Restore into a directory that is not there, or empty; or remove its ${CHECKPOINT_DIRECTORY}/, which is made from the log.`,
    });
  }
  for (const name of names) await disk.unlink(joinPath(log, name));
}

async function exists(disk: Disk, path: string): Promise<boolean> {
  try {
    await (await disk.open(path, "read")).close();
    return true;
  } catch (error) {
    if (error instanceof EvertError && error.code === "not_found") return false;
    throw error;
  }
}

/** A data directory without a log in it. */
async function empty(disk: Disk, directory: string): Promise<void> {
  const log = joinPath(directory, LOG_DIRECTORY);
  await disk.makeDirectory(log);
  for (const name of await disk.list(log)) await disk.unlink(joinPath(log, name));
}

async function copyFiles(
  { backup, disk, onProgress }: RestoreOptions,
  { files }: BackupManifest,
  into: string,
): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const piece = new Uint8Array(COPY_BYTES);
  for (const { name, bytes } of files) {
    const source = await disk.open(joinPath(joinPath(backup, LOG_DIRECTORY), name), "read");
    const target = await disk.open(joinPath(into, name), "write");
    try {
      for (let at = 0; at < bytes; ) {
        const part = piece.subarray(0, Math.min(piece.length, bytes - at));
        if ((await readFully(source, part, at)) < part.length) {
          throw new EvertError("log_damaged", `${name} of the backup is too short`, {
            detail: `${backup} names ${bytes} bytes of it.`,
          });
        }
        await writeFully(target, part, at);
        at += part.length;
        done += part.length;
        onProgress?.(done, total, "bytes");
      }
      await target.datasync();
    } finally {
      await source.close();
      await target.close();
    }
  }
  await disk.syncDirectory(into);
}

/** @throws EvertError log_damaged */
async function checkSound(disk: Disk, directory: string): Promise<RestoreReport> {
  const { damages, tornTail, lastPosition, bytes } = await checkLog(directory, disk);
  const damage =
    damages[0] ?? (tornTail === null ? undefined : { ...tornTail, reason: "a frame is not whole" });
  if (damage === undefined) return { position: lastPosition, bytes };
  throw new EvertError("log_damaged", "the backup is damaged", {
    detail: `${damage.segment} at byte ${damage.byteOffset}: ${damage.reason}`,
    hint: "evert check --data BACKUP lists all that is damaged. Nothing has been restored.",
  });
}

/** Appends the commits of the log in `from` to a new one in `into`, up to the last wanted. */
async function appendAnew(
  { disk, onProgress }: RestoreOptions,
  manifest: BackupManifest,
  from: string,
  into: string,
  to: RestoreTo,
): Promise<void> {
  const clock = new ToldClock();
  const old = await openLog({ directory: from, disk, clock: systemClock });
  try {
    const wanted = "position" in to ? to.position : manifest.position;
    const timeUs = "timeUs" in to ? to.timeUs : Number.POSITIVE_INFINITY;
    const copied = await copySealed({
      disk,
      from: joinPath(from, LOG_DIRECTORY),
      into: joinPath(into, LOG_DIRECTORY),
      logId: randomLogId(systemRandom),
      position: wanted,
      timeUs,
    });
    const made = await openLog({ directory: into, disk, clock });
    try {
      const all = await definitionsIn(old);
      // What follows one that is not wanted is not wanted either, and may be in a form that is not known without it.
      const behind = all.find((d) => d.position > wanted || d.timeUs > timeUs);
      const last = behind === undefined ? wanted : Math.min(wanted, behind.position - 1);
      const definitions = all.filter((d) => d.position <= last);
      register([made], OWN_TOPICS);
      for (const { position, topics } of definitions)
        if (position <= copied.position) register([old, made], topics);
      const appending = { old, made, clock, last, timeUs, onProgress };
      let at = copied.position + 1;
      let goesOn = true;
      for (const { position, topics } of definitions) {
        if (position < at || !goesOn) continue;
        goesOn =
          (await appendRange(appending, at, position - 1)) &&
          (await appendRange(appending, position, position));
        if (goesOn) register([old, made], topics);
        at = position + 1;
      }
      if (goesOn) await appendRange(appending, at, last);
      // Of a time, which is not known to be before it until then.
      if (made.lastPosition < copied.horizon) throw recordsGone(copied.horizon);
    } finally {
      await made.close();
    }
  } finally {
    await old.close();
  }
}

const OWN_TOPICS = [CATALOG_ENTRY, TICK_ENTRY, SINK_ENTRY, ...OWN_TABLES];

/** A commit that defines topics, or newer schemas of some. */
interface Definition {
  readonly position: number;
  readonly timeUs: number;
  readonly topics: readonly TopicEntry[];
}

/**
 * All that there have ever been, in their order: the log keeps the records of those that were dropped. Each is registered when the log made has come
 * to it: what stands before it is read, and written, in the schemas of then, since whoever follows that log knows no others there. Only as what it
 * was first a topic is known to the old log from the beginning: a sealed segment is read by its topics.
 */
async function definitionsIn(log: Log): Promise<Definition[]> {
  register([log], OWN_TOPICS);
  const definitions: Definition[] = [];
  for await (const { commits, batches } of log.read({ from: 1, topics: new Set([CATALOG_TOPIC]) }))
    for (const batch of batches) {
      const events = [...catalogEvents(batch)];
      batch.commitIndexes.forEach((index, i) => {
        const { position, timeUs } = commits[index]!;
        const topics: TopicEntry[] = [];
        for (const event of events.slice(i === 0 ? 0 : batch.commitEnds[i - 1], batch.commitEnds[i])) {
          if ((event.event !== "create" && event.event !== "alter") || event.entry.kind !== "topic") continue;
          topics.push(event.entry);
          if (event.event === "create") register([log], [event.entry]);
        }
        definitions.push({ position, timeUs, topics });
      });
    }
  return definitions;
}

function register(logs: readonly Log[], entries: readonly TopicEntry[]): void {
  for (const entry of entries)
    for (const topic of logTopicsOf(entry)) for (const log of logs) log.registerTopic(topic);
}

interface Appending {
  readonly old: Log;
  readonly made: Log;
  readonly clock: ToldClock;
  readonly last: number;
  readonly timeUs: number;
  readonly onProgress: RestoreOptions["onProgress"];
}

/** Commits from..to, in groups of their own. False: one was not wanted any more. */
async function appendRange(
  { old, made, clock, last, timeUs, onProgress }: Appending,
  from: number,
  to: number,
): Promise<boolean> {
  if (from > to) return true;
  for await (const group of old.read({ from, to })) {
    const appended = await appendGroup(made, clock, group, Math.min(last, to), timeUs);
    onProgress?.(made.lastPosition, last, "rows");
    if (!appended) return made.lastPosition >= to;
  }
  made.seal();
  return true;
}

/** False: a commit was not wanted any more. */
async function appendGroup(
  log: Log,
  clock: ToldClock,
  { commits, batches }: Group,
  last: number,
  timeUs: number,
): Promise<boolean> {
  /** By batch: which of its commits is next, and its first row. */
  const at = batches.map(() => ({ commit: 0, row: 0 }));
  for (const [c, commit] of commits.entries()) {
    if (commit.position > last || commit.timeUs > timeUs) return false;
    const parts: { topicId: number; rows: Batch; ops: Uint8Array | null; nextOffset: number }[] = [];
    batches.forEach((rows, b) => {
      const { topicId, batch, ops, commitIndexes, commitEnds } = rows;
      const place = at[b]!;
      if (commitIndexes[place.commit] !== c) return;
      const end = commitEnds[place.commit]!;
      const before = parts.findLast((part) => part.topicId === topicId);
      const next = before === undefined ? log.topicEnd(topicId) : before.nextOffset;
      if (offsetOf(rows, end - 1) !== next + end - place.row - 1) throw rowsLost(commit.position);
      parts.push({
        topicId,
        rows: sliceBatch(batch, place.row, end),
        ops: ops?.slice(place.row, end) ?? null,
        nextOffset: next + end - place.row,
      });
      at[b] = { commit: place.commit + 1, row: end };
    });
    assert(commit.position === log.lastPosition + 1, "commits are appended in their order");
    clock.us = commit.timeUs;
    await appendCommit(log, commit, parts);
  }
  return true;
}

/** A repair has left commits without the rows that they had: appended anew, those behind them would get the offsets of what is lost. */
function rowsLost(position: number): EvertError {
  return new EvertError(
    "records_gone",
    `records before position ${position} are lost, as a repair has found`,
    {
      detail:
        "The backup has the records behind them in one file with commits that are not wanted, and they cannot be taken out of it under their offsets.",
      hint: `Restore to a position before ${position}, or all of it, without --to.`,
    },
  );
}

async function appendCommit(
  log: Log,
  { idempotencyKey, requestDigest }: CommitInfo,
  parts: readonly { readonly topicId: number; readonly rows: Batch; readonly ops: Uint8Array | null }[],
): Promise<void> {
  for (let bytes = COMMIT_BYTES + parts.reduce((sum, { rows }) => sum + batchBytes(rows), 0); ; bytes *= 2) {
    for (let wait = log.room(bytes); wait !== null; wait = log.room(bytes)) await wait;
    const draft = log.begin({ idempotencyKey, requestDigest });
    try {
      for (const { topicId, rows, ops } of parts) draft.appendBatch(topicId, rows, ops);
    } catch (error) {
      draft.rollback();
      throw error;
    }
    try {
      // A failure of the disk is met by the next, or by close().
      draft.commit().durable.catch(() => {});
      return;
    } catch (error) {
      if (!(error instanceof EvertError) || error.code !== "too_many_requests") throw error;
    }
  }
}

/** The newest first: without its first file a log is not opened. */
async function moveAll(disk: Disk, made: string, directory: string): Promise<void> {
  const [from, into] = [joinPath(made, LOG_DIRECTORY), joinPath(directory, LOG_DIRECTORY)];
  const restoring = joinPath(directory, RESTORING);
  const marker = joinPath(restoring, MOVING);
  await (await disk.open(marker, "write")).close();
  await disk.syncDirectory(restoring);
  for (const name of (await disk.list(from)).reverse()) {
    await disk.rename(joinPath(from, name), joinPath(into, name));
    await disk.syncDirectory(into);
  }
  await disk.removeTree(restoring);
  await disk.syncDirectory(directory);
}

/** Says the time that a commit had. */
class ToldClock implements Clock {
  us = 0;

  wallUs(): number {
    return this.us;
  }

  monotonicUs(): number {
    return this.us;
  }
}
