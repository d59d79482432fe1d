/**
 * What an aggregate is to the group-by operator: columns of state in the group's row, code that takes an input row in, and code that
 * gives the result. The code is text, spliced into the group-by's loops; what is too long for that is called.
 *
 * Variables the code may use. In `add`: b (first word of the group's row), g (its slot), r (row of the chunk), w (its weight), c0.. n0.. (the
 * chunk's arrays), I, F, dictionary. In `result`: b, g, I, F, dictionary, and it must set `value` and `isNull`, or `error` to a ScalarError.
 */
import type { SqlType } from "../../batch/types.ts";
import type { LayoutColumn, RowLayout } from "../../state/layout.ts";
import type { Store } from "../../state/store.ts";

/** Where an aggregate finds its parts once the group's row has been laid out. */
export interface Place {
  readonly layout: RowLayout;
  /** Columns of the group's row that are the aggregate's state, in the order of `columns`. */
  readonly state: readonly number[];
  /** Chunk column of the argument; -1 without one. */
  readonly arg: number;
  readonly argNullable: boolean;
  /** Chunk columns of further arguments; but for a reducer, never null where the first is not. */
  readonly rest: readonly number[];
  /** Column of the group's row that counts the rows whose argument is not null. */
  readonly count: number;
  /** Whether that count can be 0 in a group that exists. */
  readonly mayBeEmpty: boolean;
  /** Makes `value` known to the generated code under the returned name. */
  bind(value: unknown): string;
}

export interface Accumulator {
  readonly type: SqlType;
  /** State besides the count of arguments. */
  readonly columns: readonly LayoutColumn[];
  /** Run for each row whose argument is not null. */
  add(place: Place): string;
  /**
   * Where a row may leave all of the state as it is, however often it comes: the condition for that, over the same variables as `add`. It may say no
   * to a row that would.
   */
  keeps?(place: Place): string;
  result(place: Place): string;
  /** The group's row is a new version: `g` was copied from `old` (-1: a new group). Objects kept beside the rows are not copied. */
  readonly boxed?: Boxed;
  /** Its code calls functions of the user that may never return: it runs in a region of the guard. */
  readonly mayHang?: boolean;
}

/** Values kept beside the rows during a step. */
export interface Boxed {
  bind(store: Store, column: number): void;
  /** Writes the touched group's value into its row. */
  settle(slot: number): void;
  /** A step begins. */
  begin(): void;
}

/** Expression for an f64 state column. */
export function cell(place: Place, i: number): string {
  return `F[(b >> 1) + ${(place.layout.words[place.state[i]!] as number) >> 1}]`;
}

/** Index into F of an f64 state column. */
export function cellAt(place: Place, i: number): string {
  return `(b >> 1) + ${(place.layout.words[place.state[i]!] as number) >> 1}`;
}

export function countCell(place: Place): string {
  return `F[(b >> 1) + ${(place.layout.words[place.count] as number) >> 1}]`;
}

/** Wraps a result that is null when no argument was seen. */
export function unlessEmpty(place: Place, code: string): string {
  if (!place.mayBeEmpty) return `isNull = 0; ${code}`;
  return `if (${countCell(place)} === 0) { value = 0; isNull = 1; } else { isNull = 0; ${code} }`;
}

/**
 * State of variable size: an object during the step in which a group is touched, text in a column of the group's row from the end of the step on.
 */
export class Boxes<B> implements Boxed {
  readonly #open = new Map<number, B>();
  readonly #decode: (text: string) => B;
  readonly #encode: (box: B) => string | null;
  readonly #fresh: () => B;
  #store: Store | null = null;
  #column = 0;

  constructor(codec: { decode(text: string): B; encode(box: B): string | null; fresh(): B }) {
    this.#decode = codec.decode;
    this.#encode = codec.encode;
    this.#fresh = codec.fresh;
  }

  bind(store: Store, column: number): void {
    this.#store = store;
    this.#column = column;
  }

  begin(): void {
    this.#open.clear();
  }

  /** The group's box, to be changed. */
  open(slot: number): B {
    let box = this.#open.get(slot);
    if (box === undefined) this.#open.set(slot, (box = this.peek(slot) ?? this.#fresh()));
    return box;
  }

  /** The group's box as it is; undefined when it has none. */
  peek(slot: number): B | undefined {
    const open = this.#open.get(slot);
    if (open !== undefined) return open;
    const store = this.#store as Store;
    const { words, nullWord, nullBit, strideWords } = store.layout;
    const base = slot * strideWords;
    const isNull = ((store.I[base + nullWord[this.#column]!] as number) >>> nullBit[this.#column]!) & 1;
    if (isNull === 1) return undefined;
    return this.#decode(store.dictionary.string(store.I[base + words[this.#column]!] as number));
  }

  settle(slot: number): void {
    const box = this.#open.get(slot);
    if (box === undefined) return;
    const store = this.#store as Store;
    const text = this.#encode(box);
    setReference(store, slot, this.#column, text === null ? null : store.dictionary.internString(text));
  }
}

/** Changes a ref column of a row of this step. */
export function setReference(store: Store, slot: number, column: number, id: number | null): void {
  const { dictionary, layout } = store;
  const base = slot * layout.strideWords;
  const word = base + layout.words[column]!;
  dictionary.retain(id ?? 0);
  dictionary.release(store.I[word] as number);
  store.I[word] = id ?? 0;
  const nullWord = base + layout.nullWord[column]!;
  const bit = 1 << layout.nullBit[column]!;
  store.I[nullWord] =
    id === null ? (store.I[nullWord] as number) | bit : (store.I[nullWord] as number) & ~bit;
}
