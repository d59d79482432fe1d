/**
 * Groups that wait for their step. While the engine is busy they queue up, and all that wait (up to a bound of rows) are taken in one step: small
 * steps when idle, large ones under load, nothing to tune.
 *
 * - A group that is large beside the memory limit is a step of its own: it may have to be taken in parts.
 * - So is a change of the catalog: what follows may need the topic it makes. It is taken when it is durable: names mean to everybody
 *   what it says, so nobody may have been told of it before. What is behind it could not be published before it, and waits with it.
 * - Other threads may begin with the next step before this one is over: its groups are taken then (`ahead`), and are the next step's.
 */
import type { Batch } from "../batch/batch.ts";
import { EncodedBatch } from "../batch/codec.ts";
import type { Group, TopicBatch } from "../log/log.ts";
import { CATALOG_TOPIC } from "./catalog/hidden-topics.ts";

const ROWS_PER_STEP = 65_536;
/** That may wait however little memory there is. */
const QUEUED_ROWS_MIN = 2_048;
/** Steps' rows that may wait before who appends waits, too; and how many may be left when it goes on. */
const QUEUED_STEPS_MAX = 8;
const QUEUED_STEPS_LEFT = 4;

export interface QueuedGroup {
  readonly group: Group;
  readonly rows: number;
  /** About, of its texts. */
  readonly bytes: number;
  readonly isCatalog: boolean;
}

/** What a step may take, for want of memory. */
export interface StepBound {
  /** Rows that one step should take at most, and bytes of their texts. */
  readonly stepRowsMax: number;
  readonly stepBytesMax: number;
  /** Whether so many are more. */
  fillsStep(rows: number): boolean;
}

export class StepQueue {
  #groups: QueuedGroup[] = [];
  /** Those of the next step, where other threads have begun with it. */
  #ahead: QueuedGroup[] = [];
  /** Of groups that wait, and of those in the step at hand. */
  rows = 0;
  /** Of their texts. */
  #bytes = 0;
  /** Of the last commit there was. */
  position = 0;
  readonly #bound: StepBound;
  /** Whether the log is durable up to the position. */
  readonly #isDurable: (position: number) => boolean;
  #waiters: (() => void)[] = [];

  constructor(bound: StepBound, isDurable: (position: number) => boolean) {
    this.#bound = bound;
    this.#isDurable = isDurable;
  }

  add(group: Group): void {
    const queued = queuedOf(group);
    this.#groups.push(queued);
    this.position = group.lastPosition;
    this.rows += queued.rows;
    this.#bytes += queued.bytes;
  }

  /** Null when few rows wait; else a promise for when that is so again. */
  room(): Promise<void> | null {
    return this.#areFew ? null : new Promise((resolve) => this.#waiters.push(resolve));
  }

  get #areFew(): boolean {
    const { rows } = this;
    if (this.#bytes >= QUEUED_STEPS_MAX * this.#bound.stepBytesMax) return false;
    if (rows < QUEUED_ROWS_MIN) return true;
    return rows < QUEUED_STEPS_MAX * ROWS_PER_STEP && !this.#bound.fillsStep(rows / QUEUED_STEPS_MAX);
  }

  /** These have been stepped. */
  stepped(groups: readonly QueuedGroup[]): void {
    for (const { rows, bytes } of groups) {
      this.rows -= rows;
      this.#bytes -= bytes;
    }
    if (this.#waiters.length === 0 || this.rows >= QUEUED_STEPS_LEFT * this.#rowsMax) return;
    if (this.#bytes < QUEUED_STEPS_LEFT * this.#bound.stepBytesMax) this.admitAll();
  }

  /** Who waits for room goes on, as if there were some. */
  admitAll(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  get #rowsMax(): number {
    return Math.min(ROWS_PER_STEP, this.#bound.stepRowsMax);
  }

  /** Whether the next step could begin now. */
  get hasNext(): boolean {
    return this.#ahead.length > 0 || (this.#groups.length > 0 && !this.isHeld);
  }

  /** Of the first group of the next step. */
  get nextRows(): number {
    return (this.#ahead[0] ?? this.#groups[0])?.rows ?? 0;
  }

  /** Whether the first is a change of the catalog. */
  get isCatalogFirst(): boolean {
    return this.#groups[0]?.isCatalog === true;
  }

  /** Whether what is next is a change of the catalog that is not durable. */
  get isHeld(): boolean {
    const [next] = this.#groups;
    return this.#ahead.length === 0 && next?.isCatalog === true && !this.#isDurable(next.group.lastPosition);
  }

  /** The groups of the next step. */
  take(): QueuedGroup[] {
    if (this.#ahead.length > 0) return this.#ahead.splice(0);
    if (this.isHeld) return [];
    const rowsMax = this.#rowsMax;
    const bytesMax = this.#bound.stepBytesMax;
    let rows = 0;
    let bytes = 0;
    let n = 0;
    for (const queued of this.#groups) {
      if (n > 0 && (queued.isCatalog || rows >= rowsMax || this.#bound.fillsStep(queued.rows))) break;
      bytes += queued.bytes;
      if (n > 0 && bytes > bytesMax) break;
      n++;
      rows += queued.rows;
      if (queued.isCatalog) break;
    }
    return this.#groups.splice(0, n);
  }

  /** Whether the next step is not begun by others, and has so many rows as things are. */
  mayTakeAhead(rowsMin: number): boolean {
    if (this.#ahead.length > 0) return false;
    let rows = 0;
    for (let i = 0; i < this.#groups.length && rows < rowsMin; i++)
      rows += (this.#groups[i] as QueuedGroup).rows;
    return rows >= rowsMin;
  }

  /** The same groups that take() gives next. None where others have begun with them already, or where it cannot be told by now what they mean. */
  takeAhead(): readonly QueuedGroup[] {
    const [next] = this.#groups;
    if (this.#ahead.length > 0 || next === undefined || next.isCatalog) return [];
    this.#ahead = this.take();
    return this.#ahead;
  }
}

function queuedOf(group: Group): QueuedGroup {
  const { batches } = group;
  let rows = 0;
  let bytes = 0;
  let isCatalog = false;
  for (let i = 0; i < batches.length; i++) {
    const { topicId, batch } = batches[i] as TopicBatch;
    rows += batch.length;
    bytes += textBytes(batch);
    if (topicId === CATALOG_TOPIC) isCatalog = true;
  }
  return { group, rows, bytes, isCatalog };
}

/** About: columns that are not made yet are not made for it. */
function textBytes(batch: Batch): number {
  if (batch instanceof EncodedBatch) return batch.to - batch.from;
  let bytes = 0;
  for (const column of batch.columns)
    if (column.kind === "utf8") bytes += (column.offsets[batch.length] ?? 0) - (column.offsets[0] ?? 0);
  return bytes;
}
