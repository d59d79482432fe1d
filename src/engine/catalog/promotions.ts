/**
 * Versions of a view, and which of them its plain name means.
 *
 * A version is a view of its own, `charts@2`; `charts@1` is what is defined as `charts`. The plain name means version 1 until another is promoted,
 * which is an event of the catalog. What is decided by the log is known at once to whoever changes the catalog; names are read so once that commit is
 * published.
 */

/** What the plain name means, and what it meant before that, while that is there. */
export interface Promoted {
  readonly version: number;
  readonly previous: number | null;
}

export interface VersionName {
  readonly base: string;
  readonly version: number;
}

/** `charts@2`; null: the name says no version. */
export function versionNamed(name: string): VersionName | null {
  const found = /^(.+)@([1-9][0-9]{0,8})$/s.exec(name);
  return found === null ? null : { base: found[1] as string, version: Number(found[2]) };
}

/** The same of a view as it is defined: a name that says none is that of version 1. */
export function versionDefined(name: string): VersionName {
  return versionNamed(name) ?? { base: name, version: 1 };
}

export class Promotions {
  readonly #decided = new Map<string, Promoted>();
  readonly #shown = new Map<string, number>();
  /** Grows with every change. */
  changes = 0;

  /** What the log says up to now. */
  decided(base: string): Promoted {
    return this.#decided.get(base) ?? { version: 1, previous: null };
  }

  has(base: string): boolean {
    return this.#decided.has(base);
  }

  /** What readers are to find under the plain name; undefined: what is defined so. */
  shown(base: string): number | undefined {
    return this.#shown.get(base);
  }

  /** What has been decided and is not shown yet; null: all is. */
  ahead(): Record<string, number> | null {
    const ahead = [...this.#decided].filter(([base, { version }]) => this.#shown.get(base) !== version);
    return ahead.length === 0
      ? null
      : Object.fromEntries(ahead.map(([base, { version }]) => [base, version]));
  }

  promote(base: string, promoted: Promoted): void {
    this.changes++;
    this.#decided.set(base, promoted);
  }

  /** From now on the name is read so. Another one may have been decided since, and not be shown yet. */
  show(base: string, version: number): void {
    this.changes++;
    if (this.#decided.has(base)) this.#shown.set(base, version);
    else this.#shown.delete(base);
  }

  /** The version is not there any more. */
  forget({ base, version }: VersionName): void {
    this.changes++;
    const decided = this.#decided.get(base);
    if (decided === undefined) return;
    if (decided.version === version) {
      this.#decided.delete(base);
      this.#shown.delete(base);
    } else if (decided.previous === version) this.#decided.set(base, { ...decided, previous: null });
  }

  names(): IterableIterator<string> {
    return this.#shown.keys();
  }

  entries(): IterableIterator<[string, Promoted]> {
    return this.#decided.entries();
  }
}
