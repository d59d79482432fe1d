/**
 * Hash indexes over the rows of a Store, generated per column types. The directory is bucket-lines.ts.
 *
 * Unique: an entry per row version, newer ones found first; of one key there is at most one version alive.
 * Multi: an entry per distinct key, its first row; the rows of a key hang on it, in any order, in a doubly linked list, so that a key with 166,341
 * rows costs a lookup no more than a key with one, and any row leaves in constant time.
 *
 * The links of a multi index hold slot + 1 (0 = none), in a memory beside the rows, so that an index can be added to a Store that has rows.
 *
 * Hashing an integer key keeps runs of 16 neighbours together: the upper bits are mixed, the low four are kept and turned by
 * mixed bits, which is a permutation (so keys that are all multiples of 16 spread as well).
 */
import { compiled } from "../base/compiled.ts";
import { carrierOf } from "../batch/types.ts";
import { BucketLines, type HandedLines, LINE_COUNT, LINE_ENTRIES, LINE_OVERFLOW } from "./bucket-lines.ts";
import { canonicalCode, hasCanonicalForm, identicalDouble, sameDouble } from "./equality.ts";
import { FILLING_MIN, IndexFilling } from "./index-filling.ts";
import { nullCode, readCode } from "./layout.ts";
import { GrowingMemory } from "./memory.ts";
import { maskBit, maskParams } from "./null-masks.ts";
import type { Rows } from "./rows.ts";

export interface HashIndexSpec {
  readonly columns: readonly number[];
  readonly unique: boolean;
  /** Equal values that print differently (1.0 and 1.00, 0 and -0) are told apart: the identity of a whole row, not the equality of a key. */
  readonly exact?: boolean;
}

