/**
 * A damaged log made sound: what can be kept stays, under the same positions and offsets, and what is lost is named.
 *
 * 1. All that is sound is found (survey.ts) and put in order (pieces.ts). A file that is one piece as it stands stays as it is. Of the others, and in
 *    the place of what is lost, files are made in DATA/repairing (salvage.ts), synced, and read back.
 * 2. The plan of the moves is written into DATA/log, synced. While it is there no server opens the log, and who repairs again goes on with it: a
 *    crash from here on leaves nothing that is not finished by then.
 * 3. Damaged files are moved to DATA/damaged-TIME, none is changed or removed. What was made takes their place. What the engine had derived from the
 *    log goes, since it may show what is lost. The plan is removed.
 *
 * No file has a name that another content had: what is made of a sealed segment is its next generation.
 */
import { decodeUtf8, encodeUtf8 } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { type Disk, joinPath } from "../../base/disk.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { readWhole, writeWhole } from "../../base/small-file.ts";
import { BACKUP_FILE } from "../backup.ts";
import { checkLocked, checkLog, type Damage, type OlderForm } from "../check.ts";
import { LOG_DIRECTORY, lockDirectory } from "../lock.ts";
import type { Reached } from "../reached.ts";
import { parseSegmentName, REPAIR_PLAN, sealedName, segmentName } from "../segment.ts";
import { type FramesPiece, type Piece, piecesOf } from "./pieces.ts";
import {
  checkMade,
  copyFrames,
  type LostKeys,
  type LostRows,
  type Stretch,
  salvage,
  writeLost,
} from "./salvage.ts";
import { type Survey, surveyLog } from "./survey.ts";

const REPAIRING = "repairing";
const NEW_PLAN = "plan";
const PLAN_BYTES_MAX = 1 << 28;
/** Says in the directory of what was moved aside what is gone. */
const REPORT_FILE = "lost.json";

export interface RepairOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly clock: Clock;
  /** Names in the data directory of what is made from the log: they go. */
  readonly derived: readonly string[];
  /** As of checkLog. */
  readonly reached?: Reached | null;
}

export interface RepairReport {
  /** What was damaged, by place. */
  readonly damages: readonly Damage[];
  /** Positions whose commits are lost: they stand there without rows. */
  readonly positions: readonly { readonly first: number; readonly last: number }[];
  /** Rows that are known to be lost. */
  readonly rows: readonly LostRows[];
  /** Positions of commits among which some have lost their idempotency keys, and nothing else. */
  readonly keys: readonly LostKeys[];
  /** Segments of which an earlier form was sound and took the place of a later one. */
  readonly older: readonly OlderForm[];
  readonly commits: number;
  readonly lastPosition: number;
  /** In the data directory: where the damaged files are now. */
  readonly aside: string;
  readonly moved: readonly string[];
}

interface Plan extends Omit<RepairReport, "commits" | "lastPosition"> {
  /** Files that were made, which take their place in the log. */
  readonly made: readonly string[];
}

/**
 * REQUIRES that no process has the log open.
 * @throws EvertError invalid_request where nothing is damaged; log_damaged where nothing is left; directory_locked, format_unsupported, disk_full,
 * io_error
 */
export async function repairLog(options: RepairOptions): Promise<RepairReport> {
  const { disk, directory } = options;
  if ((await disk.list(directory)).includes(BACKUP_FILE))
    throw new EvertError("invalid_request", `${directory} is a backup`, {
      hint: "Make another backup, of the log itself.",
    });
  const lock = await lockDirectory(disk, directory);
  let plan: Plan;
  try {
    plan = (await readPlan(disk, directory)) ?? (await prepare(options));
    await carryOut(options, plan);
  } finally {
    await lock.release();
  }
  const { damages, commits, lastPosition } = await checkLog(directory, disk);
  if (damages.length > 0)
    throw new EvertError("internal", "the log is damaged still after its repair", {
      detail: `${damages[0]!.segment} at byte ${damages[0]!.byteOffset}: ${damages[0]!.reason}`,
      hint: `The files as they were lie in ${plan.aside}.`,
    });
  const { made: _, ...report } = plan;
  // A plan of an earlier version that did not end says nothing of these.
  return { ...report, keys: report.keys ?? [], older: report.older ?? [], commits, lastPosition };
}

