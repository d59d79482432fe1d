/**
 * Work that needs commits to be durable, and goes on by itself when they are, however long replicas take; and those who wait for it. They are told
 * when it has waited for replicas as long as an append does: it may be there later, and they can ask again.
 */
import type { EvertError } from "../../base/errors.ts";
import type { DurableWaiters } from "./durable-waiters.ts";

export class LongWait {
  readonly #durability: Pick<DurableWaiters, "acknowledged" | "wait">;
  /** Why it takes so long, while it does. */
  #late: EvertError | null = null;
  readonly #told = new Set<(error: EvertError) => void>();

  constructor(durability: Pick<DurableWaiters, "acknowledged" | "wait">) {
    this.#durability = durability;
  }

  /** For the work: resolves when the log is durable up to the position. @throws EvertError why it will not be */
  durable(position: number): Promise<void> {
    return this.#beside(this.#durability.acknowledged(position), this.#durability.wait(position));
  }

  /** For work that waits for other work, and tells of its waits as of its own. */
  after(other: LongWait, work: Promise<void>): Promise<void> {
    return this.#beside(other.inTime(work), work);
  }

  /** For who waits for the work, and not for replicas that are not there. @throws EvertError timeout */
  inTime<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#late === null) this.#told.add(reject);
      else reject(this.#late);
      work.then(resolve, reject).finally(() => this.#told.delete(reject));
    });
  }

  async #beside(inTime: Promise<void>, work: Promise<void>): Promise<void> {
    let isOver = false;
    inTime.catch((error: EvertError) => {
      if (isOver) return;
      this.#late = error;
      for (const tell of this.#told) tell(error);
      this.#told.clear();
    });
    try {
      await work;
    } finally {
      isOver = true;
      this.#late = null;
    }
  }
}
