/**
 * Errors are data: what went wrong in a node's expressions, as a collection that changes by weights like rows do. A row whose
 * expression fails leaves the flow here; when the row is taken away, its error goes too, and the views behind heal.
 */
import { type ErrorBody, type ErrorCode, EvertError, errorCodes } from "../base/errors.ts";
import { text } from "../batch/types.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { HashIndex } from "../state/hash-index.ts";
import { LIVE, Store } from "../state/store.ts";
import { lostRow } from "./lost-row.ts";

const CODE = 0;
const SQLSTATE = 1;
const MESSAGE = 2;
const DETAIL = 3;
const HINT = 4;
const COLUMNS = 5;

export class ErrorCollection {
  readonly store: Store;
  readonly #index: HashIndex;
  readonly #node: string;
  #total = 0;
  /** The step in which it last became other than it was. */
  #changedAt = 0;

  constructor(node: string, dictionary: Dictionary) {
    this.#node = node;
    const column = { type: text, nullable: false };
    this.store = new Store(`errors of ${node}`, new Array(COLUMNS).fill(column), dictionary);
    this.#index = this.store.hashIndex({
      columns: [CODE, SQLSTATE, MESSAGE, DETAIL, HINT],
      unique: true,
      exact: true,
    });
  }

  /** Whether there are none, for whatever epoch that is still read. */
  get isEmpty(): boolean {
    return this.store.live === 0 && !this.store.hasDead;
  }

  /** Errors as of the epoch: one that is published, or a later one. */
  count(at: number): number {
    if (at >= this.#changedAt) return this.#total;
    let count = 0;
    for (let slot = 0; slot < this.store.highWater; slot++)
      if (this.store.visible(slot, at)) count += this.store.weight(slot);
    return count;
  }

  /** A step begins; the store has the new epoch. */
  begin(): void {
    // Also right after a checkpoint was loaded: the store alone is the truth.
    if (this.#total === 0 && this.store.live > 0) this.#recount();
  }

  /** Adds the error `weight` times; negative takes it away. */
  add(error: ErrorBody, weight: number): void {
    const { store } = this;
    const { dictionary, layout } = store;
    store.reserve(1);
    const { code, sqlstate, message, detail, hint } = error;
    const fields = [code, sqlstate, message, detail ?? "", hint ?? ""].map((s) => dictionary.internString(s));
    const found = this.#index.find(...fields, 0);
    const { strideWords, weightWord, deathWord, birthWord } = layout;
    const at = found * strideWords;
    const living = found >= 0 && store.I[at + deathWord] === LIVE;
    const had = living ? (store.I[at + weightWord] as number) : 0;
    const has = had + weight;
    if (has < 0) throw lostRow(this.#node);
    this.#total += weight;
    this.#changedAt = store.epoch;
    if (living && store.I[at + birthWord] === store.epoch && has > 0) {
      store.I[at + weightWord] = has;
      return;
    }
    if (living) store.kill(found);
    if (has === 0) return;
    const slot = store.alloc();
    fields.forEach((id, i) => {
      store.I[slot * strideWords + (layout.words[i] as number)] = id;
    });
    store.I[slot * strideWords + weightWord] = has;
    store.insert(slot);
  }

  /** Each error there is now, and how often. */
  *entries(): Generator<{ readonly error: ErrorBody; readonly weight: number }> {
    const { store } = this;
    for (let slot = 0; slot < store.highWater; slot++) {
      if (store.visible(slot, LIVE - 1)) yield { error: this.#errorOf(slot), weight: store.weight(slot) };
    }
  }

  /** What the last step has done to it. */
  *changes(): Generator<{ readonly error: ErrorBody; readonly weight: number }> {
    const { born, died, epoch, layout } = this.store;
    for (let i = 0; i < died.length; i++) {
      const slot = died.array[i] as number;
      yield { error: this.#errorOf(slot).toJSON(), weight: -this.store.weight(slot) };
    }
    for (let i = 0; i < born.length; i++) {
      const slot = born.array[i] as number;
      // One that has gone again within the step has left no row.
      if (this.store.I[slot * layout.strideWords + layout.birthWord] === epoch)
        yield { error: this.#errorOf(slot).toJSON(), weight: this.store.weight(slot) };
    }
  }

  #errorOf(slot: number): EvertError {
    const { store } = this;
    const { strideWords, words } = store.layout;
    const field = (i: number) =>
      store.dictionary.string(store.I[slot * strideWords + (words[i] as number)] as number);
    const code = field(CODE);
    return new EvertError(code in errorCodes ? (code as ErrorCode) : "internal", field(MESSAGE), {
      detail: field(DETAIL) || undefined,
      hint: field(HINT) || undefined,
      sqlstate: field(SQLSTATE),
    });
  }

  /** After a checkpoint was loaded into the store. */
  restored(): void {
    this.#recount();
  }

  /** The error that has been there longest, as of epoch `at`; of equally old ones the least by message. */
  first(at: number): { error: EvertError; since: number } | null {
    const { store } = this;
    const { strideWords, birthWord } = store.layout;
    let best: { error: EvertError; since: number } | null = null;
    for (let slot = 0; slot < store.highWater; slot++) {
      if (!store.visible(slot, at)) continue;
      const base = slot * strideWords;
      const since = store.I[base + birthWord] as number;
      if (best !== null && since > best.since) continue;
      const error = this.#errorOf(slot);
      if (best !== null && since === best.since && best.error.message <= error.message) continue;
      best = { error, since };
    }
    return best;
  }

  #recount(): void {
    const { store } = this;
    this.#total = 0;
    for (let slot = 0; slot < store.highWater; slot++) {
      if (store.visible(slot, LIVE - 1)) this.#total += store.weight(slot);
    }
  }
}
