/**
 * Hash indexes over the rows of a Store, generated per column types.
 *
 * Unique: each bucket is a chain of row versions, newest first; of one key there is at most one version alive.
 * Multi: each bucket is a chain of list heads, one per distinct key; the rows of a key hang on its head in a doubly linked list, so
 * that a key with 166,341 rows costs a lookup no more than a key with one, and any row leaves in constant time.
 *
 * Links hold slot + 1 (0 = none), in a memory beside the rows, so that an index can be added to a Store that has rows. The hash is kept
 * beside the link: splitting a bucket then touches no row, which would be a cache miss for each.
 *
 * Hashing an integer key keeps runs of 16 neighbours in one cache line of buckets: the upper bits are mixed, the low four are kept
 * and turned by mixed bits, which is a permutation within the line (so keys that are all multiples of 16 spread as well).
 */
import { Buckets } from "./buckets.ts";
import { nullCode, readCode } from "./layout.ts";
import { GrowingMemory } from "./memory.ts";
import type { Rows } from "./rows.ts";

export interface HashIndexSpec {
  readonly columns: readonly number[];
  readonly unique: boolean;
  /** numerics compared with their display scale: the identity of a whole row, not the equality of a key. */
  readonly exact?: boolean;
}

export interface HashIndex {
  readonly spec: HashIndexSpec;
  readonly bytes: number;
  /**
   * One number per key column (0 for a null), then a mask whose bit i says that key column i is null. Unique: the newest version with that key, possibly
   * dead; multi: the first row of the key's list. -1: none.
   */
  readonly find: (...keyThenNullMask: number[]) => number;
  /** Unique: the next older version of the slot's key; multi: the next row of its key. -1: none. */
  readonly next: (slot: number) => number;
  readonly insert: (slot: number) => void;
  readonly remove: (slot: number) => void;
  /** Room for the links of slots below `slots`; `expected`: entries an empty index is about to get. */
  readonly reserve: (slots: number, expected?: number) => void;
}

/** Shared by the generated code: mixing functions and scratch for the bits of a double. */
const scratchF = new Float64Array(1);
const scratchI = new Int32Array(scratchF.buffer);

export function hashDouble(v: number): number {
  const i = v | 0;
  if (i === v) return hashInt(i); // -0 included: (-0 | 0) === -0
  if (Number.isNaN(v)) return 0x7ff80000;
  scratchF[0] = v;
  return hashInt(
    Math.imul((scratchI[0] as number) ^ ((scratchI[1] as number) >>> 7), 0x9e3779b1) ^
      (scratchI[1] as number),
  );
}

export function hashInt(k: number): number {
  let h = Math.imul(k >>> 4, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca6b);
  return (h & ~15) | ((k ^ (h >>> 20)) & 15);
}

