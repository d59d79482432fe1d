/**
 * When rows go to disk (state/cold), those of tables, of views and of groups: near the memory limit, so many of them that the next rows find room.
 *
 * Memory that a store has taken stays its own: what goes out leaves free slots, which the rows that come take. So the stores' memory stops growing at
 * a share of the limit (WARM) and from then on slots are freed as they are needed. The rest is for what stays in memory of the rows that have gone, a
 * bit more than a byte each, for views and for queries. Whatever cannot go to disk is still bound by the limit itself (memory-limit.ts).
 *
 * Texts lie elsewhere, and rows with long ones are few. So where what is taken comes near the limit, and rows of a store have a good part of it in
 * their texts, as many rows go as have what is too much, between two steps: the texts are free when no row has them any more.
 */
import { EvertError, toEvertError } from "../base/errors.ts";
import type { ColdRows } from "../state/cold/cold-rows.ts";
import type { Pause } from "../state/cold/host.ts";
import type { RunFiles } from "../state/cold/run-files.ts";
import type { Store } from "../state/store.ts";
import { CHUNK_ROWS } from "./chunk.ts";
import type { MemoryLimit } from "./memory-limit.ts";

export interface CoolingOptions {
  /** Where rows go. */
  readonly files: RunFiles;
  /** Gives a turn of the event loop to work that can wait, and when it should end (performance.now()). */
  readonly turn: () => Promise<number>;
  readonly report: (message: string) => void;
  /** Of the memory limit, the share up to which tables grow; 0: rows go as soon as they may. Default 0.55. */
  readonly warm?: number | undefined;
}

const WARM = 0.55;
/**
 * Where all but so small a part of the limit is taken, tables take no more than they have free slots for: what a row on disk keeps in memory is to
 * push out no view.
 */
const FULL_PART = 32;
/**
 * Free slots that a store should have: a part of all it has, or what a piece of work and two steps take (rows of the last step stay for a while), if
 * that is no large part.
 */
const FREE_PART = 16;
const FREE_MAX = 131_072;
const FREE_PART_MOST = 4;
/** And what comes back at once for who needs it together, if that is not nearly all. */
const CROWD_PART_MOST = 2;
/** A step's rows should be a small part of all there is room for, at so many bytes a row, in each of the stores that may get a row for each. */
const STEP_PART = 32;
const ROW_BYTES = 64;
/** Of however many stores, a row of a step seldom comes to more. */
const STORES_MOST = 4;
const STEP_ROWS_MIN = 256;
/**
 * Of a store's rows in memory, below which none goes out, and which part of what tables may take, where that is less: a run costs a file, and a
 * buffer to write it.
 */
const STORE_BYTES_MIN = 1 << 20;
const STORE_PART_MIN = 32;
/** Of the limit, from where on rows go for their texts, and until where; and the least that a store's texts are. */
const TEXTS_FROM = 0.7;
const TEXTS_TO = 0.6;
const TEXTS_PART_LEAST = 32;
/** For how long what was found of a store's texts is good enough. */
const TEXTS_MS = 20;
/** Rows that go at once for their texts, at least. */
const TEXT_ROWS_MIN = 16;
/** Files open at once, of all tables, beyond which no more are made: the log and connections need theirs. */
const FILES_MAX = 512;
/** About, of a hash index. */
const INDEX_ENTRY_BYTES = 22;
/** Runs of a store that wait to be put together, beyond which nothing more goes out before they are. */
const RUNS_MAX = 24;
/** Rows that have come back, after which a store that had nothing to put out is looked through again. */
const BROUGHT_ROWS = 1_024;
/** After the disk has failed, tables are as if nothing could go out for so long. */
const FAILED_MS = 1_000;

/** How it was when nothing of a store could go out: it is looked through again when that has changed. */
interface Spent {
  /** Rows born later were not looked at. */
  readonly youngest: number;
  readonly brought: number;
  /** Slots that checkpoints let go then (ColdRows.capturedTo). */
  readonly capturedTo: number;
}

/** What a store's rows in memory have in texts. */
interface Texts {
  /** Of a row, on average. */
  readonly rowBytes: number;
  readonly bytes: number;
  /** When it is to be looked at again (performance.now()). */
  readonly until: number;
}

