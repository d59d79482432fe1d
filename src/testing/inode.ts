/** A file of the simulated disk: what readers see, what survives a power cut, and the changes in between. */
import type { SeededRandom } from "./seeded-random.ts";

export const SECTOR_BYTES = 512;

/** What a power cut keeps of a write: whole sectors, or of a sector the first bytes that were written to it. */
export type Tears = "sectors" | "bytes";

export type Change =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

export class Content {
  /** Those beyond the size are zeros. */
  bytes: Uint8Array<ArrayBuffer>;
  size: number;
  /** Whether a copy has the same bytes: who changes them first takes its own. */
  #isShared = false;

  constructor(bytes = new Uint8Array(0), size = bytes.length) {
    this.bytes = bytes;
    this.size = size;
  }

  copy(): Content {
    const copy = new Content(this.bytes, this.size);
    copy.#isShared = true;
    this.#isShared = true;
    return copy;
  }

  /** Before its bytes are changed. */
  own(): void {
    if (!this.#isShared) return;
    this.bytes = this.bytes.slice(0, this.size);
    this.#isShared = false;
  }

  write(at: number, source: Uint8Array): void {
    this.own();
    this.grow(at + source.length);
    this.bytes.set(source, at);
  }

  grow(size: number): void {
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.size));
      this.bytes = grown;
      this.#isShared = false;
    }
    this.size = Math.max(this.size, size);
  }

  truncate(size: number): void {
    this.own();
    if (size < this.size) this.bytes.fill(0, size, this.size);
    else this.grow(size);
    this.size = size;
  }

  apply(change: Change): void {
    if (change.kind === "write") this.write(change.at, change.bytes);
    else this.truncate(change.size);
  }
}

export class Inode {
  /** Its name as of now; empty once it is removed. */
  path: string;
  readonly stable: Content;
  readonly cached: Content;
  dirty: Change[] = [];

  constructor(path: string, stable = new Content(), cached = stable.copy()) {
    this.path = path;
    this.stable = stable;
    this.cached = cached;
  }
}

/** What is on the disk after a power cut, see simulated-disk.ts. */
export function afterPowerCut(node: Inode, random: SeededRandom, tears: Tears): Content {
  const kept = node.stable.copy();
  if (node.dirty.length === 0) return kept;
  const mood = random.below(4);
  if (mood === 0) return kept;
  kept.own();
  const keep = (): boolean => mood === 1 || random.oneIn(2);
  for (const change of node.dirty) {
    if (change.kind === "truncate") {
      if (keep()) kept.truncate(change.size);
      continue;
    }
    const end = change.at + change.bytes.length;
    const grown = end <= kept.size || keep();
    if (grown) kept.grow(end);
    for (let at = change.at; at < end; ) {
      const sectorEnd = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      const visibleEnd = Math.min(sectorEnd, kept.size);
      const tornEnd = keep()
        ? visibleEnd
        : tears === "bytes" && random.oneIn(4)
          ? Math.min(visibleEnd, at + random.below(sectorEnd - at))
          : at;
      if (tornEnd > at) kept.bytes.set(change.bytes.subarray(at - change.at, tornEnd - change.at), at);
      at = sectorEnd;
    }
  }
  return kept;
}

/** What one write brings to the disk with it: the older changes that its bytes were put upon. */
export function throughTo(dirty: readonly Change[], last: Change & { readonly kind: "write" }): Set<Change> {
  const end = last.at + last.bytes.length;
  const older = dirty.slice(0, dirty.indexOf(last));
  const beneath = older.filter(
    (change) => change.kind === "truncate" || (change.at < end && change.at + change.bytes.length > last.at),
  );
  return new Set([...beneath, last]);
}
