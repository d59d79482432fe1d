/**
 * The files of runs, in one directory, and when each may go.
 *
 * A file is made, written once, read at will and never changed. It may go when nobody holds it and the newest checkpoint does not name it:
 * a checkpoint that does is what a crash would begin with. Files that neither the checkpoint nor anybody knows were left by a crash, and
 * go with the next sweep. No name is given twice as long as a checkpoint may have it: it would take the one file for the other.
 */
import { type Disk, type DiskFile, joinPath, readFully, writeFully } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import { ClosingFile } from "./closing-file.ts";

const NAME = /^run-(\d+)$/;
const REWRITE_BYTES = 1 << 20;

export class RunFile {
  readonly name: string;
  readonly path: string;
  readonly file: DiskFile;
  readonly #files: RunFiles;
  /** Written so far. */
  bytes = 0;
  #synced = false;
  /** A sync was begun and has not ended well. */
  #doubted = false;
  #holders = 1;

  constructor(files: RunFiles, name: string, file: DiskFile) {
    this.#files = files;
    this.name = name;
    this.path = file.path;
    this.file = file;
  }

  /** What has been written survives a power cut. */
  async sync(): Promise<void> {
    if (this.#synced) return;
    const { bytes } = this;
    // After a sync that failed the kernel takes for clean what may not be on the disk: it is written again.
    if (this.#doubted) await this.#rewrite(bytes);
    this.#doubted = true;
    await this.file.datasync();
    this.#doubted = false;
    this.#synced = bytes === this.bytes;
  }

  async #rewrite(bytes: number): Promise<void> {
    const piece = new Uint8Array(Math.min(bytes, REWRITE_BYTES));
    for (let at = 0; at < bytes; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, bytes - at));
      await readFully(this.file, part, at);
      await writeFully(this.file, part, at);
    }
  }

  wrote(bytes: number): void {
    this.bytes += bytes;
    this.#synced = false;
  }

  /** It stays, until released as often as held; whoever made or opened it holds it once. */
  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.#files.left(this);
  }

  /** It is damaged, and with it any checkpoint that names it. */
  withdraw(error: EvertError): void {
    this.#files.withdraw(error);
  }
}

