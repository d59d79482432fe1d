/**
 * Marks: here and there in long partitions, what functions know of all rows before a row that begins a group of peers. A change then costs what lies
 * behind the mark before it, not the whole partition.
 *
 * A mark is a memory and no truth: it names a slot and the birth of the row there, and goes when that row goes. It holds for the last step, and for
 * the one before wherever no row before it has changed. After a restart there are none, and the first change of each partition walks it once.
 */

export interface Mark {
  readonly birth: number;
  /** Rows, groups of peers before it. */
  readonly rows: number;
  readonly groups: number;
  /** By function: its state; null for those that have none. */
  readonly states: readonly unknown[];
}

/** Rows between two marks. */
export const MARK_ROWS = 256;

export class Marks {
  readonly #marks = new Map<number, Mark>();
  readonly #drop: (mark: Mark) => void;

  /** `drop`: gives back what a mark's states hold. */
  constructor(drop: (mark: Mark) => void) {
    this.#drop = drop;
  }

  get size(): number {
    return this.#marks.size;
  }

  get(slot: number, birth: number): Mark | undefined {
    const mark = this.#marks.get(slot);
    return mark?.birth === birth ? mark : undefined;
  }

  set(slot: number, mark: Mark): void {
    this.delete(slot);
    this.#marks.set(slot, mark);
  }

  delete(slot: number): void {
    const mark = this.#marks.get(slot);
    if (mark === undefined) return;
    this.#drop(mark);
    this.#marks.delete(slot);
  }

  clear(): void {
    for (const mark of this.#marks.values()) this.#drop(mark);
    this.#marks.clear();
  }
}
