/** A store with cold rows, and beside it a map that is right by looking at it. */
import { expect } from "vitest";
import { int8, numeric, text } from "../../../src/batch/types.ts";
import type { ColdCapture } from "../../../src/state/cold/captures.ts";
import { RunFiles } from "../../../src/state/cold/run-files.ts";
import { Dictionary } from "../../../src/state/dictionary.ts";
import type { HashIndex } from "../../../src/state/hash-index.ts";
import type { LayoutColumn } from "../../../src/state/layout.ts";
import { LIVE, Store } from "../../../src/state/store.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";

export const DIRECTORY = "/data/checkpoint";

const columns: LayoutColumn[] = [
  { type: text, nullable: false },
  { type: numeric, nullable: false },
  { type: int8, nullable: false },
  { type: int8, nullable: true },
  { type: text, nullable: true },
];

export type Key = readonly [name: string, amount: string, id: bigint];
export interface Row {
  readonly key: Key;
  readonly n: bigint | null;
  readonly t: string | null;
}

export function textOf({ key: [name, amount, id], n, t }: Row): string {
  return `${name}|${amount}|${id} ${n} ${t}`;
}

/** Keys that SQL takes for one. */
export function keyText([name, amount, id]: Key): string {
  return `${name}|${Number(amount)}|${id}`;
}

export class ColdTable {
  readonly store: Store;
  readonly index: HashIndex;
  readonly files: RunFiles;
  readonly expected = new Map<string, Row>();
  epoch = 1;

  constructor(disk: SimulatedDisk, keyColumns: readonly number[] = [0, 1, 2]) {
    this.files = new RunFiles(disk, DIRECTORY, (message) => expect.fail(message));
    this.store = new Store("rows", columns, new Dictionary());
    this.index = this.store.hashIndex({ columns: keyColumns, unique: true });
    this.store.chill(this.files, keyColumns);
    this.store.begin(this.epoch);
  }

  get cold() {
    return this.store.cold!;
  }

  step(): void {
    this.store.begin(++this.epoch);
  }

  #codes(row: Row): number[] {
    const { dictionary } = this.store;
    const wide = (n: bigint | null): number =>
      n === null ? 0 : BigInt.asIntN(53, n) === n ? Number(n) : dictionary.internBigInt(n);
    const [name, amount, id] = row.key;
    return [
      dictionary.internString(name),
      dictionary.internString(amount),
      wide(id),
      wide(row.n),
      row.t === null ? 0 : dictionary.internString(row.t),
    ];
  }

  /** The living slot of the key, fetched if need be. */
  async find(key: Key): Promise<number> {
    await this.cold.bring(
      () => this.#keyCodes(key),
      () => this.#living(key) >= 0,
    );
    return this.#living(key);
  }

  #keyCodes(key: Key): number[] {
    const codes = this.#codes({ key, n: null, t: null });
    return this.index.spec.columns.map((c) => codes[c]!);
  }

  #living(key: Key): number {
    const slot = this.index.find(...this.#keyCodes(key), 0);
    const { deathWord, strideWords } = this.store.layout;
    return slot >= 0 && this.store.I[slot * strideWords + deathWord] === LIVE ? slot : -1;
  }

  async upsert(row: Row): Promise<void> {
    const slot = await this.find(row.key);
    if (slot >= 0) this.store.kill(slot);
    this.store.reserve(1);
    const fresh = this.store.alloc();
    const codes = this.#codes(row);
    this.store.write(
      fresh,
      codes.map((code, i) =>
        this.store.layout.physical[i] === "f64" ? Float64Array.of(code) : Int32Array.of(code),
      ),
      [null, null, null, Uint8Array.of(row.n === null ? 1 : 0), Uint8Array.of(row.t === null ? 1 : 0)],
      0,
    );
    this.store.insert(fresh);
    this.expected.set(keyText(row.key), row);
  }

  async delete(key: Key): Promise<void> {
    const slot = await this.find(key);
    expect(slot >= 0).toBe(this.expected.delete(keyText(key)));
    if (slot >= 0) this.store.kill(slot);
  }

  rowAt(store: Store, slot: number): string {
    const [name, amount] = [new Int32Array(1), new Int32Array(1)];
    const [id, n] = [new Float64Array(1), new Float64Array(1)];
    const t = new Int32Array(1);
    const nulls = [null, null, null, new Uint8Array(1), new Uint8Array(1)];
    store.read(slot, [name, amount, id, n, t], nulls, 0);
    const { dictionary } = store;
    const integer = (code: number): bigint => (code >= 2 ** 62 ? dictionary.bigint(code) : BigInt(code));
    return textOf({
      key: [dictionary.string(name[0]!), dictionary.string(amount[0]!), integer(id[0]!)],
      n: nulls[3]![0] === 1 ? null : integer(n[0]!),
      t: nulls[4]![0] === 1 ? null : dictionary.string(t[0]!),
    });
  }

  /** All rows as of `epoch`, while `between` happens at every turn. */
  async scan(epoch: number, between: () => Promise<void>): Promise<string[]> {
    let at = 0;
    const scan = this.cold.scan(() => at);
    const rows: string[] = [];
    const page = new Store("page", columns, this.store.dictionary);
    page.reserve(7);
    try {
      for (; at < this.store.highWater; at++) {
        if (this.store.visible(at, epoch) && !scan.isElsewhere(at)) rows.push(this.rowAt(this.store, at));
        if (at % 16 === 15) {
          at++;
          await between();
          at--;
        }
      }
      at = Number.POSITIVE_INFINITY;
      for (let read = scan.read(); read !== null; read = scan.read()) {
        await read;
        while (scan.hasRows) {
          const n = scan.take(page, 7);
          for (let i = 0; i < n; i++) rows.push(this.rowAt(page, i));
        }
        await between();
      }
    } finally {
      scan.close();
    }
    return rows.sort();
  }

  get wanted(): string[] {
    return [...this.expected.values()].map(textOf).sort();
  }

  /** Slots in memory that are visible at the epoch, as a checkpoint takes them. */
  captured(epoch: number, capture: ColdCapture): string[] {
    const rows: string[] = [];
    for (let slot = 0; slot < this.store.highWater; slot++) {
      if (this.store.visible(slot, epoch) && !capture.isBack(slot)) rows.push(this.rowAt(this.store, slot));
    }
    return rows;
  }
}