export class RunFiles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #open = new Set<RunFile>();
  /** Of those that are open, or are being made. */
  readonly #names = new Set<string>();
  /** By the newest checkpoint. */
  #named: ReadonlySet<string> = new Set();
  #next = 1;
  #isClosed = false;
  #isWithdrawn = false;
  /** Told when a file is damaged: rows are lost, until a start makes them anew from the log. */
  onDamaged: (error: EvertError) => void = () => {};
  /** Removals under way, one behind the other. */
  #removing: Promise<void> = Promise.resolve();
  readonly #report: (message: string) => void;

  /** The directory of the checkpoints. */
  constructor(disk: Disk, directory: string, report: (message: string) => void) {
    this.#disk = disk;
    this.#directory = directory;
    this.#report = report;
  }

  /** Bytes of all files in use. */
  get bytes(): number {
    let bytes = 0;
    for (const file of this.#open) bytes += file.bytes;
    return bytes;
  }

  /** Whether a file was found damaged: no checkpoint of what there is now is to be published. */
  get isWithdrawn(): boolean {
    return this.#isWithdrawn;
  }

  /** Files open. */
  get count(): number {
    return this.#open.size;
  }

  /** Of the files in use. */
  get names(): string[] {
    return [...this.#names];
  }

  async create(): Promise<RunFile> {
    if (this.#isClosed) throw new EvertError("shutting_down", "no more rows go to disk");
    const name = `run-${this.#next++}`;
    this.#names.add(name);
    let file: DiskFile | null = null;
    try {
      await this.#disk.makeDirectory(this.#directory);
      file = await this.#disk.open(joinPath(this.#directory, name), "write");
      await file.truncate(0);
      return this.#opened(name, file);
    } catch (error) {
      // What there is of it is nobody's, and goes with the next sweep.
      this.#names.delete(name);
      await file?.close();
      throw error;
    }
  }

  /** One that a checkpoint names. */
  async open(name: string): Promise<RunFile> {
    const file = await this.#disk.open(joinPath(this.#directory, name), "read");
    const run = this.#opened(name, file);
    run.bytes = await file.size();
    return run;
  }

  #opened(name: string, file: DiskFile): RunFile {
    const run = new RunFile(this, name, new ClosingFile(file));
    this.#open.add(run);
    this.#names.add(name);
    return run;
  }

  /** Numbers begin behind those of all files that are there or named; what the checkpoint does not name goes. */
  async start(named: ReadonlySet<string>): Promise<void> {
    for (const name of [...(await this.#list()), ...named])
      this.#next = Math.max(this.#next, Number(NAME.exec(name)![1]) + 1);
    await this.published(named);
  }

  /** A checkpoint that names these files, too, may be the newest from now on: until published() says so, those of the one before stay with them. */
  publishing(named: ReadonlySet<string>): void {
    this.#named = new Set([...this.#named, ...named]);
  }

  /** A checkpoint that names these files is the newest. */
  published(named: ReadonlySet<string>): Promise<void> {
    this.#named = named;
    return this.#queue(async () => {
      for (const name of await this.#list())
        if (!named.has(name) && !this.#names.has(name)) await this.#unlink(name);
    });
  }

  left(run: RunFile): void {
    this.#open.delete(run);
    this.#names.delete(run.name);
    void this.#queue(async () => {
      await run.file.close();
      // Who opens the directory next decides about it.
      if (!this.#isClosed && !this.#named.has(run.name)) await this.#unlink(run.name);
    });
  }

  /**
   * Removes what nobody needs any more; false: one of these is still being read. What has been removed in the directory, of earlier checkpoints, too,
   * does not come back after a power cut. REQUIRES that a checkpoint which names none of these is published. @throws EvertError what kept it from it
   */
  async swept(names: readonly string[]): Promise<boolean> {
    await this.#removing;
    if (this.#isClosed) throw new EvertError("shutting_down", "the database is being closed");
    if (names.some((name) => this.#names.has(name))) return false;
    for (const name of await this.#list())
      if (!this.#named.has(name) && !this.#names.has(name)) await this.#unlink(name);
    await this.#disk.syncDirectory(this.#directory);
    return true;
  }

  /** The newest checkpoint names a file that is damaged, or the next one would: the next start does without them. */
  withdraw(error: EvertError): void {
    if (this.#isClosed) return;
    if (!this.#isWithdrawn) {
      this.#isWithdrawn = true;
      this.onDamaged(error);
    }
    void this.#queue(async () => {
      const names = await this.#disk.list(this.#directory);
      if (!names.includes("manifest")) return;
      await this.#unlink("manifest");
      await this.#disk.syncDirectory(this.#directory);
    });
  }

  /** Closes them; what is named stays. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const run of this.#open) await run.file.close();
    this.#open.clear();
    await this.#removing;
  }

  async #list(): Promise<string[]> {
    try {
      return (await this.#disk.list(this.#directory)).filter((name) => NAME.test(name));
    } catch (error) {
      // There is no directory before the first file.
      if (error instanceof EvertError && error.code === "not_found") return [];
      throw error;
    }
  }

  /** A file that is gone by now may have been met by a sweep after it was left. */
  async #unlink(name: string): Promise<void> {
    try {
      await this.#disk.unlink(joinPath(this.#directory, name));
    } catch (error) {
      if (!(error instanceof EvertError && error.code === "not_found")) throw error;
    }
  }

  #queue(work: () => Promise<void>): Promise<void> {
    this.#removing = this.#removing.then(work).catch((error: unknown) => {
      this.#report(`a file of rows that are not in memory was not removed: ${String(error)}`);
    });
    return this.#removing;
  }
}