/** Makes what is to be put in the place of what is damaged, and the plan. */
async function prepare({ disk, directory, clock, reached = null }: RepairOptions): Promise<Plan> {
  const log = joinPath(directory, LOG_DIRECTORY);
  const repairing = joinPath(directory, REPAIRING);
  const { damages } = await checkLocked(directory, disk, reached);
  if (damages.length === 0)
    throw new EvertError("invalid_request", "there is nothing to repair", {
      detail: "Every byte of the log is as it was written.",
    });
  const survey = await surveyLog(disk, log);
  if (survey === null)
    throw new EvertError("log_damaged", "nothing of the log can be read", {
      hint: "Restore a backup; nothing has been changed.",
    });
  // Lost commits at the end, where that much is known, keep their positions, too: nobody else is to get them.
  const known = damages.reduce((last, damage) => Math.max(last, damage.lastPosition ?? 0), 0);
  const pieces = await piecesOf(disk, survey, known);
  await disk.removeTree(repairing);
  await disk.makeDirectory(repairing);
  const maker = new Maker(disk, repairing, survey, damages);
  try {
    await maker.make(pieces);
  } catch (error) {
    // What is half made only takes room, of which there may be none.
    await disk.removeTree(repairing);
    throw error;
  }
  await disk.syncDirectory(repairing);
  const moved = survey.names.filter((name) => !maker.staying.has(name));
  return {
    damages,
    positions: pieces.flatMap((piece) =>
      piece.kind === "lost" ? [{ first: piece.firstPosition, last: piece.lastPosition }] : [],
    ),
    rows: maker.lost,
    keys: maker.keys,
    older: olderForms(pieces, moved),
    aside: `damaged-${new Date(clock.wallUs() / 1000).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`,
    moved,
    made: maker.made,
  };
}

/** Where what was taken is an earlier form than a damaged one that goes aside. */
function olderForms(pieces: readonly Piece[], moved: readonly string[]): RepairReport["older"] {
  return pieces.flatMap((piece) => {
    if (piece.kind === "lost") return [];
    const taken =
      piece.kind === "sealed"
        ? piece.file.segment
        : { name: piece.file.name, firstPosition: piece.firstPosition, generation: 0 };
    const later = moved
      .map((name) => ({ name, ...parseSegmentName(name)! }))
      .filter(({ form, firstPosition, generation }) => {
        return form === "sealed" && firstPosition === taken.firstPosition && generation > taken.generation;
      })
      .sort((a, b) => b.generation - a.generation)[0];
    return later === undefined ? [] : [{ segment: taken.name, instead: later.name }];
  });
}

class Maker {
  readonly made: string[] = [];
  readonly staying = new Set<string>();
  readonly lost: LostRows[] = [];
  readonly keys: LostKeys[] = [];
  readonly #disk: Disk;
  readonly #into: string;
  readonly #logId: number;
  readonly #names: readonly string[];
  readonly #damages: readonly Damage[];

  constructor(disk: Disk, into: string, { logId, names }: Survey, damages: readonly Damage[]) {
    this.#disk = disk;
    this.#into = into;
    this.#logId = logId;
    this.#names = names;
    this.#damages = damages;
  }

  async make(pieces: readonly Piece[]): Promise<void> {
    let frames: FramesPiece[] = [];
    const flush = async (): Promise<void> => {
      const some = frames;
      frames = [];
      if (some.some((piece) => piece.nextPosition > piece.firstPosition)) await this.#makeFrames(some);
    };
    for (const [i, piece] of pieces.entries()) {
      if (
        piece.kind === "frames" &&
        !(this.#isUndamaged(piece) && standsAsItIs(piece, pieces, i === pieces.length - 1))
      ) {
        frames.push(piece);
        continue;
      }
      await flush();
      if (piece.kind === "frames") this.staying.add(piece.file.name);
      else if (piece.kind === "lost") await this.#makeLost(piece);
      else await this.#makeSealed(piece);
    }
    await flush();
  }

  /** (That something before it is missing takes no bytes of it.) */
  #isUndamaged({ file: { name } }: FramesPiece): boolean {
    return !this.#damages.some(({ segment, bytes }) => segment === name && bytes > 0);
  }

  /** One segment of frames that follow one another, wherever they stood. */
  async #makeFrames(pieces: readonly FramesPiece[]): Promise<void> {
    const name = segmentName(pieces[0]!.firstPosition);
    const stretches = pieces.map(({ file: { path }, from, to }): Stretch => ({ path, from, to }));
    await copyFrames(this.#disk, stretches, joinPath(this.#into, name));
    this.made.push(name);
  }

