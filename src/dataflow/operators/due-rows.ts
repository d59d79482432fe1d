/** Rows that a recursion has derived, by the iteration at which it is to be decided whether they are found: see recursion.ts. */
import { Int32List } from "../../state/memory.ts";

/** What is due at an iteration: slots of `derived`, and for UNION ALL by how much each changed. */
export interface Due {
  readonly slots: Int32List;
  readonly weights: Int32List;
}

export class DueRows {
  readonly #byIteration = new Map<number, Due>();
  readonly #weighted: boolean;
  /** The last iteration that something was due at since the last clear(); -1: none. */
  last = -1;

  constructor(weighted: boolean) {
    this.#weighted = weighted;
  }

  get isEmpty(): boolean {
    return this.#byIteration.size === 0;
  }

  add(iteration: number, slot: number, weight: number): void {
    let due = this.#byIteration.get(iteration);
    if (due === undefined) {
      due = { slots: new Int32List(), weights: new Int32List() };
      this.#byIteration.set(iteration, due);
      if (iteration > this.last) this.last = iteration;
    }
    due.slots.push(slot);
    if (this.#weighted) due.weights.push(weight);
  }

  at(iteration: number): Due | undefined {
    return this.#byIteration.get(iteration);
  }

  settled(iteration: number): void {
    this.#byIteration.delete(iteration);
  }

  clear(): void {
    this.#byIteration.clear();
    this.last = -1;
  }
}
