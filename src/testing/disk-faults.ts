/** Faults of the simulated disk: which operations fail or fall short, and the one that the next of them meets. */

export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "datasync"
  | "truncate"
  | "rename"
  | "unlink"
  | "list"
  | "syncDirectory";

export interface DiskFault {
  readonly operation: DiskOperation;
  /** Only for paths that match. */
  readonly path?: RegExp;
  /** Lets so many pass first. */
  readonly skip?: number;
  /** How many operations it hits; absent: one. */
  readonly times?: number;
  /** What the system call says … */
  readonly code?: "EIO" | "ENOSPC" | "EMFILE";
  /** … or how many bytes a read or write handles at most, without an error … */
  readonly bytesMax?: number;
  /** … or that a read gives one bit of what it reads wrong, once: the next one is right. */
  readonly flipsBit?: true;
}

interface ActiveFault {
  readonly fault: DiskFault;
  skip: number;
  times: number;
}

export class DiskFaults {
  #active: ActiveFault[] = [];

  add(fault: DiskFault): void {
    this.#active.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  clear(): void {
    this.#active = [];
  }

  /** Whether there were none since the last clear(), spent ones included. */
  get isEmpty(): boolean {
    return this.#active.length === 0;
  }

  /** What this operation meets, which counts as met; null: nothing. Of several the first. */
  meet(operation: DiskOperation, path: string): DiskFault | null {
    for (const active of this.#active) {
      const { fault } = active;
      if (fault.operation !== operation || active.times === 0) continue;
      if (fault.path !== undefined && !fault.path.test(path)) continue;
      if (active.skip > 0) {
        active.skip--;
        continue;
      }
      active.times--;
      return fault;
    }
    return null;
  }
}