export interface HashIndex {
  readonly spec: HashIndexSpec;
  readonly bytes: number;
  /**
   * One number per key column (0 for a null), then the masks of null-masks.ts. Unique: the newest version with that key, possibly dead;
   * multi: the first row of the key's list. -1: none.
   */
  readonly find: (...keyThenMasks: number[]) => number;
  /** As find, with the key of the slot's row, which need not be in the index. */
  readonly like: (slot: number) => number;
  /**
   * Reads the key's bucket and no more. A loop of it over the keys of a chunk lets the machine fetch the buckets of a large index side by
   * side, before they are needed one after the other. What it gives means nothing.
   */
  readonly touch: (...keyThenMasks: number[]) => number;
  /** Unique: the next older version of the slot's key; multi: the next row of its key. -1: none. */
  readonly next: (slot: number) => number;
  readonly insert: (slot: number) => void;
  /** insert() for each of the first n. */
  readonly insertAll: (slots: Int32Array, n: number) => void;
  /**
   * For unique ones: as insertAll(), but a slot is left out where one with its key is there; met[i] is that one, the newest of them, else -1. Gives
   * how many were left out.
   */
  readonly insertNew: (slots: Int32Array, n: number, met: Int32Array) => number;
  readonly remove: (slot: number) => void;
  /** Gives its memory back; it is empty. */
  readonly clear: () => void;
  /** Room for the links of slots below `slots`; `expected`: entries an empty index is about to get. */
  readonly reserve: (slots: number, expected?: number) => void;
  /** Hashes of the keys of slots, in an array that is used again. */
  readonly hashAll: (slots: Int32Array, n: number) => Int32Array;
  /** Takes entries for all rows, made in another thread (key-lines.ts). Unique ones only. */
  readonly take: (lines: HandedLines) => void;
  /** After reserve(), of an empty index that is about to get so many entries: how they are entered all at once. Null: insertAll() is as good. */
  readonly filling: (expected: number) => IndexFilling | null;
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

/** A permutation of the 32-bit integers: equal hashes, equal keys. */
export function hashInt(k: number): number {
  let h = k >>> 4;
  h = Math.imul(h ^ (h >>> 15), 0x0e3779b1) & 0xfffffff;
  h = Math.imul(h ^ (h >>> 13), 0x05ebca6b) & 0xfffffff;
  h ^= h >>> 14;
  return (h << 4) | ((k ^ (h >>> 20)) & 15);
}

export function hashMore(h: number, k: number): number {
  h = Math.imul(h ^ (h >>> 13), 0x5bd1e995) + Math.imul(k, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return h ^ (h >>> 13);
}

/** Of whoever enters rows: nobody does while another does. And what was read ahead, so that nobody can prove it useless. */
const scratch = { hashes: new Int32Array(8_192), read: 0 };

type Make = (
  store: Rows,
  links: GrowingMemory,
  buckets: BucketLines,
  hashInt: (k: number) => number,
  hashDouble: (v: number) => number,
  hashMore: (h: number, k: number) => number,
  scratch: { hashes: Int32Array; read: number },
) => Pick<
  HashIndex,
  "find" | "like" | "touch" | "next" | "insert" | "insertAll" | "insertNew" | "remove" | "hashAll"
>;

export function createHashIndex(store: Rows, spec: HashIndexSpec): HashIndex {
  const links = new GrowingMemory();
  const buckets = new BucketLines();
  const source = spec.unique ? uniqueSource(store, spec) : multiSource(store, spec);
  const make = compiled(
    "store",
    "links",
    "buckets",
    "hashInt",
    "hashDouble",
    "hashMore",
    "scratch",
    source,
  ) as Make;
  const code = make(store, links, buckets, hashInt, hashDouble, hashMore, scratch);
  const linkWords = spec.unique ? 0 : 2;
  return {
    spec,
    get bytes() {
      return buckets.bytes + store.highWater * linkWords * 4;
    },
    find: code.find,
    like: code.like,
    touch: code.touch,
    next: code.next,
    insert: code.insert,
    insertAll: code.insertAll,
    insertNew: code.insertNew,
    remove: code.remove,
    hashAll: code.hashAll,
    take: (lines) => buckets.take(lines),
    clear: () => {
      links.clear();
      buckets.clear();
    },
    reserve: (slots, expected = 0) => {
      if (linkWords > 0) links.ensure(slots * linkWords * 4);
      // A multi index has an entry per key, which may be few: it grows by itself.
      if (expected > 0 && spec.unique) buckets.presize(expected);
    },
    filling: (expected) =>
      spec.unique && expected >= FILLING_MIN ? new IndexFilling(buckets, code.hashAll) : null,
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
    const { type } = layout.columns[column]!;
    const own = spec.exact !== true && hasCanonicalForm(store.dictionary, type);
    const canonical = (code: string) => canonicalCode(store.dictionary, "store.dictionary", type, code);
    const physical = layout.physical[column]!;
    const at = (base: string) => {
      const raw = readCode(layout, column, base);
      return own ? canonical(raw) : raw;
    };
    if (own) normalize.push(`if (${p} !== 0) ${p} = ${canonical(p)};`);
    const one = physical === "f64" ? "hashDouble" : "hashInt";
    const mix = (value: string, h: string) =>
      i === 0 ? `${one}(${value})` : `hashMore(${h}, ${physical === "f64" ? `hashDouble(${value})` : value})`;
    hashParams.push(mix(p, "h"));
    hashRow.push(mix(at("b"), "h"));
    const sameNumber = spec.exact === true ? identicalDouble : sameDouble;
    const same = (a: string, b: string) =>
      carrierOf(type) === "double" ? sameNumber(a, b) : `${a} === ${b}`;
    equalParams.push(same(at("b"), p));
    equalRows.push(same(at("b"), at("c")));
    if (layout.columns[column]!.nullable) {
      equalParams.push(`${nullCode(layout, column, "b")} === ${maskBit(i)}`);
      equalRows.push(`${nullCode(layout, column, "b")} === ${nullCode(layout, column, "c")}`);
    }
  });
  const [only] = spec.columns;
  if (spec.columns.length === 1 && layout.physical[only!] !== "f64" && !layout.columns[only!]!.nullable) {
    // The hash is the key: no row needs to be looked at.
    equalParams.length = 0;
    equalRows.length = 0;
  }
  const chain = (steps: string[]) =>
    steps.length === 0
      ? "let h = 1;"
      : steps.map((s, i) => (i === 0 ? `let h = ${s};` : `h = ${s};`)).join(" ");
  return {
    params: [...params, ...maskParams(spec.columns.length)].join(", "),
    normalize: normalize.join(" "),
    hashParams: chain(hashParams),
    hashRow: chain(hashRow),
    equalParams: equalParams.length === 0 ? "true" : equalParams.join(" && "),
    equalRows: equalRows.length === 0 ? "true" : equalRows.join(" && "),
  };
}

/** Walks the entries with hash `h` from the newest on; `visit` sees the slot as e. */
function eachEntry(visit: string): string {
  return `
    let L = buckets.B, at = buckets.lineOf(h);
    for (;;) {
      for (let i = at + L[at + ${LINE_COUNT}] - 1; i >= at; i--) {
        if (L[i] !== h) continue;
        const e = L[i + ${LINE_ENTRIES}];
        ${visit}
      }
      at = (L[at + ${LINE_OVERFLOW}] - 1) << 4;
      if (at < 0) break;
      L = buckets.O;
    }`;
}

/** Lookups, and the hash of a row. */
function lookupSource(key: KeyCode, stride: number): string {
  return `function find(${key.params}) {
    const I = store.I, F = store.F;
    ${key.normalize}
    ${key.hashParams}
    ${eachEntry(key.equalParams === "true" ? "return e;" : `const b = e * ${stride}; if (${key.equalParams}) return e;`)}
    return -1;
  }
  function touch(${key.params}) {
    ${key.normalize}
    ${key.hashParams}
    return buckets.B[buckets.lineOf(h)];
  }
  function like(slot) {
    const I = store.I, F = store.F, c = slot * ${stride}, h = hashOf(slot);
    ${eachEntry(key.equalRows === "true" ? "return e;" : `const b = e * ${stride}; if (${key.equalRows}) return e;`)}
    return -1;
  }
  function hashOf(slot) {
    const I = store.I, F = store.F, b = slot * ${stride};
    ${key.hashRow}
    return h;
  }`;
}

/** Rows that a multi index remembers while it takes many. */
const LATELY = 256;
/** Fewer are not many. */
const LATELY_MIN = 32;

/** Entries from which on the buckets are taken to be larger than the cache. */
const LARGE = 32_768;

/** hashAll(slots, n): hashes of rows; and their buckets are read, so that the machine fetches them side by side before they are needed. */
function hashAllSource(key: KeyCode, stride: number): string {
  return `function hashAll(slots, n) {
    if (scratch.hashes.length < n) scratch.hashes = new Int32Array(n * 2);
    const I = store.I, F = store.F, { hashes } = scratch;
    for (let i = 0; i < n; i++) {
      const b = slots[i] * ${stride};
      ${key.hashRow}
      hashes[i] = h;
    }
    if (buckets.count > ${LARGE}) {
      let x = 0;
      for (let i = 0; i < n; i++) x ^= buckets.B[buckets.lineOf(hashes[i])];
      scratch.read = x;
    }
    return hashes;
  }`;
}

function uniqueSource(store: Rows, spec: HashIndexSpec): string {
  const key = keyCode(store, spec);
  const stride = store.layout.strideWords;
  return `"use strict";
  ${lookupSource(key, stride)}
  function next(slot) {
    const I = store.I, F = store.F, c = slot * ${stride}, h = hashOf(slot);
    let seen = false;
    ${eachEntry(`if (seen) { const b = e * ${stride}; if (${key.equalRows}) return e; } else if (e === slot) seen = true;`)}
    return -1;
  }
  function insert(slot) { buckets.insert(hashOf(slot), slot); }
  ${hashAllSource(key, stride)}
  function insertAll(slots, n) { buckets.insertAll(hashAll(slots, n), slots, n); }
  function insertNew(slots, n, met) {
    const hashes = hashAll(slots, n), I = store.I, F = store.F;
    let left = 0;
    for (let r = 0; r < n; r++) {
      const slot = slots[r], h = hashes[r], c = slot * ${stride};
      met[r] = -1;
      search: {
        ${eachEntry(`const b = e * ${stride}; if (${key.equalRows}) { met[r] = e; left++; break search; }`)}
        buckets.insert(h, slot);
      }
    }
    return left;
  }
  function remove(slot) { buckets.remove(hashOf(slot), slot); }
  return { find, like, touch, next, insert, insertAll, insertNew, remove, hashAll };`;
}

function multiSource(store: Rows, spec: HashIndexSpec): string {
  const key = keyCode(store, spec);
  const stride = store.layout.strideWords;
  // Per slot: [next row of the key, previous row of the key (0: it is the first)].
  return `"use strict";
  ${lookupSource(key, stride)}
  function next(slot) { return links.I[slot * 2] - 1; }
  function insert(slot) { insertAs(slot, hashOf(slot)); }
  ${hashAllSource(key, stride)}
  const lately = new Int32Array(${LATELY});
  function insertAll(slots, n) {
    const hashes = hashAll(slots, n);
    if (n < ${LATELY_MIN}) {
      for (let i = 0; i < n; i++) insertAs(slots[i], hashes[i]);
      return;
    }
    // Rows that come together often share their keys. Behind one that has just come there is a place without a look at the buckets.
    lately.fill(0);
    const I = store.I, F = store.F, K = links.I;
    for (let i = 0; i < n; i++) {
      const slot = slots[i], h = hashes[i], at = h & ${LATELY - 1}, e = lately[at] - 1;
      if (e >= 0) {
        const b = e * ${stride}, c = slot * ${stride};
        if (${key.equalRows === "true" ? "hashOf(e) === h" : key.equalRows}) {
          const after = K[e * 2];
          K[slot * 2] = after;
          K[slot * 2 + 1] = e + 1;
          K[e * 2] = slot + 1;
          if (after !== 0) K[(after - 1) * 2 + 1] = slot + 1;
          continue;
        }
      }
      insertAs(slot, h);
      lately[at] = slot + 1;
    }
  }
  function insertAs(slot, h) {
    const I = store.I, F = store.F, K = links.I, c = slot * ${stride};
    K[slot * 2 + 1] = 0;
    ${eachEntry(`
        const b = e * ${stride};
        if (!(${key.equalRows})) continue;
        K[slot * 2] = e + 1;
        K[e * 2 + 1] = slot + 1;
        L[i + ${LINE_ENTRIES}] = slot;
        return;`)}
    K[slot * 2] = 0;
    buckets.insert(h, slot);
  }
  function remove(slot) {
    const K = links.I, after = K[slot * 2], before = K[slot * 2 + 1];
    if (after !== 0) K[(after - 1) * 2 + 1] = before;
    if (before !== 0) K[(before - 1) * 2] = after;
    else if (after !== 0) buckets.replace(hashOf(slot), slot, after - 1);
    else buckets.remove(hashOf(slot), slot);
  }
  function insertNew() { throw new Error("broken invariant: rows of an index that is not unique are all new"); }
  return { find, like, touch, next, insert, insertAll, insertNew, remove, hashAll };`;
}
