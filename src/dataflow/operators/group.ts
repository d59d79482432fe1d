/**
 * Group by, with aggregates.
 *
 * State: a store with one row per group: key columns, how many rows it has, how many non-null arguments each aggregate saw, and the
 * aggregates' own columns. A unique index on the key.
 *
 * 1. A chunk comes in: each row finds its group. The first row of a step to touch a group makes a new version of the group's row (a
 *    copy, or zeros), every later one changes that version in place.
 *    Where rows only come, and a row leaves its group's aggregates as they are, it makes no version: a bid below the highest.
 *    Rows come in through several ports: the input itself, and, of DISTINCT aggregates, the different arguments, and of min and max under
 *    deletion the first row of each group: they count for those aggregates alone.
 * 2. When the input is complete, each version made in this step settles what lies beside it (what is made of rows is gathered from
 *    its ordered input, objects become text), and its result is compared with the result of the version before: if they differ, the old row goes
 *    and the new one comes. A group without rows ends.
 *
 * Groups that nothing touches may go to disk; before a chunk is taken, those that it touches are brought back (cold-keys.ts). What the operator looks
 * up elsewhere, in ordered inputs, stays in memory.
 *
 * Without keys there is one group, which exists from the first step on and never ends.
 */
import { compiled } from "../../base/compiled.ts";
import type { ErrorBody } from "../../base/errors.ts";
import { float8 } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import type { Int32List } from "../../state/memory.ts";
import { LIVE, Store } from "../../state/store.ts";
import type { Place } from "../aggregates/accumulator.ts";
import type { Collector } from "../aggregates/collect/collector.ts";
import type { Chunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Guard } from "../kernels/guard.ts";
import { runtimeOf } from "../kernels/runtime.ts";
import { LentChunk } from "../lent-chunk.ts";
import { lostRow } from "../lost-row.ts";
import { type CoolableStore, Node, type NodeStore, type Source, type WantedIndex } from "../node.ts";
import { RowPace } from "../row-pace.ts";
import { ColdKeys } from "./cold-keys.ts";
import { Gather, type GatherSpec } from "./gather.ts";
import { type Counted, type GroupAggregate, type GroupSpec, groupSource } from "./group-code.ts";
import { sink } from "./touch-code.ts";

export interface GroupCode {
  /** By port: takes rows `from`.. in and gives the row to go on with. */
  readonly take: readonly (((chunk: Chunk, from: number) => number) | null)[];
  /** Emits for touched[i ..]; gives the next i. */
  emit(touched: Int32Array, i: number, end: number, from: number, out: Chunk): number;
}

const GATHERED_ROWS_PER_CALL = 8192;

export class Group extends Node {
  readonly label: string;
  override readonly isRowForRow: boolean;
  readonly store: Store;
  readonly index: HashIndex;
  readonly #aggregates: readonly GroupAggregate[];
  readonly #out: LentChunk;
  readonly #code: GroupCode;
  readonly #source: string;
  readonly #global: boolean;
  /** null: no function of the user is called. */
  readonly #guard: Guard | null;
  readonly #gathers: Gather[] = [];
  readonly #cold: ColdKeys;
  #next = 0;
  /** Rows to gather at once. */
  readonly #gatherPace = new RowPace(GATHERED_ROWS_PER_CALL);
  /** Touched groups for which all is gathered, and how many gathers are done for the one behind them. */
  #gathered = 0;
  #gather = 0;

  /** `aggregates` is called once the store exists. */
  constructor(
    spec: GroupSpec,
    sources: readonly Source[],
    dictionary: Dictionary,
    aggregates: (group: Group) => readonly GroupAggregate[],
  ) {
    super(spec.identity, sources);
    this.label = spec.label;
    this.isRowForRow = spec.isRowForRow;
    this.#global = spec.keys === 0;
    if (spec.fallible) this.errors = new ErrorCollection(spec.label, dictionary);
    this.#aggregates = aggregates(this);
    const counter = { type: float8, nullable: false };
    const keys = spec.inputs[0]!.slice(0, spec.keys);
    const counted = countedArguments(this.#aggregates, spec.inputs);
    const columns = [...keys, counter, ...counted.map(() => counter)];
    const firstState = columns.length;
    for (const { accumulator } of this.#aggregates) columns.push(...accumulator.columns);
    this.store = new Store(spec.label, columns, dictionary);
    this.index = this.store.hashIndex({
      columns: keys.map((_, i) => i),
      unique: true,
    });
    this.#out = new LentChunk(spec.output);
    const key = keys.map((_, i) => i);
    const keyed = (columns: readonly TypedColumn[]) => ({ columns, key, isNew: false });
    this.#cold = new ColdKeys(
      this,
      this.store,
      this.index,
      spec.inputs.map((columns) => (columns === null ? null : keyed(columns))),
    );

    const bound = new Map<string, unknown>();
    const rowsColumn = spec.keys;
    let at = firstState;
    const places = this.#aggregates.map(({ accumulator, arg, rest = [], port = 0 }): Place => {
      const state = accumulator.columns.map((_, i) => at + i);
      at += accumulator.columns.length;
      const counterOf = counted.findIndex((c) => c.port === port && c.arg === arg);
      accumulator.boxed?.bind(this.store, state[state.length - 1]!);
      return {
        layout: this.store.layout,
        state,
        arg,
        argNullable: arg >= 0 && spec.inputs[port]![arg]!.nullable,
        rest,
        count: counterOf < 0 ? rowsColumn : rowsColumn + 1 + counterOf,
        mayBeEmpty: counterOf >= 0 || this.#global,
        bind(value) {
          for (const [name, known] of bound) if (known === value) return name;
          const name = `f${bound.size}`;
          bound.set(name, value);
          return name;
        },
      };
    });
    this.#source = groupSource(this.store.layout, spec, this.#aggregates, places, counted);
    const lost = () => lostRow(this.label);
    const report = (error: ErrorBody, weight: number) => this.errors!.add(error, weight);
    const { find, touch, next } = this.index;
    const { guard } = runtimeOf(dictionary);
    this.#guard = this.#aggregates.some((a) => a.accumulator.mayHang) ? guard : null;
    const known = { store: this.store, dictionary, find, touch, sink, next, lost, report, guard };
    const make = compiled(...Object.keys(known), ...bound.keys(), this.#source);
    this.#code = make(...Object.values(known), ...bound.values()) as GroupCode;
  }

