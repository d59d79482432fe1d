/**
 * Group by, with aggregates.
 *
 * State: a store with one row per group: key columns, how many rows it has, how many non-null arguments each aggregate saw, and the
 * aggregates' own columns. A unique index on the key.
 *
 * 1. A chunk comes in: each row finds its group. The first row of a step to touch a group makes a new version of the group's row (a
 *    copy, or zeros), every later one changes that version in place.
 * 2. When the input is complete, each version made in this step settles what lies beside it (min and max look into their ordered
 *    inputs, objects become text), and its result is compared with the result of the version before: if they differ, the old row goes
 *    and the new one comes. A group without rows ends.
 *
 * Without keys there is one group, which exists from the first step on and never ends.
 */
import type { ErrorBody } from "../../base/errors.ts";
import { float8 } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { Store } from "../../state/store.ts";
import type { Place } from "../aggregates/accumulator.ts";
import { type Chunk, createChunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { TypedColumn } from "../js-rows.ts";
import { lostRow } from "../lost-row.ts";
import { Node, type NodeStore, type Source, type WantedIndex } from "../node.ts";
import { Extreme } from "./extreme-lookup.ts";
import { type GroupAggregate, type GroupSpec, groupSource } from "./group-code.ts";
import { sink } from "./touch-code.ts";

export interface GroupCode {
  take(chunk: Chunk): void;
  /** Emits for touched[i ..]; gives the next i. */
  emit(touched: Int32Array, i: number, end: number, from: number, out: Chunk): number;
}

export class Group extends Node {
  readonly label: string;
  readonly store: Store;
  readonly index: HashIndex;
  readonly #aggregates: readonly GroupAggregate[];
  readonly #out: Chunk;
  readonly #code: GroupCode;
  readonly #source: string;
  readonly #global: boolean;
  readonly #extremes: Extreme[] = [];
  #next = 0;

  /** `aggregates` is called once the store exists. */
  constructor(
    spec: GroupSpec,
    sources: readonly Source[],
    dictionary: Dictionary,
    aggregates: (group: Group) => readonly GroupAggregate[],
  ) {
    super(spec.identity, sources);
    this.label = spec.label;
    this.#global = spec.keys === 0;
    if (spec.fallible) this.errors = new ErrorCollection(spec.label, dictionary);
    this.#aggregates = aggregates(this);
    const counter = { type: float8, nullable: false };
    const counted = countedArguments(this.#aggregates, spec.input);
    const columns = [...spec.input.slice(0, spec.keys), counter, ...counted.map(() => counter)];
    const firstState = columns.length;
    for (const { accumulator } of this.#aggregates) columns.push(...accumulator.columns);
    this.store = new Store(spec.label, columns, dictionary);
    this.index = this.store.hashIndex({
      columns: spec.input.slice(0, spec.keys).map((_, i) => i),
      unique: true,
    });
    this.#out = createChunk(spec.output);

    const bound = new Map<string, unknown>();
    const rowsColumn = spec.keys;
    let at = firstState;
    const places = this.#aggregates.map(({ accumulator, arg }): Place => {
      const state = accumulator.columns.map((_, i) => at + i);
      at += accumulator.columns.length;
      const counterOf = counted.indexOf(arg);
      accumulator.boxed?.bind(this.store, state[state.length - 1]!);
      return {
        layout: this.store.layout,
        state,
        arg,
        argNullable: arg >= 0 && spec.input[arg]!.nullable,
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
    const known = { store: this.store, dictionary, find, touch, sink, next, lost, report };
    const make = new Function(...Object.keys(known), ...bound.keys(), this.#source);
    this.#code = make(...Object.values(known), ...bound.values()) as GroupCode;
  }

  /** For min and max over the stored input at `port`, whose columns are the keys, then the argument. */
  extreme(port: number, columns: readonly number[], keys: number, descending: boolean): Extreme {
    const extreme = new Extreme(this, port, columns, keys, descending);
    this.#extremes.push(extreme);
    return extreme;
  }

  override unbind(): void {
    for (const extreme of this.#extremes) extreme.release();
  }

  override stores(): NodeStore[] {
    return [{ part: "groups", store: this.store }];
  }

  override indexes(): WantedIndex[] {
    return this.#extremes.map((extreme) => extreme.wanted());
  }

  override prepare(): void {
    for (const extreme of this.#extremes) extreme.prepare();
  }

  override begin(): void {
    super.begin();
    this.#next = 0;
    this.prepare();
    for (const { accumulator } of this.#aggregates) accumulator.boxed?.begin();
    if (this.#global && this.store.live === 0) this.#makeOnly();
  }

  override push(_port: number, chunk: Chunk): void {
    this.#code.take(chunk);
  }

  override work(): boolean {
    const touched = this.store.born;
    if (this.#next >= touched.length) return false;
    const out = this.#out;
    this.#next = this.#code.emit(touched.array, this.#next, touched.length, this.step.from, out);
    this.emit(out);
    return true;
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

/** Arguments that may be null, each with a counter of its own. */
function countedArguments(aggregates: readonly GroupAggregate[], input: readonly TypedColumn[]): number[] {
  const args = aggregates.filter(({ arg }) => arg >= 0 && input[arg]!.nullable).map(({ arg }) => arg);
  return [...new Set(args)];
}
