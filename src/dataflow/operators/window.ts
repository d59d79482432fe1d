/**
 * Window functions over a stored input with an ordered index by (partition, order, then all other columns).
 *
 * Nothing is kept per row. What a change does is found by computing the rows it can concern twice, as the input was and as it is: the difference is
 * the output's change.
 *
 * 1. The input's delta gives the changed rows. Where functions know all rows before a row, or of the partition, the first changed row of
 *    each partition is kept; otherwise all of them, in the index's order.
 * 2. Around each a stretch is cut out of its partition, in both versions (windows/stretch.ts): a few rows for lag or a sliding frame, from
 *    the mark before to the partition's end for a running sum (windows/marks.ts), all of it for ntile.
 * 3. Each function is run over both versions. Rows that differ leave with what they had and come with what they have.
 * 4. Rows that leave are emitted at once, those that come are kept until all have left. If they grow too many, the stretches from there on are
 *    computed once more for them. In a step from nothing all that is there comes: one pass.
 *
 * All of it runs in a generator that pauses after some thousand rows, or with a full chunk.
 */
import type { SqlType } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { Int32List } from "../../state/memory.ts";
import type { OrderedIndex } from "../../state/ordered-index.ts";
import { sortSlots } from "../../state/sort-slots.ts";
import { LIVE, type Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { ScalarError } from "../kernels/errors.ts";
import { type Evaluator, type Reach, united } from "../windows/evaluator.ts";
import { MARK_ROWS, Marks } from "../windows/marks.ts";
import { Pace } from "../windows/pace.ts";
import { Held, Results } from "../windows/results.ts";
import { peersOf, type SameRows, sameRows } from "../windows/rows.ts";
import type { Segment } from "../windows/segment.ts";
import { Stretch } from "../windows/stretch.ts";
import type { Delta, Part } from "./delta.ts";
import { type Ordering, OverOrdered } from "./over-ordered.ts";
import { type Copy, copier } from "./row-code.ts";
import type { StoredNode } from "./stored.ts";

export interface WindowColumn {
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly fallible: boolean;
  /** Columns that its state over all rows before depends on. */
  readonly stateful: readonly number[];
  make(store: Store): { readonly evaluator: Evaluator; readonly reach: Reach };
}

export interface WindowSpec extends Ordering {
  readonly identity: string;
  /** Columns of the store that come out, before the functions'. */
  readonly columns: readonly number[];
  readonly functions: readonly WindowColumn[];
  /** Order of the output: columns, then functions, as numbered here. */
  readonly output: readonly number[];
}

/** Rows kept until all have left. */
const PENDING_MAX = 16_384;

/** What is made anew when the input is another one. */
interface Parts {
  readonly stretch: Stretch;
  readonly evaluators: readonly Evaluator[];
  readonly before: readonly Results[];
  readonly after: readonly Results[];
  readonly reach: Reach;
  readonly same: SameRows;
  readonly copy: Copy;
}

export class Window extends OverOrdered {
  readonly label: string;
  readonly #spec: WindowSpec;
  readonly #out: Chunk;
  /** By function, the columns of the output that hold its values. */
  readonly #places: readonly (readonly number[])[];
  readonly #held: readonly Held[];
  readonly #marks: Marks;
  readonly #pace = new Pace();
  #parts: Parts | null = null;
  #run: Generator<void> | null = null;
  /** Changed rows to begin at, and (by partition) how many there are in it. */
  readonly #changed = new Int32List();
  readonly #counts = new Int32List();
  readonly #partitions = new Map<number, number>();
  readonly #seen = new Set<number>();
  // Rows to come: slots, then by function values and nulls.
  readonly #pending = new Int32List();
  readonly #values: readonly Float64Array[];
  readonly #nulls: readonly Uint8Array[];

  constructor(spec: WindowSpec, input: StoredNode, dictionary: Dictionary) {
    super(spec.identity, input, spec);
    this.label = `window over ${input.label}`;
    this.#spec = spec;
    const columns: TypedColumn[] = [
      ...spec.columns.map((c) => input.store.layout.columns[c]!),
      ...spec.functions,
    ];
    this.#out = createChunk(spec.output.map((c) => columns[c]!));
    this.#places = spec.functions.map((_, f) =>
      spec.output.flatMap((o, place) => (o === spec.columns.length + f ? [place] : [])),
    );
    this.#held = spec.functions.map((f) => new Held(f.type, dictionary));
    this.#values = spec.functions.map(() => new Float64Array(PENDING_MAX));
    this.#nulls = spec.functions.map(() => new Uint8Array(PENDING_MAX));
    if (spec.functions.some((f) => f.fallible)) this.errors = new ErrorCollection(this.label, dictionary);
    this.#marks = new Marks((mark) => {
      this.#parts?.evaluators.forEach((e, i) => {
        if (mark.states[i] !== undefined) e.drop?.(mark.states[i]);
      });
    });
  }

  override unbind(): void {
    this.#forget();
    super.unbind();
  }

  #forget(): void {
    this.#release();
    this.#marks.clear();
    for (const results of [...(this.#parts?.before ?? []), ...(this.#parts?.after ?? [])]) results.forget();
    this.#parts = null;
    this.#run = null;
  }

  override begin(): void {
    super.begin();
    this.#parts ??= this.#make();
    this.#changed.clear();
    this.#counts.clear();
    this.#partitions.clear();
    this.#seen.clear();
    this.#release();
    this.#run = this.#step(this.#parts);
  }

  override push(): void {}

  override work(): boolean {
    if (this.#run === null) return false;
    const out = this.#out;
    out.length = 0;
    this.#pace.renew();
    const { done } = this.#run.next();
    if (done === true) this.#run = null;
    this.emit(out);
    return done !== true;
  }

  #make(): Parts {
    const { store, weighted } = this.input;
    const { partition, order, functions, columns } = this.#spec;
    const made = functions.map((f) => f.make(store));
    const reach = united(made.map((m) => m.reach));
    const results = () => functions.map((f) => new Results(f.type, store.dictionary));
    const spec = {
      store,
      weighted,
      index: this.index as OrderedIndex,
      partitioned: partition.length > 0,
      reach,
      peers: peersOf(
        store,
        order.map((o) => o.column),
      ),
      alike: sameRows(store, [...new Set(functions.flatMap((f) => f.stateful))]),
      marks: this.#marks,
    };
    return {
      stretch: new Stretch(spec),
      evaluators: made.map((m) => m.evaluator),
      before: results(),
      after: results(),
      reach,
      same: sameRows(store, columns),
      copy: this.#copier(store),
    };
  }

  /** A column may come out several times. */
  #copier(store: Store): Copy {
    const { columns, output } = this.#spec;
    const copied = output.flatMap((o, place) => (o < columns.length ? [{ column: columns[o]!, place }] : []));
    return copier(
      store,
      copied.map((c) => c.column),
      copied.map((c) => c.place),
    );
  }

  // ---- a step -----------------------------------------------------------------------------------------------------

  *#step(parts: Parts): Generator<void> {
    const all = this.step.from < 0;
    for (const part of ["died", "born"] as const) yield* this.#collect(part, parts, all);
    const changed = this.#changed;
    if (!all && !parts.reach.prefix && !parts.reach.whole) {
      const slots = changed.array.subarray(0, changed.length);
      const index = this.index as OrderedIndex;
      yield* sortSlots(slots, new Int32Array(slots.length), (a, b) => index.compare(a, b));
    }
    // Stretches whose rows that come are not kept.
    const late: number[] = [];
    for (let i = 0; i < changed.length; i++) {
      if (all) late.push(i);
      else if (!this.#seen.has(changed.array[i] as number)) {
        const pending = this.#pending.length;
        const complete = yield* this.#around(i, parts, late.length === 0 ? "keep" : "leave");
        if (complete && late.length === 0) continue;
        late.push(i);
        this.#release(Math.min(pending, this.#pending.length));
      }
    }
    yield* this.#flush(parts);
    for (const i of late) yield* this.#around(i, parts, "come");
  }

  /** Notes where changes begin. */
  *#collect(part: Part, { reach }: Parts, all: boolean): Generator<void> {
    const delta = this.delta as Delta;
    const index = this.index as OrderedIndex;
    const { store } = this.input;
    const { birthWord, strideWords } = store.layout;
    const everyRow = !all && !reach.prefix && !reach.whole;
    delta.start(part);
    while (delta.more()) {
      for (; delta.index < delta.length; delta.index++) {
        if (--this.#pace.left < 0) yield;
        const slot = delta.slots[delta.index] as number;
        if (store.I[slot * strideWords + birthWord] === LIVE) continue;
        if (part === "died") this.#marks.delete(slot);
        if (everyRow) {
          this.#changed.push(slot);
          continue;
        }
        const code = index.exactPartition ? index.partitionCode(slot) : this.#firstRow(slot);
        const known = this.#partitions.get(code);
        if (known === undefined) {
          this.#partitions.set(code, this.#changed.length);
          this.#changed.push(slot);
          this.#counts.push(1);
          continue;
        }
        this.#counts.array[known]!++;
        const first = this.#changed.array[known] as number;
        if (reach.prefix && !all && index.compare(slot, first) < 0) this.#changed.array[known] = slot;
      }
      yield;
    }
  }

  /** The partition's first row that is there at either end of the step. */
  #firstRow(slot: number): number {
    const index = this.index as OrderedIndex;
    const { store } = this.input;
    const { from, to } = this.step;
    let at = index.firstLike(slot);
    while (at >= 0 && !store.visible(index.slot(at), from) && !store.visible(index.slot(at), to))
      at = index.next(at);
    return at < 0 ? slot : index.slot(at);
  }

  /** The stretch that begins with the i-th change. False where rows that come could not be kept. */
  *#around(i: number, parts: Parts, what: "keep" | "leave" | "come"): Generator<void, boolean> {
    const slot = this.#changed.array[i] as number;
    const all = this.step.from < 0;
    const { stretch, evaluators, before, after } = parts;
    const count = this.#counts.length === 0 ? 0 : (this.#counts.array[i] as number);
    yield* stretch.make(slot, count, all, this.step, (s) => this.#seen.add(s), this.#pace);
    for (const [segment, results] of [
      [stretch.before, before],
      [stretch.after, after],
    ] as const) {
      for (const [f, evaluator] of evaluators.entries()) {
        results[f]!.begin(segment.to - segment.from);
        if (segment.to > segment.from) yield* evaluator.run(segment, results[f]!, this.#pace);
      }
    }
    if (parts.reach.prefix && !parts.reach.whole) yield* this.#mark(stretch.after, parts);
    const complete = yield* this.#compare(parts, what);
    for (const results of [...before, ...after]) results.forget();
    return complete;
  }

  /** Sets marks among the rows computed, in place of those that were there. */
  *#mark(segment: Segment, { evaluators, reach }: Parts): Generator<void> {
    const { store } = this.input;
    const { birthWord, strideWords } = store.layout;
    const { from, to } = segment;
    const rows: number[] = [];
    let last = 0;
    const slots = segment.slots.array;
    // A long way to the change had no marks either.
    for (let i = from > 2 * MARK_ROWS ? 1 : from; i < to; i++) {
      if (--this.#pace.left < 0) yield;
      if (i >= from && this.#marks.size > 0) this.#marks.delete(slots[i] as number);
      if (i - last < MARK_ROWS || slots[i] === slots[i - 1]) continue;
      if (reach.peers && segment.starts.array[segment.groups.array[i] as number] !== i) continue;
      rows.push(i);
      last = i;
    }
    if (rows.length === 0) return;
    const states = rows.map((): unknown[] => []);
    for (const evaluator of evaluators)
      if (evaluator.collect !== undefined) yield* evaluator.collect(segment, rows, states, this.#pace);
    for (const [j, row] of rows.entries()) {
      const slot = slots[row] as number;
      this.#marks.set(slot, {
        birth: store.I[slot * strideWords + birthWord] as number,
        rows: segment.rowsBefore + row,
        groups: segment.groupsBefore + (segment.groups.array[row] as number),
        states: states[j]!,
      });
    }
  }

  // ---- what has changed -------------------------------------------------------------------------------------------

  *#compare(parts: Parts, what: "keep" | "leave" | "come"): Generator<void, boolean> {
    const { stretch, before, after, same } = parts;
    const [old, now] = [stretch.before, stretch.after];
    let complete = true;
    let i = old.from;
    let j = now.from;
    while (i < old.to || j < now.to) {
      if (--this.#pace.left < 0) yield;
      const a = i < old.to ? (old.places.array[i] as number) : Number.POSITIVE_INFINITY;
      const b = j < now.to ? (now.places.array[j] as number) : Number.POSITIVE_INFINITY;
      const slot = old.slots.array[i] as number;
      const next = now.slots.array[j] as number;
      const paired = a === b || (i < old.to && j < now.to && same(slot, next));
      if (paired && this.#isEqual(before, i - old.from, after, j - now.from)) {
        i++;
        j++;
        continue;
      }
      const leaves = paired || a < b;
      const comes = paired || b < a;
      if (leaves) {
        if (what !== "come") {
          const error = errorOf(before, i - old.from);
          if (error !== null) this.errors!.add(error, -1);
          else {
            if (this.#out.length === CHUNK_ROWS) yield;
            this.#put(slot, before, i - old.from, -1, parts);
          }
        }
        i++;
      }
      if (comes) {
        const error = errorOf(after, j - now.from);
        if (error !== null) {
          if (what !== "come" || this.step.from < 0) this.errors!.add(error, 1);
        } else if (what === "come") {
          if (this.#out.length === CHUNK_ROWS) yield;
          this.#put(next, after, j - now.from, 1, parts);
        } else if (what === "keep" && complete) complete = this.#keep(next, after, j - now.from);
        j++;
      }
    }
    return complete;
  }

  #isEqual(before: readonly Results[], i: number, after: readonly Results[], j: number): boolean {
    for (let f = 0; f < before.length; f++) {
      const x = before[f] as Results;
      const y = after[f] as Results;
      if (x.nulls[i] !== y.nulls[j]) return false;
      const a = x.values[i] as number;
      const b = y.values[j] as number;
      if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) return false;
      if ((x.errors.size > 0 || y.errors.size > 0) && x.errors.get(i) !== y.errors.get(j)) return false;
    }
    return true;
  }

  #put(slot: number, results: readonly Results[], row: number, weight: number, { copy }: Parts): void {
    const out = this.#out;
    const o = out.length++;
    copy(slot, out, o);
    for (let f = 0; f < results.length; f++)
      this.#putValue(f, results[f]!.values[row] as number, results[f]!.nulls[row] as number, o);
    out.weights[o] = weight;
  }

  #putValue(f: number, value: number, isNull: number, o: number): void {
    const places = this.#places[f]!;
    for (let p = 0; p < places.length; p++) {
      const to = places[p] as number;
      this.#out.columns[to]![o] = value;
      const nulls = this.#out.nulls[to];
      if (nulls != null) nulls[o] = isNull;
    }
  }

  #keep(slot: number, results: readonly Results[], row: number): boolean {
    const at = this.#pending.length;
    if (at === PENDING_MAX) return false;
    this.#pending.push(slot);
    for (let f = 0; f < results.length; f++) {
      const value = results[f]!.values[row] as number;
      const isNull = results[f]!.nulls[row] as number;
      this.#values[f]![at] = value;
      this.#nulls[f]![at] = isNull;
      if (isNull === 0) this.#held[f]!.retain(value);
    }
    return true;
  }

  /** Emits the rows kept. */
  *#flush({ copy }: Parts): Generator<void> {
    const out = this.#out;
    for (let i = 0; i < this.#pending.length; i++) {
      if (out.length === CHUNK_ROWS) yield;
      const o = out.length++;
      copy(this.#pending.array[i] as number, out, o);
      for (let f = 0; f < this.#values.length; f++)
        this.#putValue(f, this.#values[f]![i] as number, this.#nulls[f]![i] as number, o);
      out.weights[o] = 1;
    }
    yield;
    this.#release();
  }

  /** Forgets kept rows from the `from`-th on. */
  #release(from = 0): void {
    for (let i = from; i < this.#pending.length; i++) {
      for (let f = 0; f < this.#values.length; f++)
        if (this.#nulls[f]![i] === 0) this.#held[f]!.release(this.#values[f]![i] as number);
    }
    this.#pending.length = from;
  }
}

/** Why the row has no result; null where it has. */
function errorOf(results: readonly Results[], row: number): ScalarError | null {
  for (const { errors } of results) {
    if (errors.size === 0) continue;
    const error = errors.get(row);
    if (error !== undefined) return error;
  }
  return null;
}
