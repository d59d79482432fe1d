/** Those who wait for a position to be durable, before they tell of it. */
import { EvertError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";

interface Waiter {
  readonly position: number;
  resolve(): void;
  reject(error: EvertError): void;
}

export class DurableWaiters {
  readonly #log: Log;
  /** In the order in which they came. One who is out of time leaves at once, however many there are: without replicas all of them may be. */
  readonly #waiters = new Set<Waiter>();
  #failure: EvertError | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Resolves when the log is durable up to the position. @throws EvertError why it will not be */
  wait(position: number): Promise<void> {
    if (this.#log.durablePosition >= position) return Promise.resolve();
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiters.add({ position, resolve, reject }));
  }

  /** Of all who wait. */
  get size(): number {
    return this.#waiters.size;
  }

  /** The same for a commit of who waits: where commits wait for replicas, no longer than an append does. @throws EvertError timeout */
  acknowledged(position: number): Promise<void> {
    return this.#inTime(position, (late) => late);
  }

  /** The same for what is to be told. REQUIRES that nothing is stored by who is told. @throws EvertError timeout */
  told(position: number): Promise<void> {
    return this.#inTime(
      position,
      ({ message, detail }) =>
        new EvertError("timeout", `the answer follows from a commit that is not told of yet: ${message}`, {
          detail: `Nothing of this request is stored. Of that commit: ${detail ?? ""}`,
          hint: "Send the request again.",
        }),
    );
  }

  async #inTime(position: number, refusal: (late: EvertError) => EvertError): Promise<void> {
    const { requirement } = this.#log;
    if (requirement === null || this.#log.durablePosition >= position) return this.wait(position);
    if (this.#failure !== null) throw this.#failure;
    let timer: NodeJS.Timeout | undefined;
    let waiter: Waiter | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiters.add((waiter = { position, resolve, reject }));
        timer = setTimeout(() => reject(refusal(requirement.late(position))), requirement.timeoutMs);
      });
    } catch (error) {
      // Replicas may be away for long, and who is told asks again.
      if (waiter !== undefined) this.#waiters.delete(waiter);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  advanced(position: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.position > position) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** Who waits, now or later, is told that it will not come. */
  fail(error: EvertError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiters) reject(error);
    this.#waiters.clear();
  }
}
