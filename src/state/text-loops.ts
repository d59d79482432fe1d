/**
 * What is done to every byte of a text, in WebAssembly, which reads four or eight bytes at once at any address; and the hash again in JavaScript,
 * for bytes that lie elsewhere.
 */
import {
  add,
  type Code,
  get,
  I32,
  i32Add,
  i32And,
  i32Const,
  i32Eqz,
  i32GeU,
  i32GtU,
  i32Load,
  i32LoadByte,
  i32LoadUnaligned,
  i32Mul,
  i32Ne,
  i32Or,
  i32Rotl,
  i32Shl,
  i32ShrU,
  i32Store,
  i32Sub,
  i32Xor,
  i64Load,
  i64Ne,
  i64Store,
  ifTrue,
  loopUntil,
  return_,
  set,
  type WasmFunction,
  wasmModule,
} from "../base/wasm-code.ts";

export interface TextLoops {
  /** Hashes `rows` texts, of each of which two words at `texts` say where it begins and where it ends; to the words at `hashes`. */
  hashAll(rows: number, texts: number, hashes: number): void;
  /**
   * Looks for the same texts among those met lately: RECENT entries at `recent`, each under the lowest bits of its hash: the hash, its bytes' length
   * and address, its id. Gives each text's id, or -1, to the words at `ids`, writes the numbers of those not found to the words at `missed`, and
   * gives how many.
   */
  findRecent(
    rows: number,
    texts: number,
    hashes: number,
    recent: number,
    ids: number,
    missed: number,
  ): number;
  /** 1 if the bytes at two addresses are the same. */
  equal(a: number, b: number, length: number): number;
  /** Copies in steps of eight bytes: up to seven more than `length`. */
  copy(to: number, from: number, length: number): void;
}

/** A power of two. */
export const RECENT = 1024;

let module_: WebAssembly.Module | undefined;

/** The loops over a memory. */
export function textLoops(memory: WebAssembly.Memory): TextLoops {
  module_ ??= new WebAssembly.Module(wasmModule([hashAll(), findRecent(), equal(), copy()]));
  return new WebAssembly.Instance(module_, { host: { memory } }).exports as unknown as TextLoops;
}

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const C3 = 0xe6546b64;
const C4 = 0x85ebca6b;
const C5 = 0xc2b2ae35;

/** A 32-bit mix over the bytes, four at a time (multiply-rotate rounds in the manner of MurmurHash3). */
export function hashBytes(U: Uint8Array, start: number, end: number): number {
  let h = end - start;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    let k =
      (U[i] as number) |
      ((U[i + 1] as number) << 8) |
      ((U[i + 2] as number) << 16) |
      ((U[i + 3] as number) << 24);
    k = Math.imul(k, C1);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, C2);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + C3) | 0;
  }
  if (i < end) {
    let k = 0;
    for (let shift = 0; i < end; i++, shift += 8) k |= (U[i] as number) << shift;
    k = Math.imul(k, C1);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, C2);
  }
  h ^= h >>> 16;
  h = Math.imul(h, C4);
  h ^= h >>> 13;
  h = Math.imul(h, C5);
  return h ^ (h >>> 16);
}

/** hashBytes over many. */
function hashAll(): WasmFunction {
  const [rows, texts, hashes, i, stop, h, k, shift] = [0, 1, 2, 3, 4, 5, 6, 7];
  const shiftRight = (bits: number): Code => [
    ...[...get(h), ...get(h), ...i32Const(bits), ...i32ShrU, ...i32Xor, ...set(h)],
  ];
  const mixed: Code = [
    ...[...get(k), ...i32Const(C1), ...i32Mul, ...i32Const(15), ...i32Rotl, ...i32Const(C2), ...i32Mul],
    ...[...get(h), ...i32Xor],
  ];
  const times = (factor: number): Code => [...get(h), ...i32Const(factor), ...i32Mul, ...set(h)];
  const words = loopUntil(
    [...get(i), ...i32Const(4), ...i32Add, ...get(stop), ...i32GtU],
    [
      ...[...get(i), ...i32LoadUnaligned(0), ...set(k), ...mixed, ...i32Const(13), ...i32Rotl],
      ...[...i32Const(5), ...i32Mul, ...i32Const(C3), ...i32Add, ...set(h)],
      ...add(i, 4),
    ],
  );
  const bytes = loopUntil(
    [...get(i), ...get(stop), ...i32GeU],
    [
      ...[...get(k), ...get(i), ...i32LoadByte(0), ...get(shift), ...i32Shl, ...i32Or, ...set(k)],
      ...add(shift, 8),
      ...add(i, 1),
    ],
  );
  const one: Code = [
    ...[...get(texts), ...i32Load(0), ...set(i), ...get(texts), ...i32Load(4), ...set(stop)],
    ...[...get(stop), ...get(i), ...i32Sub, ...set(h)],
    ...words,
    // Mixing a zero changes nothing.
    ...[...i32Const(0), ...set(k), ...i32Const(0), ...set(shift)],
    ...bytes,
    ...[...mixed, ...set(h)],
    ...[...shiftRight(16), ...times(C4), ...shiftRight(13), ...times(C5), ...shiftRight(16)],
    ...[...get(hashes), ...get(h), ...i32Store(0)],
    ...[...add(texts, 8), ...add(hashes, 4), ...add(rows, -1)],
  ];
  return {
    name: "hashAll",
    params: 3,
    results: 0,
    locals: [{ count: 5, type: I32 }],
    body: loopUntil([...get(rows), ...i32Eqz], one),
  };
}