  /** For what is made of the rows of the stored input at `port`. */
  gather(port: number, spec: GatherSpec, collector: Collector): Gather {
    const gather = new Gather(this, port, spec, collector);
    this.#gathers.push(gather);
    return gather;
  }

  override unbind(): void {
    for (const gather of this.#gathers) gather.release();
  }

  override stores(): NodeStore[] {
    return [{ part: "groups", store: this.store }];
  }

  override coolable(): readonly CoolableStore[] {
    return this.#global ? [] : [{ store: this.store, index: this.index }];
  }

  override stop(): void {
    this.#cold.close();
  }

  override fetched(): void {
    this.#cold.fetched();
  }

  override indexes(): WantedIndex[] {
    return this.#gathers.map((lookup) => lookup.wanted());
  }

  override prepare(): void {
    for (const gather of this.#gathers) gather.prepare();
  }

  override begin(): void {
    super.begin();
    this.#next = 0;
    this.#gathered = 0;
    this.#gather = 0;
    this.prepare();
    for (const gather of this.#gathers) gather.begin();
    for (const { accumulator } of this.#aggregates) accumulator.boxed?.begin();
    if (this.#global && this.store.live === 0) this.#makeOnly();
  }

  override push(port: number, chunk: Chunk): void {
    if (this.#cold.holds(port, chunk)) return;
    const take = this.#code.take[port]!;
    const guard = this.#guard;
    if (guard === null) take(chunk, 0);
    else
      for (let row = 0; row < chunk.length; ) {
        const from = row;
        row = guard.run(() => take(chunk, from));
      }
  }

  override work(): boolean {
    const touched = this.store.born;
    if (this.#next >= touched.length) return false;
    const ready = this.#gathers.length === 0 ? touched.length : this.#gatherSome(touched);
    if (this.#next >= ready) return true;
    const out = this.#out.take();
    const emit = () => this.#code.emit(touched.array, this.#next, ready, this.step.from, out);
    this.#next = this.#guard === null ? emit() : this.#guard.run(emit);
    this.emit(out);
    this.#out.giveBack();
    return true;
  }

  /** Looks at a bounded number of rows; how many touched groups have all they need. */
  #gatherSome(touched: Int32List): number {
    const began = performance.now();
    const { rows } = this.#gatherPace;
    const left = this.#gatherRows(touched, rows);
    this.#gatherPace.took(rows - left, performance.now() - began);
    return this.#gathered;
  }

  /** Gathers until so many rows were looked at, about; how many are left of them. */
  #gatherRows(touched: Int32List, budget: number): number {
    const { layout } = this.store;
    for (; this.#gathered < touched.length && budget > 0; this.#gathered++) {
      const slot = touched.array[this.#gathered] as number;
      if (this.store.I[slot * layout.strideWords + layout.birthWord] === LIVE) continue;
      for (; this.#gather < this.#gathers.length; this.#gather++) {
        budget = (this.#gathers[this.#gather] as Gather).advance(slot, budget);
        if (budget < 0) return 0;
      }
      this.#gather = 0;
    }
    return Math.max(0, budget);
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#source}`];
  }

  /** The group that is there even over nothing. */
  #makeOnly(): void {
    const { store } = this;
    store.reserve(1);
    const slot = store.alloc();
    const { strideWords, weightWord } = store.layout;
    store.I.fill(0, slot * strideWords, slot * strideWords + weightWord);
    clearNullable(store, slot);
    store.insert(slot);
  }
}

/** Sets the null bits of all nullable columns: nothing was seen yet. */
function clearNullable(store: Store, slot: number): void {
  const { layout } = store;
  const base = slot * layout.strideWords;
  layout.columns.forEach((column, i) => {
    if (!column.nullable) return;
    const word = base + layout.nullWord[i]!;
    store.I[word] = (store.I[word] as number) | (1 << layout.nullBit[i]!);
  });
}

/** Arguments with a counter of their own: those that may be null, and all that are not counted with the group's rows. */
function countedArguments(
  aggregates: readonly GroupAggregate[],
  inputs: readonly (readonly TypedColumn[] | null)[],
): Counted[] {
  const counted: Counted[] = [];
  for (const { arg, port = 0 } of aggregates) {
    if (arg < 0 || (port === 0 && !inputs[0]![arg]!.nullable)) continue;
    if (!counted.some((c) => c.port === port && c.arg === arg)) counted.push({ port, arg });
  }
  return counted;
}