export function hashMore(h: number, k: number): number {
  h = Math.imul(h ^ (h >>> 13), 0x5bd1e995) + Math.imul(k, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return h ^ (h >>> 13);
}

type Make = (
  store: Rows,
  links: GrowingMemory,
  buckets: Buckets,
  hashInt: (k: number) => number,
  hashDouble: (v: number) => number,
  hashMore: (h: number, k: number) => number,
) => Pick<HashIndex, "find" | "next" | "insert" | "remove"> & { split: () => void };

export function createHashIndex(store: Rows, spec: HashIndexSpec): HashIndex {
  const links = new GrowingMemory();
  const buckets = new Buckets();
  const source = spec.unique ? uniqueSource(store, spec) : multiSource(store, spec);
  const make = new Function("store", "links", "buckets", "hashInt", "hashDouble", "hashMore", source) as Make;
  const code = make(store, links, buckets, hashInt, hashDouble, hashMore);
  const linkWords = spec.unique ? 2 : 4;
  return {
    spec,
    get bytes() {
      return buckets.bytes + store.highWater * linkWords * 4;
    },
    find: code.find,
    next: code.next,
    insert: code.insert,
    remove: code.remove,
    reserve: (slots, expected = 0) => {
      links.ensure(slots * linkWords * 4);
      // A multi index has an entry per key, which may be few: it grows by itself.
      if (expected > 0 && spec.unique) buckets.presize(expected);
    },
  };
}

interface KeyCode {
  readonly params: string;
  /** Normalises parameters (canonical numerics). */
  readonly normalize: string;
  /** Hash of the parameters. */
  readonly hashParams: string;
  /** Hash of the row at word `b`. */
  readonly hashRow: string;
  /** Row at word `b` equals the parameters. */
  readonly equalParams: string;
  /** Rows at words `b` and `c` are equal. */
  readonly equalRows: string;
}

function keyCode(store: Rows, spec: HashIndexSpec): KeyCode {
  const { layout } = store;
  const params: string[] = [];
  const normalize: string[] = [];
  const hashParams: string[] = [];
  const hashRow: string[] = [];
  const equalParams: string[] = [];
  const equalRows: string[] = [];
  spec.columns.forEach((column, i) => {
    const p = `k${i}`;
    params.push(p);
    const type = layout.columns[column]!.type.name;
    const physical = layout.physical[column]!;
    const at = (base: string) => {
      const raw = readCode(layout, column, base);
      return physical === "ref" && type === "numeric" && spec.exact !== true
        ? `store.dictionary.canonicalNumeric(${raw})`
        : raw;
    };
    if (physical === "ref" && type === "numeric" && spec.exact !== true) {
      normalize.push(`if (${p} !== 0) ${p} = store.dictionary.canonicalNumeric(${p});`);
    }
    const one = physical === "f64" ? "hashDouble" : "hashInt";
    const mix = (value: string, h: string) =>
      i === 0 ? `${one}(${value})` : `hashMore(${h}, ${physical === "f64" ? `hashDouble(${value})` : value})`;
    hashParams.push(mix(p, "h"));
    hashRow.push(mix(at("b"), "h"));
    const same = (a: string, b: string) =>
      type === "float8" ? `(${a} === ${b} || (${a} !== ${a} && ${b} !== ${b}))` : `${a} === ${b}`;
    equalParams.push(same(at("b"), p));
    equalRows.push(same(at("b"), at("c")));
    if (layout.columns[column]!.nullable) {
      equalParams.push(`${nullCode(layout, column, "b")} === ((nullMask >>> ${i}) & 1)`);
      equalRows.push(`${nullCode(layout, column, "b")} === ${nullCode(layout, column, "c")}`);
    }
  });
  const chain = (steps: string[]) =>
    steps.length === 0
      ? "let h = 1;"
      : steps.map((s, i) => (i === 0 ? `let h = ${s};` : `h = ${s};`)).join(" ");
  return {
    params: [...params, "nullMask"].join(", "),
    normalize: normalize.join(" "),
    hashParams: chain(hashParams),
    hashRow: chain(hashRow),
    equalParams: equalParams.length === 0 ? "true" : equalParams.join(" && "),
    equalRows: equalRows.length === 0 ? "true" : equalRows.join(" && "),
  };
}

/** Moves the chain of one bucket, keeping its order. A slot has `words` link words: the chain first, its hash last. */
function splitSource(words: number): string {
  return `
  function split() {
    const from = buckets.addBucket(), to = buckets.n - 1;
    const L = links.I, B = buckets.B;
    let e = B[from], stay = 0, move = 0;
    B[from] = 0;
    while (e !== 0) {
      const at = (e - 1) * ${words}, next = L[at];
      L[at] = 0;
      if ((L[at + ${words - 1}] & buckets.high) === to) { if (move === 0) B[to] = e; else L[(move - 1) * ${words}] = e; move = e; }
      else { if (stay === 0) B[from] = e; else L[(stay - 1) * ${words}] = e; stay = e; }
      e = next;
    }
    buckets.afterSplit();
  }`;
}

function uniqueSource(store: Rows, spec: HashIndexSpec): string {
  const key = keyCode(store, spec);
  const stride = store.layout.strideWords;
  return `"use strict";
  ${splitSource(2)}
  function find(${key.params}) {
    const I = store.I, F = store.F, L = links.I;
    ${key.normalize}
    ${key.hashParams}
    let e = buckets.B[buckets.bucketOf(h)];
    while (e !== 0) {
      const b = (e - 1) * ${stride};
      if (${key.equalParams}) return e - 1;
      e = L[(e - 1) * 2];
    }
    return -1;
  }
  function next(slot) {
    const I = store.I, F = store.F, L = links.I, c = slot * ${stride};
    let e = L[slot * 2];
    while (e !== 0) {
      const b = (e - 1) * ${stride};
      if (${key.equalRows}) return e - 1;
      e = L[(e - 1) * 2];
    }
    return -1;
  }
  function insert(slot) {
    buckets.count++;
    while (buckets.full) split();
    const I = store.I, F = store.F, b = slot * ${stride};
    ${key.hashRow}
    const k = buckets.bucketOf(h);
    links.I[slot * 2] = buckets.B[k];
    links.I[slot * 2 + 1] = h;
    buckets.B[k] = slot + 1;
  }
  function remove(slot) {
    const L = links.I, k = buckets.bucketOf(L[slot * 2 + 1]);
    let e = buckets.B[k];
    if (e === slot + 1) buckets.B[k] = L[slot * 2];
    else {
      while (L[(e - 1) * 2] !== slot + 1) e = L[(e - 1) * 2];
      L[(e - 1) * 2] = L[slot * 2];
    }
    buckets.count--;
  }
  return { find, next, insert, remove, split };`;
}

function multiSource(store: Rows, spec: HashIndexSpec): string {
  const key = keyCode(store, spec);
  const stride = store.layout.strideWords;
  // Per slot: [chain of heads, next row of the key, previous row of the key (0: it is the head), hash].
  return `"use strict";
  ${splitSource(4)}
  function find(${key.params}) {
    const I = store.I, F = store.F, L = links.I;
    ${key.normalize}
    ${key.hashParams}
    let e = buckets.B[buckets.bucketOf(h)];
    while (e !== 0) {
      const b = (e - 1) * ${stride};
      if (${key.equalParams}) return e - 1;
      e = L[(e - 1) * 4];
    }
    return -1;
  }
  function next(slot) { return links.I[slot * 4 + 1] - 1; }
  function insert(slot) {
    const I = store.I, F = store.F, L = links.I, c = slot * ${stride};
    let h0 = 0;
    { const b = c; ${key.hashRow} h0 = h; }
    let k = buckets.bucketOf(h0), e = buckets.B[k];
    while (e !== 0) {
      const b = (e - 1) * ${stride};
      if (L[(e - 1) * 4 + 3] === h0 && ${key.equalRows}) break;
      e = L[(e - 1) * 4];
    }
    if (e !== 0) { // behind the head
      const after = L[(e - 1) * 4 + 1];
      L[slot * 4] = 0; L[slot * 4 + 1] = after; L[slot * 4 + 2] = e; L[slot * 4 + 3] = h0;
      if (after !== 0) L[(after - 1) * 4 + 2] = slot + 1;
      L[(e - 1) * 4 + 1] = slot + 1;
      return;
    }
    buckets.count++;
    if (buckets.full) { while (buckets.full) split(); k = buckets.bucketOf(h0); }
    L[slot * 4] = buckets.B[k]; L[slot * 4 + 1] = 0; L[slot * 4 + 2] = 0; L[slot * 4 + 3] = h0;
    buckets.B[k] = slot + 1;
  }
  function remove(slot) {
    const L = links.I;
    const at = slot * 4, after = L[at + 1], before = L[at + 2];
    if (before !== 0) {
      L[(before - 1) * 4 + 1] = after;
      if (after !== 0) L[(after - 1) * 4 + 2] = before;
      return;
    }
    const k = buckets.bucketOf(L[at + 3]);
    let heir = L[at];
    if (after !== 0) { L[(after - 1) * 4] = heir; L[(after - 1) * 4 + 2] = 0; heir = after; }
    else buckets.count--;
    let e = buckets.B[k];
    if (e === slot + 1) buckets.B[k] = heir;
    else {
      while (L[(e - 1) * 4] !== slot + 1) e = L[(e - 1) * 4];
      L[(e - 1) * 4] = heir;
    }
  }
  return { find, next, insert, remove, split };`;
}