function findRecent(): WasmFunction {
  const [rows, texts, hashes, recent, ids, missed] = [0, 1, 2, 3, 4, 5];
  const [row, count, i, stop, entry, other, id] = [6, 7, 8, 9, 10, 11, 12];
  const notThere: Code = [...i32Const(-1), ...set(id)];
  const differs = (load: Code, ne: Code): Code =>
    ifTrue([...get(i), ...load, ...get(other), ...load, ...ne], [...notThere, ...get(stop), ...set(i)]);
  const compared: Code = [
    ...[...get(entry), ...i32Load(12), ...set(id), ...get(entry), ...i32Load(8), ...set(other)],
    ...loopUntil(
      [...get(i), ...i32Const(8), ...i32Add, ...get(stop), ...i32GtU],
      [...differs(i64Load(0), i64Ne), ...add(i, 8), ...add(other, 8)],
    ),
    ...loopUntil(
      [...get(i), ...get(stop), ...i32GeU],
      [...differs(i32LoadByte(0), i32Ne), ...add(i, 1), ...add(other, 1)],
    ),
  ];
  const hash: Code = [...get(hashes), ...i32Load(0)];
  const one: Code = [
    ...[...get(texts), ...i32Load(0), ...set(i), ...get(texts), ...i32Load(4), ...set(stop)],
    ...[...get(recent), ...hash, ...i32Const(RECENT - 1), ...i32And, ...i32Const(4), ...i32Shl, ...i32Add],
    ...[...set(entry), ...notThere],
    ...ifTrue(
      [
        ...[...get(entry), ...i32Load(0), ...hash, ...i32Xor],
        ...[...get(entry), ...i32Load(4), ...get(stop), ...get(i), ...i32Sub, ...i32Xor, ...i32Or, ...i32Eqz],
      ],
      compared,
    ),
    ...[...get(ids), ...get(id), ...i32Store(0)],
    ...ifTrue(
      [...get(id), ...i32Const(-1), ...i32Xor, ...i32Eqz],
      [...get(missed), ...get(row), ...i32Store(0), ...add(missed, 4), ...add(count, 1)],
    ),
    ...[...add(texts, 8), ...add(hashes, 4), ...add(ids, 4), ...add(row, 1)],
  ];
  return {
    name: "findRecent",
    params: 6,
    results: 1,
    locals: [{ count: 7, type: I32 }],
    body: [...loopUntil([...get(row), ...get(rows), ...i32GeU], one), ...get(count)],
  };
}

function equal(): WasmFunction {
  const [a, b, length, stop] = [0, 1, 2, 3];
  const differ = (load: Code, ne: Code): Code =>
    ifTrue([...get(a), ...load, ...get(b), ...load, ...ne], [...i32Const(0), ...return_]);
  return {
    name: "equal",
    params: 3,
    results: 1,
    locals: [{ count: 1, type: I32 }],
    body: [
      ...[...get(a), ...get(length), ...i32Add, ...set(stop)],
      ...loopUntil(
        [...get(a), ...i32Const(8), ...i32Add, ...get(stop), ...i32GtU],
        [...differ(i64Load(0), i64Ne), ...add(a, 8), ...add(b, 8)],
      ),
      ...loopUntil(
        [...get(a), ...get(stop), ...i32GeU],
        [...differ(i32LoadByte(0), i32Ne), ...add(a, 1), ...add(b, 1)],
      ),
      ...i32Const(1),
    ],
  };
}

function copy(): WasmFunction {
  const [to, from, length, stop] = [0, 1, 2, 3];
  return {
    name: "copy",
    params: 3,
    results: 0,
    locals: [{ count: 1, type: I32 }],
    body: [
      ...[...get(from), ...get(length), ...i32Add, ...set(stop)],
      ...loopUntil(
        [...get(from), ...get(stop), ...i32GeU],
        [...get(to), ...get(from), ...i64Load(0), ...i64Store(0), ...add(to, 8), ...add(from, 8)],
      ),
    ],
  };
}
