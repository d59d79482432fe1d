/**
 * Whether a commit finds room below the memory limit. Its own rows cannot go to disk before its step is published, nor can what views make of them in
 * that step. Where all of them can go then, the commit is stepped in parts, each for itself (step-room.ts), and there has to be room for one. Of others
 * what does not fit beside what has to stay is refused before it is in the log, where it could not be kept in part any more; in several commits it may
 * well fit.
 *
 * 1. Asked is of commits that are no small part of the limit: what is smaller, and comes to more with others, is cut into steps (Committer). What a
 *    row takes is what those take that are there; a text counts once, however many rows have it. A row counts also where one behind it in the same
 *    commit replaces it: what a step has made and ended gives its slot back when the step has ended (Store), not before.
 * 2. Room is what is free, and what rows of the stores in question take that can go to disk meanwhile: between two pieces of the step they do.
 * 3. Of two large commits the rows of one can go to disk once it is published, and those that it replaced are freed then: until both has come the
 *    next one waits.
 * 4. Of a view's stores it is foreseen that a row of the table brings them as many rows as each of those that are there has; where there are next to
 *    none, one, if it has a row for each by its definition, and none otherwise. One that gets more is stopped at the limit, as ever.
 * 5. Refused for good (commit_too_large) is what would be refused again: clients send it no more, sinks send half of it.
 *
 * Streams take no memory here, and nothing that is appended to them is refused; nor is what is deleted, though it may have to come back for that.
 */
import { EvertError } from "../../base/errors.ts";
import { physicalOf } from "../../batch/types.ts";
import type { Circuit, MadeStore } from "../../dataflow/circuit.ts";
import { OP_DELETE } from "../../log/log.ts";
import type { Store } from "../../state/store.ts";
import { hashBytes } from "../../state/text-loops.ts";
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import type { Stepper } from "../stepper.ts";
import { memoryCauses } from "./memory-causes.ts";
import { type Part, rowBytesOf, upsertsOf } from "./part.ts";

/** A smaller part of the limit is not looked at: it is within what counting passes over. */
const SMALL_PART = 64;
/** One that is so large waits for those before it that were. */
const LARGE_PART = 8;
/** Of a row's entry, about, in a hash index, and in one by order; and of its place among those of one key. */
const HASHED_BYTES = 22;
const ORDERED_BYTES = 28;
const LINK_BYTES = 8;
/** Of a text, beside its bytes. */
const TEXT_BYTES = 48;
/** Rows that have to be there for what views make of one to be foreseen. */
const ROWS_KNOWN = 256;
/** With more memory than this, rows that come as objects, a few thousand at most, are not looked at for their texts. */
const SMALL_LIMIT = 2 ** 30;
const FEW_ROWS = 2_048;
/** Where there are only a few rows, each is taken to be so many times as large as rows are. */
const ROOMY = 4;

export interface CommitRoomContext {
  readonly circuit: Pick<Circuit, "memory" | "madeOf" | "bytesOfQueries" | "keptRows" | "cooling">;
  readonly catalog: EngineCatalog;
  readonly tables: { store(id: number): Store | null };
  readonly stepper: Pick<Stepper, "position" | "swept" | "partRows">;
  readonly publisher: {
    readonly published: { readonly position: number };
    /** @throws EvertError timeout */
    waitFor(position: number, timeoutMs: number): Promise<void>;
  };
}

/** A small one need not be refused, and a large one waits. */
export type Weight = "small" | "some" | "large";

/** How long a commit waits for one before that has been stepped to be durable, and so published, at most. */
const WAIT_MS = 10_000;

export class CommitRoom {
  readonly #context: CommitRoomContext;
  /** Position of the last large commit. */
  #last = 0;
  /** The last one that has been waited for until what it replaced was free. */
  #freed = 0;

  constructor(context: CommitRoomContext) {
    this.#context = context;
  }

  /** Which part of the limit the commit may take. */
  weigh(parts: readonly Part[]): Weight {
    const { bytes } = this.#context.circuit.memory;
    if (isSmall(parts, bytes)) return "small";
    let sum = 0;
    for (const part of parts) sum += this.#atMost(part, bytes);
    if (sum <= bytes / SMALL_PART) return "small";
    return sum <= bytes / LARGE_PART ? "some" : "large";
  }

  /** What a large one waits for; null: nothing. */
  wait(): Promise<void> | null {
    const last = this.#last;
    if (this.#freed >= last) return null;
    const { publisher, stepper } = this.#context;
    if (publisher.published.position < last) return this.#published(last);
    // Once for each: of what dies in smaller steps something is to be freed at all times.
    const swept = stepper.swept();
    if (swept !== null) return this.#swept(swept, last);
    this.#freed = last;
    return null;
  }

  async #swept(swept: Promise<void>, position: number): Promise<void> {
    await swept;
    this.#freed = position;
  }

