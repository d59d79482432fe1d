/**
 * A disk in memory that does what real ones do at the worst moment.
 *
 * What it keeps. A file has the bytes every reader sees (`cached`, the page cache) and the bytes that survive a power cut
 * (`stable`), and between the two the list of writes and truncations not yet synced. A directory has its entries as seen, and
 * the list of changes to them not yet synced.
 *
 * What a power cut does, seeded:
 * 1. Of each file's unsynced changes, in order, each 512-byte sector is kept or lost on its own: all of them, none, or any subset, as if they had
 *    arrived in any order. Within a sector nothing tears unless `tears` says "bytes", and bytes a write did not touch stay (what disks call powersafe
 *    overwrite).
 * 2. A file that grew keeps its new size or its old one; kept sectors beyond the size are gone, lost ones inside it are zeros.
 * 3. Of the unsynced changes of directories a prefix survives (file systems journal them in order), or with `names: "any"` any of them.
 * The death of a process loses nothing that was written, be it half of a write: `reboot("process")`.
 *
 * Faults. `fail` makes the operations it names fail or fall short, or reads give a wrong bit, once or for ever. A failed datasync behaves like
 * Linux: the cache keeps showing the bytes, the kernel forgets that they were dirty, and only a new write makes them durable. Under `readOnly` all that
 * changes something is refused, as by a file system that was remounted after an error.
 * `capacityBytes` bounds all files together; a write that would pass it first falls short, then gives disk_full. Bytes that a file has can be written again.
 * After `crashAfter(n)` the n-th change from now takes effect as an unsynced one at best, and everything afterwards fails.
 *
 * Completion is never synchronous and its order differs by seed, as with a thread pool.
 */
import { assert } from "../base/assert.ts";
import {
  type Disk,
  type DiskDirectory,
  type DiskFile,
  type DiskLock,
  diskError,
  type OpenMode,
} from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { type DiskFault, DiskFaults, type DiskOperation } from "./disk-faults.ts";
import { DiskNames, type NamesKept } from "./disk-names.ts";
import { afterPowerCut, type Change, Inode, type Tears, throughTo } from "./inode.ts";
import { SeededRandom } from "./seeded-random.ts";

export interface SimulatedDiskOptions {
  readonly seed?: number;
  readonly capacityBytes?: number;
  /** Default: "sectors". */
  readonly tears?: Tears;
  /** Which of the unsynced changes of directories may survive a power cut. Default: "in order". */
  readonly names?: NamesKept;
}

/** What a disk that is read-only refuses. */
const CHANGING: ReadonlySet<DiskOperation> = new Set([
  "write",
  "datasync",
  "truncate",
  "rename",
  "unlink",
  "syncDirectory",
]);

export class SimulatedDisk implements Disk {
  readonly random: SeededRandom;
  readonly tears: Tears;
  readonly names: NamesKept;
  capacityBytes: number;
  /** The file system was remounted read-only. */
  readOnly = false;
  /** Every change and sync in the order they were asked for, as text; reads are left out. */
  readonly trace: string[] = [];
  bytesRead = 0;
  /** Changes asked for so far: the places where `crashAfter` can strike. */
  changes = 0;

  #names = new DiskNames();
  readonly #locks = new Set<string>();
  readonly #faults = new DiskFaults();
  /** Changes until the machine stops, and which ones count. */
  #changesLeft = Number.POSITIVE_INFINITY;
  #counted: RegExp | null = null;
  #down = false;
  #corrupted = false;

  constructor(options: SimulatedDiskOptions = {}) {
    this.random = new SeededRandom(options.seed ?? 1);
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.tears = options.tears ?? "sectors";
    this.names = options.names ?? "in order";
  }

  // ---- for tests ----

  get crashed(): boolean {
    return this.#down;
  }

  /** Whether a file was damaged behind everyone's back, here or on the disk that this one is a copy of. */
  get corrupted(): boolean {
    return this.#corrupted;
  }

  fail(fault: DiskFault): void {
    this.#faults.add(fault);
  }

  heal(): void {
    this.#faults.clear();
  }

  /** The n-th change from now on is the last; with `counted`, the n-th whose line in the trace matches. */
  crashAfter(changes: number, counted: RegExp | null = null): void {
    this.#changesLeft = changes;
    this.#counted = counted;
  }

  /** The machine as it comes up again: after a power cut, or with only the process gone. This disk is dead afterwards. */
  reboot(after: "power cut" | "process"): SimulatedDisk {
    this.#down = true;
    return after === "process" ? this.clone() : this.#cutPower();
  }

  /** A second disk in the same state, without faults and locks. `options`: what is other than here. */
  clone(options: Omit<SimulatedDiskOptions, "capacityBytes"> = {}): SimulatedDisk {
    const copies = new Map<Inode, Inode>();
    const copyOf = (node: Inode): Inode => {
      let copy = copies.get(node);
      if (copy === undefined) {
        copy = new Inode(node.path, node.stable.copy(), node.cached.copy());
        copy.dirty = node.dirty.slice();
        copies.set(node, copy);
      }
      return copy;
    };
    return this.#next(this.#names.copy(copyOf), options);
  }

