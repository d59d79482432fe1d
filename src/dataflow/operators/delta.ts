/**
 * The change of a stored input between the step's two epochs, as slots: those that died and those that were born.
 *
 * In the live circuit the store's journal has them. A view being built reads the stores of the live circuit, whose journal is of another
 * step: it scans the slots and picks by birth and death. Rows visible at `from` are kept by a pin, so the scan may take its time.
 */

import { LIVE } from "../../state/store.ts";
import type { Activity } from "../activity.ts";
import type { Node } from "../node.ts";
import type { Step } from "../operator.ts";
import type { StoredNode } from "./stored.ts";

const FOUND_MAX = 4096;
const SCANNED_MAX = 65_536;

const nothing = new Int32Array(0);

export type Part = "died" | "born";

export class Delta {
  slots: Int32Array = nothing;
  /** Next entry of `slots` to take; the consumer advances it. */
  index = 0;
  length = 0;
  readonly #source: StoredNode;
  readonly #step: Step;
  readonly #scans: boolean;
  readonly #activity: Activity;
  readonly #port: number;
  #part: Part = "died";
  #counts = true;
  #at = 0;

  constructor(source: StoredNode, consumer: Node) {
    this.#source = source;
    this.#step = consumer.step;
    this.#activity = consumer.activity;
    this.#port = consumer.sources.findIndex(({ node }) => node === source);
    this.#scans = source.host !== consumer.host;
  }

  /** `again`: the same rows are looked at once more, and are not counted twice. */
  start(part: Part, again = false): void {
    this.#part = part;
    this.#counts = !again;
    this.#at = 0;
    this.index = 0;
    this.length = 0;
    this.slots = nothing;
    if (this.#scans) return;
    const { store } = this.#source;
    const list = store[part];
    if (!again) this.#activity.tookRows(this.#port, part === "born" ? store.bornCount : list.length);
    this.slots = list.array;
    this.length = list.length;
  }

  /** True when `slots` has entries to take, or there may be more of them: then called again. Ends with false. */
  more(): boolean {
    if (this.index < this.length) return true;
    if (!this.#scans) return false;
    return this.#scan();
  }

  #scan(): boolean {
    const { store } = this.#source;
    const { from, to } = this.#step;
    const { birthWord, deathWord, strideWords } = store.layout;
    const end = Math.min(store.highWater, this.#at + SCANNED_MAX);
    if (this.#at >= end) {
      this.slots = nothing;
      return false;
    }
    const I = store.I;
    const found = new Int32Array(Math.min(FOUND_MAX, end - this.#at));
    const died = this.#part === "died";
    let n = 0;
    let slot = this.#at;
    for (; slot < end && n < found.length; slot++) {
      const base = slot * strideWords;
      const birth = I[base + birthWord] as number;
      if (birth === LIVE) continue;
      const death = I[base + deathWord] as number;
      const wanted = died
        ? birth <= from && from < death && death <= to
        : from < birth && birth <= to && to < death;
      if (wanted) found[n++] = slot;
    }
    this.#at = slot;
    if (this.#counts) this.#activity.tookRows(this.#port, n);
    this.slots = found;
    this.index = 0;
    this.length = n;
    return true;
  }
}
