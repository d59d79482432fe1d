/**
 * The time that who is at the other end has to take what it was handed, or to be heard.
 *
 * In two halves: a process that has slept, or was held up, for longer than the whole time finds the first one over, and sees what came, or was taken,
 * meanwhile before the second one is.
 */
export class Stall {
  #timer: NodeJS.Timeout | undefined;

  start(ms: number, onStall: () => void): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(onStall, ms / 2).unref();
    }, ms / 2).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
