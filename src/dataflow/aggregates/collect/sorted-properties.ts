/**
 * The properties of a large jsonb object, put in order a piece at a time: by length of the name in bytes, then by bytes; of equal names the last
 * counts.
 *
 * 1. Properties come in runs of RUN, each sorted when it is full.
 * 2. settle() merges neighbouring runs, MERGED_PER_PIECE properties a call, until one is left. Runs stay in the order in which they came and equal
 *    names in theirs, so the last of them is the one that counts.
 * 3. It is then walked through once more, as many a call, and becomes text.
 */
import { compareJsonKeys } from "../../../batch/jsonb.ts";
import { GatheredText } from "./gathered-text.ts";

export interface Property {
  /** Without quotes. */
  readonly name: string;
  /** `"name": value` */
  readonly text: string;
}

const RUN = 1_024;
const MERGED_PER_PIECE = 4_096;

export class SortedProperties {
  #runs: Property[][] = [];
  #open: Property[] = [];
  /** What has been merged of the first two of #runs, and how far into them that is. */
  #merged: Property[] = [];
  #left = 0;
  #right = 0;
  /** Of this pass. */
  #done: Property[][] = [];
  #told = 0;
  readonly #text: GatheredText = new GatheredText(", ");

  clear(): void {
    this.#runs = [];
    this.#open = [];
    this.#merged = [];
    this.#left = 0;
    this.#right = 0;
    this.#done = [];
    this.#told = 0;
    this.#text.clear();
  }

  push(property: Property): void {
    if (this.#open.push(property) === RUN) this.#close();
  }

  #close(): void {
    if (this.#open.length === 0) return;
    this.#runs.push(this.#open.sort((a, b) => compareJsonKeys(a.name, b.name)));
    this.#open = [];
  }

  /** A bounded piece of the work; false: all is done. */
  settle(): boolean {
    this.#close();
    for (let budget = MERGED_PER_PIECE; ; ) {
      if (this.#runs.length + this.#done.length > 1) budget = this.#merge(budget);
      else return this.#tell(budget);
      if (budget <= 0) return true;
    }
  }

  #merge(budget: number): number {
    const [a, b] = this.#runs;
    if (a === undefined || b === undefined) {
      this.#runs = [...this.#done, ...this.#runs];
      this.#done = [];
      return budget;
    }
    const merged = this.#merged;
    while (this.#left < a.length || this.#right < b.length) {
      if (--budget < 0) return 0;
      const x = a[this.#left];
      const y = b[this.#right];
      const takesLeft = y === undefined || (x !== undefined && compareJsonKeys(x.name, y.name) <= 0);
      merged.push((takesLeft ? a[this.#left++] : b[this.#right++]) as Property);
    }
    this.#done.push(merged);
    this.#runs.splice(0, 2);
    this.#merged = [];
    this.#left = 0;
    this.#right = 0;
    return budget;
  }

  #tell(budget: number): boolean {
    const run = this.#runs[0] ?? this.#done[0] ?? [];
    const end = Math.min(run.length, this.#told + budget);
    for (; this.#told < end; this.#told++) {
      const { name, text } = run[this.#told] as Property;
      if (run[this.#told + 1]?.name !== name) this.#text.push(text);
    }
    return this.#told < run.length;
  }

  /** The object, once all is settled; nothing is left of it here. */
  take(): string {
    const text = this.#text.take("{", "}");
    this.clear();
    return text;
  }
}
