/**
 * Checkpoints: the stores and the position they reflect, in files beside the log. A copy, never the truth: anything doubtful about it and the log
 * is replayed instead.
 *
 *   DATA/checkpoint/rows-<n>      sections of blocks (state/checkpoint.ts): first everything, then what changed, appended
 *   DATA/checkpoint/run-<n>       rows that are not in memory (state/cold): written once, before or beside checkpoints
 *   DATA/checkpoint/manifest      one JSON document: which file, how many bytes of it count, at which position, of which stores
 *
 * 1. At a boundary between two steps the touched slots of every store are taken and every store is pinned at that epoch. That is all that happens
 *    while steps wait; it costs what changed.
 * 2. Blocks are made a slice at a time and written behind what is there, while steps go on. What was written is synced every few mebibytes: commits
 *    wait for the same disk, behind as much as is synced at once.
 * 3. When the log is durable up to the position, the rows file is synced, the manifest written beside, synced, the directory too where files are new,
 *    the manifest renamed over the old one, the directory synced. A crash at any moment leaves the old manifest or the new one, each naming bytes
 *    that are there.
 * 4. When the file holds more than twice what is alive, the next checkpoint starts a new file with everything and removes the old one.
 */
import { crc32 } from "node:zlib";
import { type Disk, type DiskFile, joinPath, writeFully } from "../../base/disk.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { readWhole, writeWhole } from "../../base/small-file.ts";
import type { Field } from "../../batch/schema.ts";
import type { SqlType } from "../../batch/types.ts";
import type { OrderItem } from "../../plan/plan.ts";
import { BlockBuffer, FLUSH_BYTES } from "../../state/block-buffer.ts";
import { captureCold, captureDictionary, captureStore } from "../../state/checkpoint.ts";
import type { ColdCapture } from "../../state/cold/captures.ts";
import type { KeptLinks, KeptRun } from "../../state/cold/kept.ts";
import type { RunFiles } from "../../state/cold/run-files.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { Store } from "../../state/store.ts";

/** Changes whenever a store's rows or an operator's use of them change meaning; older checkpoints are then rebuilt. */
export const STATE_FORMAT = 7;
const MANIFEST_BYTES_MAX = 1 << 28;

export interface StoreHandle {
  /** Stable over restarts for the same plans. */
  readonly id: string;
  readonly store: Store;
}

export interface Manifest {
  readonly format: number;
  /** Of the log that it reflects (logIdText); older manifests do not say. */
  readonly logId?: string;
  readonly position: number;
  readonly file: string;
  readonly bytes: number;
  /** Of them, what the first section took. */
  readonly baseBytes: number;
  /** The sections: bytes from..rows hold the dictionary's blocks, rows..to the stores'. */
  readonly sections: readonly Section[];
  readonly catalog: unknown;
  /** The last id that the catalog gave; older manifests do not say. */
  readonly lastId?: number;
  /** View id -> fingerprint of what made its rows. */
  readonly views: Readonly<Record<string, string>>;
  /** View id -> the rows it shows, for who does not have the code that made them. Older manifests do not say. */
  readonly rows?: Readonly<Record<string, KeptRows>>;
  /** The log's time at the position; older manifests do not say. */
  readonly timeUs?: number;
  /** By place; null: no longer kept. */
  readonly stores: readonly ({
    readonly id: string;
    readonly strideWords: number;
    readonly slots: number;
    /** Files of rows that are not in memory; absent: there are none. */
    readonly runs?: readonly KeptRun[];
    /** Files of how those are found otherwise than by their key; absent: they are not. */
    readonly links?: readonly KeptLinks[];
  } | null)[];
}

/** Where a view's rows are, what they reflect and how they are read. */
export interface KeptRows {
  readonly store: string;
  readonly position: number;
  readonly columns: readonly { readonly type: SqlType; readonly nullable: boolean }[];
  readonly fields: readonly Field[];
  readonly key: readonly number[] | null;
  readonly order: readonly OrderItem[];
}

interface Section {
  readonly from: number;
  readonly rows: number;
  readonly to: number;
}

/** What a checkpoint is taken of. */
export interface CheckpointSource {
  readonly dictionary: Dictionary;
  readonly runFiles: RunFiles;
  stores(): Iterable<StoreHandle>;
  /** Runs between two steps. */
  atBoundary(run: () => void): Promise<void>;
  current(): { epoch: number; position: number; timeUs: number };
  /** Resolves when the log is durable up to the position. */
  durable(position: number): Promise<void>;
  /** Gives a turn of the event loop to work that can wait, and when it should end (performance.now()). */
  turn(): Promise<number>;
  describe(): Described;
}