export class Cooling {
  readonly files: RunFiles;
  readonly #memory: MemoryLimit;
  readonly #options: CoolingOptions;
  readonly #stores: () => Iterable<Store>;
  readonly #warmBytes: number;
  readonly #fullBytes: number;
  readonly #spent = new WeakMap<Store, Spent>();
  readonly #texts = new WeakMap<Store, Texts>();
  /** Told when rows have come back: room may have to be made for them, also if no step comes. */
  onBack: () => void = () => {};
  #failedUntil = Number.NEGATIVE_INFINITY;
  /** Bytes of rows that are coming back to stay. */
  #thawing = 0;

  constructor(memory: MemoryLimit, stores: () => Iterable<Store>, options: CoolingOptions) {
    this.files = options.files;
    this.#memory = memory;
    this.#stores = stores;
    this.#options = options;
    this.#warmBytes = memory.bytes * (options.warm ?? WARM);
    this.#fullBytes = memory.bytes - memory.bytes / FULL_PART;
  }

  /** Rows that nobody asks for may go to files. `columns`: by which they are found; null: by indexes of others alone. */
  chill(store: Store, columns: readonly number[] | null): void {
    store.chill(this.files, columns).onBack = (rows) => {
      this.#memory.came(rows);
      this.onBack();
    };
  }