  /** @throws EvertError timeout */
  async #published(position: number): Promise<void> {
    const { publisher, stepper } = this.#context;
    for (;;) {
      try {
        return await publisher.waitFor(position, WAIT_MS);
      } catch (error) {
        if (!(error instanceof EvertError) || error.code !== "timeout") throw error;
        // A step takes as long as it takes, and others wait for it as long. What is stepped waits for the disk, or for replicas that may be away.
        if (stepper.position < position) continue;
        throw new EvertError("timeout", `the large commit before was not durable within ${WAIT_MS} ms`, {
          detail: `Nothing of this commit is stored: it waits until the one at position ${position} is published, for its rows take memory until then.`,
          hint: "Send it again, or in several smaller commits.",
          cause: error,
        });
      }
    }
  }

  /**
   * @throws EvertError commit_too_large; out_of_memory where there will be room when who holds rows in memory for a while, or keeps some of its own,
   * has let them go
   */
  refuse(parts: readonly Part[]): void {
    const { circuit } = this.#context;
    const { memory } = circuit;
    const stores = new Set<Store>();
    const atOnce = this.#atOnce(parts);
    let needed = parts.reduce((sum, part) => sum + this.#needed(part, stores, atOnce), 0);
    let free = 0;
    let later = 0;
    for (const store of stores) {
      const texts = circuit.cooling?.textBytes(store) ?? 0;
      free += mayGo(store, goesSoon(store)) + (goesSoon(store) ? texts : 0);
      later += mayGo(store, store.isCoolable) + (store.isCoolable ? texts : 0);
    }
    // Whatever else is taken, what is free in the stores is theirs.
    if (needed + this.#texts(parts, false, atOnce) <= free + Math.max(0, memory.bytes - memory.used)) return;
    // To tell equal ones takes a look at each: only where it matters.
    needed += this.#texts(parts, true, atOnce);
    // Somebody may have left since it was counted.
    const used = memory.usedNow;
    const room = free + Math.max(0, memory.bytes - used);
    if (needed <= room) return;
    const isHeld = needed <= later + Math.max(0, memory.bytes - used + circuit.bytesOfQueries);
    throw new EvertError(
      isHeld ? "out_of_memory" : "commit_too_large",
      "the commit has no room below the memory limit",
      {
        detail: `Its rows, and what views make of them, would take about ${Math.ceil(needed)} bytes; there is room for ${Math.max(0, Math.floor(room))} of ${memory.bytes}.`,
        hint: isHeld
          ? "Send it again: a checkpoint, or a query, takes the room for a while. Or append in several commits."
          : this.#hint(parts, stores),
      },
    );
  }

  /** Of how many rows there has to be room at once: of all, where some are foreseen to stay in memory. */
  #atOnce(parts: readonly Part[]): number {
    const { circuit, stepper, tables } = this.#context;
    for (const { topic } of parts) {
      const store = tables.store(topic.id);
      if (store === null) continue;
      if (!goesSoon(store)) return Number.POSITIVE_INFINITY;
      for (const made of circuit.madeOf(topic.id))
        if ((made.isEach || made.store.live >= ROWS_KNOWN) && !goesSoon(made.store))
          return Number.POSITIVE_INFINITY;
    }
    return stepper.partRows(parts.map(({ topic }) => topic.id));
  }

  /** What helps: where rows stay in memory, those of commits before make no room. */
  #hint(parts: readonly Part[], stores: ReadonlySet<Store>): string {
    const tables = new Set(parts.map(({ topic }) => this.#context.tables.store(topic.id)));
    const stay = [...stores].filter((store) => !store.isCoolable);
    const own = stay.filter((store) => tables.has(store));
    const made = stay.filter((store) => !tables.has(store) && store.live >= ROWS_KNOWN);
    const context = this.#context;
    if (own.length > 0) {
      const { drop } = memoryCauses(context, new Set(own));
      const whom =
        drop === "" ? "a declared index, a unique constraint or a view needs them there" : `of ${drop}`;
      return `All rows of ${named(own)} stay in memory, because ${whom}: delete rows, drop what needs them, or open the database with a higher memoryLimit.`;
    }
    const several = "Append in several commits: rows of those before can go to disk";
    if (made.length === 0) return `${several}. Or open the database with a higher memoryLimit.`;
    const { drop } = memoryCauses(context, new Set(made));
    return `${several}, but for what views keep for ${named(made)}: drop ${drop === "" ? "such views" : drop}, or open the database with a higher memoryLimit.`;
  }

  /** One that is large has been committed. */
  staged(position: number): void {
    this.#last = position;
  }

  /** No less than what the rows take in their table. */
  #atMost(part: Part, limit: number): number {
    const store = this.#context.tables.store(part.topic.id);
    if (store === null) return 0;
    const bytes = upsertsOf(part) * rowBytes(store);
    return part.op === "batch" || limit <= SMALL_LIMIT ? bytes + textsOf(part, null) : bytes;
  }

  /** What their texts take; `once`: of equal ones the first alone. `atOnce`: of so many rows, where others may have gone before. */
  #texts(parts: readonly Part[], once: boolean, atOnce: number): number {
    let bytes = 0;
    for (const part of parts) {
      const store = this.#context.tables.store(part.topic.id);
      if (store === null) continue;
      const share = Math.min(1, atOnce / Math.max(1, upsertsOf(part)));
      bytes += share * textsOf(part, once ? new Set() : null);
    }
    return bytes;
  }

  /** Without its texts. */
  #needed(part: Part, stores: Set<Store>, atOnce: number): number {
    const { tables, circuit } = this.#context;
    const store = tables.store(part.topic.id);
    if (store === null) return 0;
    const rows = upsertsOf(part);
    stores.add(store);
    const counted = (of: Store): number => Math.min(rows, atOnce) * rowBytes(of);
    let bytes = counted(store);
    for (const made of circuit.madeOf(part.topic.id)) {
      stores.add(made.store);
      bytes += shareOf(made, store) * counted(made.store);
    }
    return bytes;
  }
}