  #cutPower(): SimulatedDisk {
    const { random, tears } = this;
    const seed = random.u32();
    const names = this.#names.afterPowerCut(
      random,
      this.names,
      (path, node) => new Inode(path, afterPowerCut(node, random, tears)),
    );
    return this.#next(names, { seed });
  }

  #next(its: DiskNames, options: SimulatedDiskOptions): SimulatedDisk {
    const { capacityBytes, tears, names } = this;
    const seed = options.seed ?? this.random.u32();
    const disk = new SimulatedDisk({ capacityBytes, tears, names, ...options, seed });
    disk.#names = its;
    disk.#corrupted = this.#corrupted;
    return disk;
  }

  /** A file's bytes as readers see them. */
  contents(path: string): Uint8Array {
    const { bytes, size } = this.#node(path).cached;
    return bytes.slice(0, size);
  }

  files(): string[] {
    return this.#names.paths().sort();
  }

  /** Damages a file behind everyone's back, stable bytes included. */
  corrupt(path: string, at: number, change: (byte: number) => number): void {
    this.#corrupted = true;
    const node = this.#node(path);
    for (const content of [node.cached, node.stable]) {
      if (at >= content.size) continue;
      content.own();
      content.bytes[at] = change(content.bytes[at]!);
    }
  }

  // ---- Disk ----

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.#begin("open", path);
    if (this.readOnly && mode !== "read") throw diskError("EROFS", "open", path);
    let node = this.#names.find(path);
    if (node === undefined) {
      if (mode === "read") throw diskError("ENOENT", "open", path);
      this.#change(`create ${path}`);
      node = new Inode(path);
      this.#names.link(path, node);
    }
    return new SimulatedFile(this, node, mode === "write-through");
  }

  async list(directory: string): Promise<string[]> {
    await this.#begin("list", directory);
    const names = this.#names.list(directory);
    if (names === null) throw diskError("ENOENT", "list", directory);
    return names;
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#settle();
    this.#names.makeDirectory(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin("rename", from);
    this.#change(`rename ${from} ${to}`);
    this.#node(from);
    this.#names.rename(from, to);
    await this.#settle();
  }

  async openDirectory(path: string): Promise<DiskDirectory> {
    await this.#begin("open", path);
    return { sync: () => this.syncDirectory(path), close: async () => {} };
  }

  async unlink(path: string): Promise<void> {
    await this.#begin("unlink", path);
    this.#change(`unlink ${path}`);
    this.#node(path);
    this.#names.unlink(path);
    await this.#settle();
  }

  async removeTree(path: string): Promise<void> {
    for (const file of this.#names.paths()) if (file.startsWith(`${path}/`)) await this.unlink(file);
    this.#names.removeDirectory(path);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#begin("syncDirectory", path);
    this.#change(`sync directory ${path}`);
    await this.#settle();
    this.#names.sync(path);
  }

  async lock(path: string): Promise<DiskLock> {
    await this.#settle();
    if (this.#locks.has(path)) throw new EvertError("directory_locked", `${path} is held by another process`);
    this.#locks.add(path);
    return {
      release: async () => {
        this.#locks.delete(path);
      },
    };
  }

  // ---- for SimulatedFile ----

  async read(node: Inode, target: Uint8Array, at: number): Promise<number> {
    const { path } = node;
    const fault = await this.#begin("read", path);
    const wanted = Math.min(target.length, fault?.bytesMax ?? target.length);
    const count = Math.max(0, Math.min(wanted, node.cached.size - at));
    target.set(node.cached.bytes.subarray(at, at + count));
    if (fault?.flipsBit === true && count > 0) target[this.random.below(count)]! ^= 1 << this.random.below(8);
    this.bytesRead += count;
    return count;
  }

  /** Whatever may go wrong goes wrong in read(). */
  readNow(node: Inode, target: Uint8Array, at: number): number | null {
    if (this.#down || !this.#faults.isEmpty) return null;
    const count = Math.max(0, Math.min(target.length, node.cached.size - at));
    target.set(node.cached.bytes.subarray(at, at + count));
    this.bytesRead += count;
    return count;
  }

  /** `through`: the bytes are on the disk when it is done. That is a second event: both can fail, the machine can stop in between. */
  async write(node: Inode, source: Uint8Array, at: number, through: boolean): Promise<number> {
    const { path } = node;
    const fault = await this.#begin("write", path);
    const wanted = Math.min(source.length, fault?.bytesMax ?? source.length);
    const bounded = Number.isFinite(this.capacityBytes);
    const room = bounded
      ? Math.max(0, this.capacityBytes - this.#usedBytes()) + Math.max(0, node.cached.size - at)
      : wanted;
    const count = Math.max(0, Math.min(wanted, room));
    if (count === 0 && wanted > 0) throw diskError("ENOSPC", "write", path);
    const change = { kind: "write", at, bytes: source.slice(0, count) } as const;
    const apply = (part: Change & { readonly kind: "write" }): void => {
      node.cached.write(at, part.bytes);
      node.dirty.push(part);
    };
    this.#change(
      `write ${path} at ${at}: ${count} bytes`,
      () => apply(change),
      () => apply({ ...change, bytes: change.bytes.subarray(0, this.random.below(count + 1)) }),
    );
    await this.#settle();
    if (through) await this.#sync(node, throughTo(node.dirty, change), ` at ${at}: ${count} bytes`);
    return count;
  }

  datasync(node: Inode): Promise<void> {
    return this.#sync(node, new Set(node.dirty), "");
  }

  async #sync(node: Inode, covered: ReadonlySet<Change>, what: string): Promise<void> {
    const { path } = node;
    const takeCovered = (): Change[] => {
      const taken = node.dirty.filter((change) => covered.has(change));
      node.dirty = node.dirty.filter((change) => !covered.has(change));
      return taken;
    };
    const fault = await this.#begin("datasync", path, () => {
      // The kernel reports the failure once and forgets that these pages were dirty; some of them may have reached the disk.
      for (const change of takeCovered()) {
        if (this.random.oneIn(2)) node.stable.apply(change);
        else if (change.kind === "write") node.stable.grow(change.at + change.bytes.length);
      }
    });
    assert(fault?.bytesMax === undefined, "a datasync fault has a code");
    this.#change(`datasync ${path}${what}`);
    await this.#settle();
    for (const change of takeCovered()) node.stable.apply(change);
  }

  async truncate(node: Inode, size: number): Promise<void> {
    const { path } = node;
    await this.#begin("truncate", path);
    this.#change(`truncate ${path} to ${size}`, () => {
      node.cached.truncate(size);
      node.dirty.push({ kind: "truncate", size });
    });
    await this.#settle();
  }

  // ---- inside ----

  #node(path: string): Inode {
    const node = this.#names.find(path);
    if (node === undefined) throw diskError("ENOENT", "find", path);
    return node;
  }

  #usedBytes(): number {
    let bytes = 0;
    for (const node of this.#names.nodes()) bytes += node.cached.size;
    return bytes;
  }

  /** Counts a change and takes the machine down when its number has come: then it may have happened, unsynced, or not. */
  #change(line: string, effect?: () => void, partOfIt = effect): void {
    this.changes++;
    if (this.#counted === null || this.#counted.test(line)) this.#changesLeft--;
    if (this.#changesLeft > 0) {
      this.trace.push(line);
      effect?.();
      return;
    }
    if (this.random.oneIn(2)) partOfIt?.();
    this.#down = true;
    throw machineDown();
  }

  async #begin(operation: DiskOperation, path: string, onError?: () => void): Promise<DiskFault | null> {
    await this.#settle();
    if (this.readOnly && CHANGING.has(operation)) {
      onError?.();
      throw diskError("EROFS", operation, path);
    }
    const fault = this.#faults.meet(operation, path);
    if (fault?.code === undefined) return fault;
    this.trace.push(`${operation} ${path} fails with ${fault.code}`);
    onError?.();
    throw diskError(fault.code, operation, path);
  }

  /** What is under way when the machine stops never ends well. */
  async #settle(): Promise<void> {
    for (let turns = this.random.below(3); turns >= 0; turns--)
      await new Promise((done) => setImmediate(done));
    if (this.#down) throw machineDown();
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk;
  readonly #node: Inode;
  readonly #through: boolean;
  #open = true;

  constructor(disk: SimulatedDisk, node: Inode, through: boolean) {
    this.#disk = disk;
    this.#node = node;
    this.#through = through;
  }

  get path(): string {
    return this.#node.path;
  }

  async read(target: Uint8Array, at: number): Promise<number> {
    this.#assertOpen();
    return this.#disk.read(this.#node, target, at);
  }

  /** Every second time it is in memory. */
  readNow(target: Uint8Array, at: number): number | null {
    this.#assertOpen();
    return this.#disk.random.oneIn(2) ? null : this.#disk.readNow(this.#node, target, at);
  }

  async write(source: Uint8Array, at: number): Promise<number> {
    this.#assertOpen();
    return this.#disk.write(this.#node, source, at, this.#through);
  }

  async datasync(): Promise<void> {
    this.#assertOpen();
    return this.#disk.datasync(this.#node);
  }

  async truncate(size: number): Promise<void> {
    this.#assertOpen();
    return this.#disk.truncate(this.#node, size);
  }

  async size(): Promise<number> {
    this.#assertOpen();
    return this.#node.cached.size;
  }

  async close(): Promise<void> {
    this.#assertOpen();
    this.#open = false;
  }

  #assertOpen(): void {
    assert(this.#open, "a closed file is not used");
  }
}

function machineDown(): EvertError {
  return new EvertError("io_error", "the simulated machine is down");
}
