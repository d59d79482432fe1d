/**
 * The files of runs, in one directory, and when each may go.
 *
 * A file is made, written once, read at will and never changed. It may go when nobody holds it and the newest checkpoint does not name it:
 * a checkpoint that does is what a crash would begin with. Files that neither the checkpoint nor anybody knows were left by a crash, and
 * go with the next sweep.
 */
import { type Disk, type DiskFile, joinPath } from "../../base/disk.ts";

const NAME = /^run-(\d+)$/;

export class RunFile {
  readonly name: string;
  readonly path: string;
  readonly file: DiskFile;
  readonly #files: RunFiles;
  /** Written so far. */
  bytes = 0;
  #synced = false;
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
    await this.file.datasync();
    this.#synced = bytes === this.bytes;
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
  withdraw(): void {
    this.#files.withdraw();
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

  async create(): Promise<RunFile> {
    const name = `run-${this.#next++}`;
    this.#names.add(name);
    await this.#disk.makeDirectory(this.#directory);
    const file = await this.#disk.open(joinPath(this.#directory, name), "write");
    await file.truncate(0);
    return this.#opened(name, file);
  }

  /** One that a checkpoint names. */
  async open(name: string): Promise<RunFile> {
    const file = await this.#disk.open(joinPath(this.#directory, name), "read");
    const run = this.#opened(name, file);
    run.bytes = await file.size();
    return run;
  }

  #opened(name: string, file: DiskFile): RunFile {
    const run = new RunFile(this, name, file);
    this.#open.add(run);
    this.#names.add(name);
    return run;
  }

  /** Numbers begin behind those of all files that are there; what the checkpoint does not name goes. */
  async start(named: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#list()) this.#next = Math.max(this.#next, Number(NAME.exec(name)![1]) + 1);
    await this.published(named);
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
      if (!this.#named.has(run.name)) await this.#unlink(run.name);
    });
  }

  /** The newest checkpoint names a file that is damaged: the next start does without it. */
  withdraw(): void {
    void this.#queue(async () => {
      const names = await this.#disk.list(this.#directory);
      if (names.includes("manifest")) await this.#unlink("manifest");
    });
  }

  /** Closes them; what is named stays. */
  async close(): Promise<void> {
    for (const run of this.#open) await run.file.close();
    this.#open.clear();
    await this.#removing;
  }

  async #list(): Promise<string[]> {
    try {
      return (await this.#disk.list(this.#directory)).filter((name) => NAME.test(name));
    } catch {
      // There is no directory before the first file.
      return [];
    }
  }

  #unlink(name: string): Promise<void> {
    return this.#disk.unlink(joinPath(this.#directory, name));
  }

  #queue(work: () => Promise<void>): Promise<void> {
    this.#removing = this.#removing.then(work).catch((error: unknown) => {
      this.#report(`a file of rows that are not in memory was not removed: ${String(error)}`);
    });
    return this.#removing;
  }
}