  async #makeLost(piece: Piece & { readonly kind: "lost" }): Promise<void> {
    const { firstPosition, lastPosition, runs } = piece;
    const generation = this.#nextGeneration(firstPosition);
    const name = sealedName(firstPosition, generation);
    await writeLost(this.#disk, joinPath(this.#into, name), this.#logId, piece);
    await checkMade(this.#disk, this.#into, { name, firstPosition, generation });
    this.made.push(name);
    for (const { topicId, baseOffset, rows } of runs)
      this.lost.push({
        topicId,
        firstOffset: baseOffset,
        lastOffset: baseOffset + rows - 1,
        firstPosition,
        lastPosition,
      });
  }

  async #makeSealed({ file }: Piece & { readonly kind: "sealed" }): Promise<void> {
    const { firstPosition, generation: was } = file.segment;
    if (file.faults.length === 0 && file.name === sealedName(firstPosition, was)) {
      this.staying.add(file.name);
      return;
    }
    const generation = this.#nextGeneration(firstPosition);
    const name = sealedName(firstPosition, generation);
    const { lost, keys } = await salvage(this.#disk, file, joinPath(this.#into, name));
    this.lost.push(...lost);
    this.keys.push(...keys);
    await checkMade(this.#disk, this.#into, { name, firstPosition, generation });
    this.made.push(name);
  }

  /** None that a file of the log has, or has had: the one before is then the newest. */
  #nextGeneration(firstPosition: number): number {
    let next = 0;
    for (const name of this.#names) {
      const file = parseSegmentName(name)!;
      if (file.firstPosition !== firstPosition) continue;
      next = Math.max(next, file.generation + 1);
    }
    return next;
  }
}

/** Whether the piece is all of its file, under its name. Behind the last sound frame of the log a torn tail may stand: opening cuts it off. */
function standsAsItIs(piece: FramesPiece, pieces: readonly Piece[], isLast: boolean): boolean {
  const { file, from, firstPosition } = piece;
  const isAlone = pieces.every((other) => other === piece || other.kind === "lost" || other.file !== file);
  const isWhole = file.isUnbroken && from === 0 && (isLast || !file.hasTail);
  return isAlone && isWhole && takesAll(piece) && file.name === segmentName(firstPosition);
}

function takesAll({ file, to }: FramesPiece): boolean {
  return file.at.length > 0 && file.at.at(file.at.length - 1) < to;
}

// ---- carrying it out ----

async function carryOut({ disk, directory, derived }: RepairOptions, plan: Plan): Promise<void> {
  const log = joinPath(directory, LOG_DIRECTORY);
  const repairing = joinPath(directory, REPAIRING);
  const aside = joinPath(directory, plan.aside);
  await disk.makeDirectory(aside);
  await writeJson(disk, repairing, NEW_PLAN, plan);
  await disk.rename(joinPath(repairing, NEW_PLAN), joinPath(log, REPAIR_PLAN));
  await disk.syncDirectory(log);
  const { made: _, ...report } = plan;
  await writeJson(disk, aside, REPORT_FILE, report);
  await disk.syncDirectory(directory);
  const there = new Set(await disk.list(aside));
  for (const name of plan.moved)
    if (!there.has(name)) await disk.rename(joinPath(log, name), joinPath(aside, name));
  await disk.syncDirectory(aside);
  await disk.syncDirectory(log);
  const left = new Set(await disk.list(repairing));
  for (const name of plan.made)
    if (left.has(name)) await disk.rename(joinPath(repairing, name), joinPath(log, name));
  await disk.syncDirectory(log);
  for (const name of derived) await removeForGood(disk, joinPath(directory, name));
  await disk.syncDirectory(directory);
  await disk.unlink(joinPath(log, REPAIR_PLAN));
  await disk.syncDirectory(log);
  await disk.removeTree(repairing);
  await disk.syncDirectory(directory);
}

/** Not there after a power cut either: it shows what is lost, and once the plan is gone nobody removes it any more. */
async function removeForGood(disk: Disk, path: string): Promise<void> {
  let names: readonly string[];
  try {
    names = await disk.list(path);
  } catch (error) {
    if (toEvertError(error).code === "not_found") return;
    throw error;
  }
  for (const name of names) await disk.unlink(joinPath(path, name));
  await disk.syncDirectory(path);
  await disk.removeTree(path);
}

async function writeJson(disk: Disk, directory: string, name: string, content: object): Promise<void> {
  await writeWhole(disk, joinPath(directory, name), encodeUtf8(`${JSON.stringify(content, null, 2)}\n`));
  await disk.syncDirectory(directory);
}

/** Of a repair that did not end; null: there is none. */
async function readPlan(disk: Disk, directory: string): Promise<Plan | null> {
  const path = joinPath(joinPath(directory, LOG_DIRECTORY), REPAIR_PLAN);
  const bytes = await readWhole(disk, path, PLAN_BYTES_MAX);
  return bytes === null ? null : (JSON.parse(decodeUtf8(bytes, 0, bytes.length)) as Plan);
}