/** Of one length, for manifests of one length. */
export function logIdText(logId: number): string {
  return logId.toString(16).padStart(14, "0");
}

type Described = Pick<Manifest, "logId" | "catalog" | "lastId" | "views" | "rows">;

interface Capture {
  readonly position: number;
  readonly timeUs: number;
  readonly epoch: number;
  readonly dictionary: Int32Array | null;
  readonly parts: readonly {
    readonly place: number;
    readonly store: Store;
    readonly touched: Int32Array | null;
    readonly cold: ColdCapture | null;
  }[];
  readonly described: Described;
  readonly release: () => void;
}

/** In the data directory. */
export const CHECKPOINT_DIRECTORY = "checkpoint";
/** Written without a sync, at most, and a flush more. */
const SYNC_BYTES = 4 << 20;

export class Checkpointer {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #source: CheckpointSource;
  #file: DiskFile | null = null;
  #fileName = "";
  #bytes = 0;
  #baseBytes = 0;
  #sections: Section[] = [];
  #generation: number;
  /** Stores in this file, by place. */
  #places: (StoreHandle | null)[] = [];
  #running: Promise<void> | null = null;
  #position: number;
  /** The views of the last published checkpoint, as JSON. */
  #views: string;
  /** Files whose names are on the disk for sure. */
  #lasting: ReadonlySet<string> = new Set();

  /** `last` is the manifest found at start, used or not; `restored`, whether the stores now hold what it says. */
  constructor(
    disk: Disk,
    directory: string,
    source: CheckpointSource,
    last: { readonly manifest: Manifest; readonly restored: boolean } | null,
  ) {
    this.#disk = disk;
    this.#directory = directory;
    this.#source = source;
    this.#generation = last === null ? 0 : generationOf(last.manifest.file);
    this.#position = last?.restored === true ? last.manifest.position : 0;
    this.#views = JSON.stringify(last?.restored === true ? last.manifest.views : {});
    if (last?.restored !== true) return;
    // Go on behind the bytes the manifest names; what a crash left behind them counts for nothing and is written over.
    const handles = new Map([...source.stores()].map((h) => [h.id, h]));
    this.#places = last.manifest.stores.map((s) => (s === null ? null : (handles.get(s.id) ?? null)));
    this.#fileName = last.manifest.file;
    this.#bytes = last.manifest.bytes;
    this.#baseBytes = last.manifest.baseBytes;
    this.#sections = [...last.manifest.sections];
  }

  /** Position of the last published checkpoint. */
  get position(): number {
    return this.#position;
  }

