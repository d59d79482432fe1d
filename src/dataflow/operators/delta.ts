/**
 * The change of a stored input between the step's two epochs, as slots: those that died and those that were born.
 *
 * In the live circuit the store's journal has them. A view being built reads the stores of the live circuit, whose journal is of another
 * step: it scans the slots and picks by birth and death. Rows visible at `from` are kept by a pin, so the scan may take its time.
 *
 * Where everything is new to it (from is -1), rows of the store that are cold are a part of the delta, too: they come after those in slots, in pages
 * of a store that has nothing else (state/cold/cold-scan.ts).
 */

import type { ColdScan } from "../../state/cold/cold-scan.ts";
import { LIVE, Store } from "../../state/store.ts";
import type { Activity } from "../activity.ts";
import { CHUNK_ROWS } from "../chunk.ts";
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
  readonly #readsCold: boolean;
  readonly #activity: Activity;
  readonly #port: number;
  #part: Part = "died";
  #counts = true;
  #at = 0;
  #cold: ColdScan | null = null;
  /** Of the store's rows between memory and disk, when the slots were found. */
  #moves = 0;

  /** Of rows on disk: those columns of which texts are wanted; null: of all. */
  readonly #texts: readonly number[] | null;

  constructor(source: StoredNode, consumer: Node, texts: readonly number[] | null = null) {
    this.#texts = texts;
    this.#source = source;
    this.#step = consumer.step;
    this.#activity = consumer.activity;
    this.#port = consumer.sources.findIndex(({ node }) => node === source);
    this.#readsCold = consumer.readsCold(this.#port);
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
    this.close();
    if (this.#scans) {
      const { cold } = this.#source.store;
      if (part === "born" && this.#step.from === -1 && cold !== null && this.#readsCold)
        this.#cold = cold.scan(
          () => (this.index < this.length ? (this.slots[this.index] as number) : this.#at),
          this.#texts ?? undefined,
        );
      return;
    }
    const { store } = this.#source;
    const list = store[part];
    if (!again) this.#activity.tookRows(this.#port, part === "born" ? store.bornCount : list.length);
    this.slots = list.array;
    this.length = list.length;
  }

  /** True when `slots` has entries to take, or there may be more of them: then called again. Ends with false. */
  more(): boolean {
    if (this.index < this.length) {
      if (this.#cold === null || this.#source.store.cold?.moves === this.#moves) return true;
      // Rows that were found before the event loop had its turn may have gone to disk.
      this.#at = this.slots[this.index] as number;
      if (this.#counts) this.#activity.tookRows(this.#port, this.index - this.length);
    }
    if (!this.#scans) return false;
    return this.#scan();
  }

  /** After more() has said no: rows for `page`, which has room for a chunk; or what has to be read before there are any; null: there are no more. */
  cold(page: () => Store): { readonly rows: number } | Promise<void> | null {
    const scan = this.#cold;
    if (scan === null) return null;
    this.#at = Number.POSITIVE_INFINITY;
    if (scan.hasRows) {
      const rows = scan.take(page(), CHUNK_ROWS);
      if (this.#counts) this.#activity.tookRows(this.#port, rows);
      return { rows };
    }
    const reading = scan.read();
    if (reading === null) this.close();
    return reading;
  }

  /** A place for rows that are cold. */
  page(): Store {
    const { layout, dictionary, name } = this.#source.store;
    const page = new Store(name, layout.columns, dictionary);
    page.reserve(CHUNK_ROWS);
    return page;
  }

  /** It ends, where it may not have come to its end. */
  close(): void {
    this.#cold?.close();
    this.#cold = null;
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
    const cold = this.#cold;
    this.#moves = store.cold?.moves ?? 0;
    let n = 0;
    let slot = this.#at;
    for (; slot < end && n < found.length; slot++) {
      const base = slot * strideWords;
      const birth = I[base + birthWord] as number;
      if (birth === LIVE || cold?.isElsewhere(slot) === true) continue;
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