  /** Whether cool() has something to do for who reads at `horizon` or later. */
  isDue(horizon: number): boolean {
    if (this.#memory.used < this.#warmBytes || performance.now() < this.#failedUntil) return false;
    const large = this.#large();
    return large.some((store) => this.#isDue(store, horizon, large.length));
  }

  /**
   * Whether a store lacks room that it will have in a moment: when the steps up to `epoch` are published, which readers at `horizon` do not see, or,
   * beyond the limit, when a checkpoint has been written that keeps what has died since.
   */
  isShort(horizon: number, epoch: number): boolean {
    if (this.#memory.used < this.#warmBytes || this.#warmBytes === 0) return false;
    const large = this.#large();
    for (const store of large) {
      if (store.cold === null || !store.mayCool) continue;
      if (store.freeSlots * 2 >= this.#wanted(store, large.length)) continue;
      if (horizon < epoch && store.horizonOf(horizon) === horizon) return true;
      if (store.cold.isCaptured && this.#memory.used > this.#memory.bytes) return true;
    }
    return false;
  }

  /**
   * Whether a store of which rows may go lacks room for those that come, or come back. `heldFrom`: and whoever reads it at an epoch before that holds
   * some.
   */
  isCrammed(heldFrom: number = Number.NEGATIVE_INFINITY): boolean {
    const large = this.#large();
    return large.some(
      (store) =>
        store.cold !== null &&
        store.mayCoolSoon &&
        store.freeSlots * 2 < this.#wanted(store, large.length) &&
        (heldFrom === Number.NEGATIVE_INFINITY || store.horizonOf(heldFrom) < heldFrom),
    );
  }

  /** Whether rows of a store may go, now or when those go on that keep them for a moment. */
  get mayMakeRoom(): boolean {
    for (const store of this.#stores())
      if (store.cold !== null && store.mayCoolSoon && (!store.cold.isEmpty || this.#isLarge(store)))
        return true;
    return false;
  }

  /** Rows that one step should take at most: they stay in memory until it is published, and those of the next, too. */
  get stepRowsMax(): number {
    const { used } = this.#memory;
    // Those of a step that begins with little taken have all the room there is: they cannot go before it is published.
    if (used < this.#warmBytes / 2) return (this.#warmBytes - used) / ROW_BYTES / STORES_MOST;
    return this.#stepRows(this.#large().length);
  }

  /** What stepRowsMax never falls below: to know it asks no store. */
  get stepRowsLeast(): number {
    return this.#stepRows(STORES_MOST);
  }

  /** `large`: how many such stores there are. */
  #stepRows(large: number): number {
    const stores = Math.min(STORES_MOST, Math.max(1, large));
    return Math.max(STEP_ROWS_MIN, this.#warmBytes / STEP_PART / ROW_BYTES / stores);
  }

  #large(): Store[] {
    return [...this.#stores()].filter((store) => this.#isLarge(store));
  }

  #isDue(store: Store, horizon: number, large: number): boolean {
    if (store.cold === null || !store.cold.maySpill) return false;
    if (store.freeSlots >= this.#wanted(store, large)) return false;
    return this.#isWorthFile(store) && this.#mayHave(store, store.cold, store.sharedUntil(horizon));
  }

  /** Whether the store's rows in memory are worth a file, and there may be one more. */
  #isWorthFile(store: Store): boolean {
    return this.#isLarge(store) && this.files.count < FILES_MAX;
  }

  #isLarge(store: Store): boolean {
    const least = Math.min(STORE_BYTES_MIN, this.#warmBytes / STORE_PART_MIN);
    if (store.highWater * store.layout.strideWords * 4 >= least) return true;
    if (store.cold?.codec.hasTexts !== true || this.#warmBytes === 0) return false;
    return this.#textsOf(store).bytes >= this.#memory.bytes / TEXTS_PART_LEAST;
  }

  /** Whether the store may have rows, born up to `youngest`, that can go. */
  #mayHave(store: Store, cold: ColdRows, youngest: number): boolean {
    const spent = this.#spent.get(store);
    if (spent === undefined || youngest > spent.youngest) return true;
    // Of two that are both Infinity, nothing.
    if (cold.capturedTo - spent.capturedTo >= Math.max(1, store.highWater / FREE_PART)) return true;
    return cold.brought - spent.brought >= (this.#warmBytes === 0 ? 1 : BROUGHT_ROWS);
  }

  /** Free slots that the store should have. */
  #wanted(store: Store, large: number): number {
    if (this.#warmBytes === 0) return Number.POSITIVE_INFINITY;
    const taken = Math.max(2 * this.#stepRows(large), CHUNK_ROWS);
    const most = store.highWater / FREE_PART_MOST;
    const free = Math.min(FREE_MAX, Math.max(Math.min(taken, most), store.highWater / FREE_PART));
    return Math.max(free, Math.min(store.cold?.rowsAtOnce ?? 0, store.highWater / CROWD_PART_MOST));
  }

  /** About the bytes of texts that only rows of the store have, in memory. */
  textBytes(store: Store): number {
    return this.#textsOf(store).bytes;
  }

  #textsOf(store: Store): Texts {
    const known = this.#texts.get(store);
    const now = performance.now();
    if (known !== undefined && now < known.until) return known;
    const rowBytes = store.cold?.textBytes ?? 0;
    const found = { rowBytes, bytes: rowBytes * (store.highWater - store.freeSlots), until: now + TEXTS_MS };
    this.#texts.set(store, found);
    return found;
  }

  /** Of the stores of which rows may go for their texts, the one that has most; null: there is none. */
  #mostTexts(horizon: number): Store | null {
    let most = this.#memory.bytes / TEXTS_PART_LEAST;
    let found: Store | null = null;
    for (const store of this.#stores()) {
      const { cold } = store;
      if (cold === null || !cold.maySpill || !cold.codec.hasTexts) continue;
      const { bytes } = this.#textsOf(store);
      if (bytes < most || !this.#mayHave(store, cold, store.sharedUntil(horizon))) continue;
      most = bytes;
      found = store;
    }
    return found;
  }

  /** Whether so much is taken that rows go for their texts. */
  get areTextsNear(): boolean {
    return this.#memory.used >= this.#memory.bytes * TEXTS_FROM;
  }

  /** Whether coolTexts() has something to do for who reads at `horizon` or later. */
  areTextsDue(horizon: number): boolean {
    if (this.#warmBytes === 0 || !this.areTextsNear) return false;
    if (performance.now() < this.#failedUntil || this.files.count >= FILES_MAX) return false;
    return this.#mostTexts(horizon) !== null;
  }

  /** Rows with long texts go; between two steps, no step is begun meanwhile. */
  async coolTexts(horizon: number, pause: Pause): Promise<void> {
    let over = this.#memory.used - this.#memory.bytes * TEXTS_TO;
    try {
      for (
        let store = this.#mostTexts(horizon);
        store !== null && over > 0;
        store = this.#mostTexts(horizon)
      ) {
        const cold = store.cold as ColdRows;
        const { rowBytes } = this.#textsOf(store);
        const { brought, capturedTo } = cold;
        const gone = await cold.spill(horizon, pause, Math.max(TEXT_ROWS_MIN, Math.ceil(over / rowBytes)));
        if (gone === 0) this.#spent.set(store, { youngest: store.sharedUntil(horizon), brought, capturedTo });
        over -= Math.max(0, gone) * rowBytes;
        this.#texts.delete(store);
        if (cold.runs > RUNS_MAX) await this.#merge(cold);
        else void this.#merge(cold).catch((error: unknown) => this.#failed(error));
        if (gone < 0) return;
      }
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Makes room in tables; no step is begun or goes on meanwhile. */
  async cool(horizon: number, pause: Pause): Promise<void> {
    const large = this.#large();
    for (const store of large) {
      const { cold } = store;
      if (cold === null) continue;
      try {
        while (this.#isDue(store, horizon, large.length)) {
          const { brought, capturedTo } = cold;
          if ((await cold.spill(horizon, pause)) === 0)
            this.#spent.set(store, { youngest: store.sharedUntil(horizon), brought, capturedTo });
          if (cold.runs > RUNS_MAX) await this.#merge(cold);
        }
      } catch (error) {
        this.#failed(error);
        return;
      }
      void this.#merge(cold).catch((error: unknown) => this.#failed(error));
    }
  }

  #merge(cold: ColdRows): Promise<void> {
    let ends = 0;
    return cold.merge(async () => {
      if (performance.now() >= ends) ends = await this.#options.turn();
    });
  }

  /** All rows are where they were, and stay there. */
  #failed(error: unknown): void {
    this.#failedUntil = performance.now() + FAILED_MS;
    this.#options.report(`rows could not be written to disk: ${toEvertError(error).message}`);
  }

  /** Nothing goes out any more; ends when all is at rest. */
  async stop(): Promise<void> {
    for (const store of this.#stores()) await store.cold?.stop();
  }

  /**
   * Whether rows that come to the table near the memory limit find room, because others that nobody at `horizon` or later misses can go to disk now.
   */
  makesRoom(store: Store, horizon: number): boolean {
    const { cold } = store;
    if (cold === null || !cold.maySpillSoon || performance.now() < this.#failedUntil) return false;
    if (!this.#isWorthFile(store)) return false;
    // What the last step made can go with the next one.
    if (this.#memory.used - this.#textsOf(store).bytes > this.#fullBytes) return false;
    return this.#mayHave(store, cold, store.horizonOf(horizon));
  }

  /** Makes what cold rows of the store lack to be found by all its indexes. @throws EvertError disk_full, io_error, log_damaged */
  async link({ cold }: Store): Promise<void> {
    let ends = 0;
    await cold?.link(async () => {
      if (performance.now() >= ends) ends = await this.#options.turn();
    });
  }

  /** All rows of the store come back, because somebody needs them in memory. @throws EvertError view_limit where they have no room: none has come. */
  async thaw(store: Store): Promise<void> {
    const { cold } = store;
    if (cold === null || cold.isEmpty) return;
    const more =
      Math.max(0, cold.rows - store.freeSlots) * (store.layout.strideWords * 4 + INDEX_ENTRY_BYTES);
    // What others bring back at the same time has its room already.
    if (this.#memory.used + this.#thawing + more > this.#memory.nearBytes) {
      throw new EvertError("view_limit", "the database has reached its memory limit", {
        detail: `All rows of "${store.name}" are needed in memory, and many of them are on disk for want of room.`,
        hint: "Ask by the table's key, or for groups and filtered rows; or open the database with a higher memoryLimit.",
      });
    }
    let ends = 0;
    this.#thawing += more;
    try {
      await cold.thaw(async () => {
        if (performance.now() >= ends) ends = await this.#options.turn();
      });
    } finally {
      this.#thawing -= more;
    }
  }
}