/** Rows of the made store for each one of the table's, as far as that is foreseen. */
function shareOf({ store, isEach }: MadeStore, table: Store): number {
  return isEach ? 1 : table.live < ROWS_KNOWN ? 0 : Math.min(1, store.live / table.live);
}

/** Whether its rows can go to disk between two parts of a commit. */
function goesSoon({ cold }: Store): boolean {
  return cold?.maySpillSoon === true;
}

function named(stores: readonly Store[]): string {
  return stores.map(({ name }) => `"${name}"`).join(", ");
}

/** What a row takes in memory, with its entries in indexes. */
function rowBytes(store: Store): number {
  if (store.highWater < ROWS_KNOWN) {
    let bytes = store.layout.strideWords * 4 + store.orderedIndexes.length * ORDERED_BYTES;
    for (const { spec } of store.hashIndexes) bytes += HASHED_BYTES + (spec.unique ? 0 : LINK_BYTES);
    return bytes;
  }
  return (store.bytes - (store.cold?.bytes ?? 0)) / store.highWater;
}

/** What rows of the store take that make room for others: those that are free, or, where they can go to disk, all. */
function mayGo(store: Store, canGo: boolean): number {
  return (canGo ? store.highWater : store.freeSlots) * rowBytes(store);
}

/** What is usual costs next to nothing: a few rows are a small part of the limit, and with much memory they are so whatever is in them. */
function isSmall(parts: readonly Part[], limit: number): boolean {
  let bytes = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part;
    if (part.topic.topicKind === "stream") continue;
    if (part.op === "batch" || part.rows.length > FEW_ROWS) return false;
    if (limit <= SMALL_LIMIT)
      bytes += part.rows.length * ROOMY * (part.rowBytes ?? rowBytesOf(part.topic)) + textsOf(part, null);
  }
  return bytes <= limit / SMALL_PART;
}

/** By topic, the columns that texts may come in: to look at all that a row has costs more than all the rest. */
const textColumns = new WeakMap<TopicEntry, readonly string[]>();

function textColumnsOf(topic: TopicEntry): readonly string[] {
  let names = textColumns.get(topic);
  if (names === undefined) {
    names = topic.schema.fields.flatMap(({ name, type }) => (physicalOf(type) === "ref" ? [name] : []));
    textColumns.set(topic, names);
  }
  return names;
}

/** Bytes of the texts that come with it; of equal ones of the first, where `seen` is given. */
function textsOf(part: Part, seen: Set<unknown> | null): number {
  if (part.op === "batch") return textsOfBatch(part, seen);
  return part.op === "upsert" ? textsOfRows(part.rows, textColumnsOf(part.topic), seen) : 0;
}

function textsOfRows(
  rows: readonly unknown[],
  columns: readonly string[],
  seen: Set<unknown> | null,
): number {
  let bytes = 0;
  for (let c = 0; c < columns.length; c++) {
    const name = columns[c] as string;
    for (let i = 0; i < rows.length; i++) {
      const value = (rows[i] as Record<string, unknown> | null | undefined)?.[name];
      if (typeof value !== "string" || seen?.has(value) === true) continue;
      seen?.add(value);
      bytes += value.length + TEXT_BYTES;
    }
  }
  return bytes;
}

/** The keys of rows that are deleted are there. Two texts of one hash are taken for one. */
function textsOfBatch({ batch, ops }: Part & { readonly op: "batch" }, seen: Set<unknown> | null): number {
  const { columns, length } = batch;
  let bytes = 0;
  for (const column of columns) {
    if (column.kind !== "utf8") continue;
    const { offsets, data } = column;
    if (seen === null && ops === null) {
      bytes += (offsets[length] as number) - (offsets[0] as number) + length * TEXT_BYTES;
      continue;
    }
    for (let row = 0; row < length; row++) {
      if (ops !== null && ops[row] === OP_DELETE) continue;
      const [from, to] = [offsets[row] as number, offsets[row + 1] as number];
      if (seen !== null) {
        const hash = hashBytes(data, from, to);
        if (seen.has(hash)) continue;
        seen.add(hash);
      }
      bytes += to - from + TEXT_BYTES;
    }
  }
  return bytes;
}