  /** Takes a checkpoint; if one is under way, waits for that and then takes one if anything came since. */
  async take(): Promise<void> {
    while (this.#running !== null) await this.#running;
    if (!this.#anythingNew()) return;
    this.#running = this.#take().finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  /** Writes everything anew into a file of its own: of what is gone by now nothing stays in any checkpoint. */
  async renew(): Promise<void> {
    while (this.#running !== null) await this.#running;
    this.#fileName = "";
    this.#running = this.#take().finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  /** Commits, or a view that was built or dropped since, which no commit need follow. */
  #anythingNew(): boolean {
    return (
      this.#source.current().position > this.#position ||
      JSON.stringify(this.#source.describe().views) !== this.#views
    );
  }

  async close(): Promise<void> {
    while (this.#running !== null) await this.#running.catch(() => {});
    await this.#file?.close();
    this.#file = null;
  }

  async #take(): Promise<void> {
    const fresh = this.#fileName === "" || this.#bytes > 2 * this.#baseBytes + (32 << 20);
    const previous = fresh ? this.#file : null;
    const captured: Capture[] = [];
    try {
      await this.#source.atBoundary(() => {
        captured.push(this.#capture(fresh));
      });
      const taken = captured[0] as Capture;
      if (fresh) await this.#startFile();
      this.#file ??= await this.#disk.open(joinPath(this.#directory, this.#fileName), "write");
      await this.#write(taken);
      await this.#source.durable(taken.position);
      await (this.#file as DiskFile).datasync();
      if (fresh) this.#baseBytes = this.#bytes;
      await this.#publish(taken);
    } catch (error) {
      // The touched slots are spent, all or some of them: the next checkpoint must hold everything again.
      for (const file of new Set([this.#file, previous])) await file?.close().catch(() => {});
      this.#file = null;
      this.#fileName = "";
      throw error;
    } finally {
      for (const taken of captured) taken.release();
    }
    await previous?.close();
    if (fresh) await this.#removeOthers();
  }

  #capture(fresh: boolean): Capture {
    const { epoch, position, timeUs } = this.#source.current();
    if (fresh) this.#places = [];
    const known = new Map(
      this.#places.flatMap((h, place) => (h === null ? [] : [[h.store, place] as const])),
    );
    const seen = new Set<number>();
    const parts: Capture["parts"][number][] = [];
    for (const handle of this.#source.stores()) {
      const touched = handle.store.takeTouched();
      let place = known.get(handle.store);
      const isNew = place === undefined;
      if (place === undefined) place = this.#places.push(handle) - 1;
      seen.add(place);
      const cold = handle.store.cold?.capture(isNew ? null : touched) ?? null;
      parts.push({ place, store: handle.store, touched: isNew ? null : touched, cold });
    }
    this.#places = this.#places.map((h, place) => (seen.has(place) ? h : null));
    const dictionary = this.#source.dictionary.takeTouched();
    // Rows that may go to disk do so meanwhile: what is captured of them is known.
    const pins = parts.map((p) => p.store.pin(epoch, p.cold !== null));
    return {
      epoch,
      position,
      timeUs,
      parts,
      dictionary: fresh ? null : dictionary,
      described: this.#source.describe(),
      release: () => {
        for (const pin of pins) pin.release();
        for (const { cold } of parts) cold?.release();
      },
    };
  }

  async #startFile(): Promise<void> {
    await this.#disk.makeDirectory(this.#directory);
    this.#generation++;
    this.#fileName = `rows-${this.#generation}`;
    this.#file = await this.#disk.open(joinPath(this.#directory, this.#fileName), "write");
    await this.#file.truncate(0);
    this.#bytes = 0;
    this.#sections = [];
  }

  async #write(capture: Capture): Promise<void> {
    const file = this.#file as DiskFile;
    const out = new BlockBuffer();
    const from = this.#bytes;
    let rows = from;
    let synced = from;
    const flush = async (): Promise<void> => {
      if (out.length === 0) return;
      await writeFully(file, out.bytes.subarray(0, out.length), this.#bytes);
      this.#bytes += out.length;
      out.clear();
      if (this.#bytes - synced < SYNC_BYTES) return;
      await file.datasync();
      synced = this.#bytes;
    };
    const blocks = this.#blocks(capture, out, () => {
      rows = this.#bytes + out.length;
    });
    let sliceEnds = await this.#source.turn();
    for (const _ of blocks) {
      if (out.length >= FLUSH_BYTES) await flush();
      else if (performance.now() < sliceEnds) continue;
      sliceEnds = await this.#source.turn();
    }
    await flush();
    this.#sections.push({ from, rows, to: this.#bytes });
  }

  *#blocks(capture: Capture, out: BlockBuffer, rowsBegin: () => void): Generator<void> {
    yield* captureDictionary(this.#source.dictionary, capture.dictionary, out);
    rowsBegin();
    for (const { place, store, touched, cold } of capture.parts) {
      yield* captureStore(place, store, capture.epoch, touched, out, cold);
      if (cold !== null) yield* captureCold(place, cold, out);
    }
  }

  async #publish(capture: Capture): Promise<void> {
    const colds = new Map(capture.parts.map(({ place, cold }) => [place, cold]));
    for (const { cold } of capture.parts) await cold?.sync();
    const manifest: Manifest = {
      format: STATE_FORMAT,
      position: capture.position,
      ...(Number.isFinite(capture.timeUs) ? { timeUs: capture.timeUs } : {}),
      file: this.#fileName,
      bytes: this.#bytes,
      baseBytes: this.#baseBytes,
      sections: this.#sections,
      ...capture.described,
      stores: this.#places.map((h, place) => {
        if (h === null) return null;
        const { runs = [], links = [] } = colds.get(place) ?? {};
        return {
          id: h.id,
          strideWords: h.store.layout.strideWords,
          slots: h.store.highWater,
          ...(runs.length === 0 ? {} : { runs }),
          ...(links.length === 0 ? {} : { links }),
        };
      }),
    };
    const temporary = joinPath(this.#directory, "manifest.new");
    await writeWhole(this.#disk, temporary, encodeManifest(manifest));
    // A file system may keep the manifest's name and lose those of new files, made before it.
    const needed = runFilesOf(manifest).add(this.#fileName);
    if ([...needed].some((name) => !this.#lasting.has(name))) await this.#disk.syncDirectory(this.#directory);
    this.#lasting = needed;
    const { runFiles } = this.#source;
    const refuseDamaged = (): void => {
      if (!runFiles.isWithdrawn) return;
      throw new EvertError("log_damaged", "no checkpoint is published that needs a damaged file");
    };
    refuseDamaged();
    runFiles.publishing(runFilesOf(manifest));
    await this.#disk.rename(temporary, joinPath(this.#directory, "manifest"));
    await this.#disk.syncDirectory(this.#directory);
    if (runFiles.isWithdrawn) await removeManifest(this.#disk, this.#directory);
    refuseDamaged();
    await runFiles.published(runFilesOf(manifest));
    this.#position = capture.position;
    this.#views = JSON.stringify(capture.described.views);
  }

  async #removeOthers(): Promise<void> {
    for (const name of await this.#disk.list(this.#directory)) {
      if (name.startsWith("rows-") && name !== this.#fileName)
        await this.#disk.unlink(joinPath(this.#directory, name));
    }
  }
}

/** Names of the files of cold rows that it needs. */
export function runFilesOf({ stores }: Manifest): Set<string> {
  const runs = stores.flatMap((s) => [
    ...(s?.runs ?? []),
    ...(s?.links?.flatMap((links) => links.runs) ?? []),
  ]);
  return new Set(runs.map(({ file }) => file));
}

/** One line of JSON, one with its checksum. */
function encodeManifest(manifest: Manifest): Uint8Array {
  const json = JSON.stringify(manifest);
  return new TextEncoder().encode(`${json}\n${crc32(json)}\n`);
}

/** @throws EvertError log_damaged. */
function decodeManifest(text: string): Manifest {
  const [json, checksum] = text.split("\n") as [string, string | undefined];
  if (checksum !== String(crc32(json)))
    throw new EvertError("log_damaged", "the checksum of the checkpoint's manifest does not match");
  return JSON.parse(json) as Manifest;
}

/** No checkpoint is there any more, not after a power cut either: only then may files go that it names. */
export async function removeManifest(disk: Disk, directory: string): Promise<void> {
  const path = joinPath(directory, "manifest");
  try {
    await disk.unlink(path);
  } catch (error) {
    // Another has removed it, which may not have reached the disk.
    if (toEvertError(error).code !== "not_found") throw error;
  }
  await disk.syncDirectory(directory);
}

/** The newest manifest, or null when there is none that can be used; `reason` then says why. */
export async function readManifest(
  disk: Disk,
  directory: string,
): Promise<{ manifest: Manifest | null; reason: string | null }> {
  try {
    const manifest = await readAny(disk, directory);
    if (manifest === null) {
      // The process that removed it may have died before that was on the disk: it would come back after the files that it names are gone.
      await syncNames(disk, directory);
      return { manifest: null, reason: null };
    }
    // The process that gave it its name may have died before that was on the disk. From now on it is built upon: what it has met may be taken out of
    // the log.
    await disk.syncDirectory(directory);
    if (manifest.format === STATE_FORMAT) return { manifest, reason: null };
    return { manifest: null, reason: `it has format ${manifest.format}` };
  } catch (error) {
    return { manifest: null, reason: toEvertError(error).message };
  }
}

/** How far the log had come, on the disk, when the checkpoint was taken; null: there is none that can be read. */
export async function checkpointed(
  disk: Disk,
  directory: string,
): Promise<{ readonly position: number; readonly logId: number | null } | null> {
  try {
    const manifest = await readAny(disk, directory);
    if (manifest === null) return null;
    const { position, logId } = manifest;
    return { position, logId: logId === undefined ? null : Number.parseInt(logId, 16) };
  } catch (error) {
    // It is only a witness: without it the log speaks for itself.
    if (error instanceof EvertError) return null;
    throw error;
  }
}

/** The manifest as it stands, of whatever format; null: there is none. @throws EvertError log_damaged, io_error */
async function readAny(disk: Disk, directory: string): Promise<Manifest | null> {
  const bytes = await readWhole(disk, joinPath(directory, "manifest"), MANIFEST_BYTES_MAX);
  return bytes === null ? null : decodeManifest(new TextDecoder().decode(bytes));
}

async function syncNames(disk: Disk, directory: string): Promise<void> {
  try {
    await disk.syncDirectory(directory);
  } catch (error) {
    // There is no directory before the first file.
    if (toEvertError(error).code !== "not_found") throw error;
  }
}

function generationOf(file: string): number {
  return Number(/^rows-(\d+)$/.exec(file)?.[1] ?? 0);
}
