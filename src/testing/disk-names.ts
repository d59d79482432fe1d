/**
 * Names of files on the simulated disk: the directories' entries as everybody sees them, those that survive a power cut, and the list of changes
 * between the two. Directories themselves are durable at once: a test that makes one is about something else.
 */
import type { Inode } from "./inode.ts";
import type { SeededRandom } from "./seeded-random.ts";

type NameChange =
  | { readonly kind: "link"; readonly path: string; readonly node: Inode }
  | { readonly kind: "unlink"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string };

/** Which of the unsynced changes may survive a power cut: those up to one of them, as file systems journal them, or any. */
export type NamesKept = "in order" | "any";

export class DiskNames {
  #seen = new Map<string, Inode>();
  #stable = new Map<string, Inode>();
  #unsynced: NameChange[] = [];
  readonly #directories = new Set<string>();

  find(path: string): Inode | undefined {
    return this.#seen.get(path);
  }

  paths(): string[] {
    return [...this.#seen.keys()];
  }

  nodes(): Iterable<Inode> {
    return this.#seen.values();
  }

  link(path: string, node: Inode): void {
    this.#change({ kind: "link", path, node });
  }

  unlink(path: string): void {
    this.#change({ kind: "unlink", path });
  }

  /** REQUIRES that there is such a file. */
  rename(from: string, to: string): void {
    this.#seen.get(from)!.path = to;
    this.#change({ kind: "rename", from, to });
  }

  #change(change: NameChange): void {
    apply(this.#seen, change);
    this.#unsynced.push(change);
  }

  /** The directory's names are as durable as they look. A file that was moved is of the directory that it was moved to. */
  sync(directory: string): void {
    const inside = (path: string): boolean => path.slice(0, path.lastIndexOf("/")) === directory;
    const rest: NameChange[] = [];
    for (const change of this.#unsynced) {
      if (inside(change.kind === "rename" ? change.to : change.path)) apply(this.#stable, change);
      else rest.push(change);
    }
    this.#unsynced = rest;
  }

  makeDirectory(path: string): void {
    for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1))
      this.#directories.add(path.slice(0, at));
  }

  /** With those in it. Files are unlinked before. */
  removeDirectory(path: string): void {
    for (const directory of [...this.#directories])
      if (directory === path || directory.startsWith(`${path}/`)) this.#directories.delete(directory);
  }

  /** What is in it, in order; null: there is no such directory. */
  list(directory: string): string[] | null {
    if (!this.#directories.has(directory)) return null;
    const prefix = `${directory}/`;
    const names = new Set<string>();
    for (const path of [...this.#seen.keys(), ...this.#directories]) {
      if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split("/")[0]!);
    }
    return [...names].sort();
  }

  /** The same names for other files: `copyOf` is asked for each, more than once where it has several names. */
  copy(copyOf: (node: Inode) => Inode): DiskNames {
    const copy = this.#withDirectories();
    for (const [path, node] of this.#seen) copy.#seen.set(path, copyOf(node));
    for (const [path, node] of this.#stable) copy.#stable.set(path, copyOf(node));
    for (const change of this.#unsynced)
      copy.#unsynced.push(change.kind === "link" ? { ...change, node: copyOf(change.node) } : change);
    return copy;
  }

  /** What a power cut leaves, by `reborn`, which is asked for each name. */
  afterPowerCut(
    random: SeededRandom,
    kept: NamesKept,
    reborn: (path: string, node: Inode) => Inode,
  ): DiskNames {
    const changes = this.#unsynced;
    const surviving =
      kept === "any"
        ? changes.filter(() => random.oneIn(2))
        : changes.slice(0, random.below(changes.length + 1));
    const left = new Map(this.#stable);
    for (const change of surviving) apply(left, change);
    const after = this.#withDirectories();
    for (const [path, node] of left) {
      const file = reborn(path, node);
      after.#seen.set(path, file);
      after.#stable.set(path, file);
    }
    return after;
  }

  #withDirectories(): DiskNames {
    const names = new DiskNames();
    for (const directory of this.#directories) names.#directories.add(directory);
    return names;
  }
}

function apply(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === "link") names.set(change.path, change.node);
  else if (change.kind === "unlink") names.delete(change.path);
  else {
    const node = names.get(change.from);
    if (node === undefined) return;
    names.delete(change.from);
    names.set(change.to, node);
  }
}
