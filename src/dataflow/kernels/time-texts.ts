/**
 * to_char of times with a pattern known beforehand.
 *
 * A pattern tells times apart down to an hour, say: all times of one hour have the same text. So texts are kept by stretch, in a table without
 * chains: a later stretch takes the place of an earlier one. Rows come mostly in the order of time, so a row is a division and a look. The
 * table holds a reference to each of its texts, and with that an id in it always means what it says.
 */
import type { Dictionary } from "../../state/dictionary.ts";
import { splitTime, US_PER_DAY } from "./datetime.ts";
import { textSpan, timeText } from "./to-char.ts";
import type { Pattern } from "./to-char-pattern.ts";

const SLOTS = 1024;

export class TimeTexts {
  readonly #dictionary: Dictionary;
  readonly #pattern: Pattern;
  readonly #zone: string | null;
  readonly #span: number;
  readonly #stretches = new Float64Array(SLOTS).fill(Number.NaN);
  readonly #ids = new Int32Array(SLOTS);

  constructor(dictionary: Dictionary, pattern: Pattern, zone: string | null) {
    this.#dictionary = dictionary;
    this.#pattern = pattern;
    this.#zone = zone;
    this.#span = textSpan(pattern);
  }

  /** The id of the text of a safe time. */
  of(us: number): number {
    const stretch = Math.floor(us / this.#span);
    const slot = stretch & (SLOTS - 1);
    return this.#stretches[slot] === stretch ? this.#ids[slot]! : this.#make(us, stretch, slot);
  }

  /** The same of one beyond 2^53, which is not infinite. */
  ofWide(us: bigint): number {
    const { days, rest } = splitTime(us);
    return this.#dictionary.internString(timeText(days, rest, this.#pattern, this.#zone));
  }

  #make(us: number, stretch: number, slot: number): number {
    const days = Math.floor(us / US_PER_DAY);
    const text = timeText(days, us - days * US_PER_DAY, this.#pattern, this.#zone);
    const id = this.#dictionary.internString(text);
    this.#dictionary.retain(id);
    this.#release(slot);
    this.#stretches[slot] = stretch;
    this.#ids[slot] = id;
    return id;
  }

  #release(slot: number): void {
    if (!Number.isNaN(this.#stretches[slot])) this.#dictionary.release(this.#ids[slot]!);
  }

  dispose(): void {
    for (let slot = 0; slot < SLOTS; slot++) this.#release(slot);
    this.#stretches.fill(Number.NaN);
  }
}
