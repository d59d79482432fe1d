/**
 * The WebAssembly module behind crc32c.ts, assembled here instruction by instruction (wasm-code.ts).
 *
 * It exports  update(remainder, at, end) -> remainder  over its own memory, which holds
 *
 *   [0, 16 KiB)        the sixteen slices of crc32c.ts
 *   [16 KiB, 20 KiB)   four tables that advance a remainder over LANE zero bytes
 *   [20 KiB, …)        the window the input is copied into
 *
 * 1. While 2 * LANE bytes remain, two lanes run side by side: lane A continues the remainder over bytes [at, at + LANE), lane B
 *    starts from 0 over [at + LANE, at + 2 LANE). Neither waits for the other's table loads, which is where the time goes.
 * 2. CRCs are linear, so remainder(A ++ B) = advance(remainder(A), LANE) xor remainder(B).
 * 3. Then blocks of 16 bytes on one lane, then single bytes.
 */

import {
  add,
  type Code,
  get,
  I32,
  I64,
  i32Add,
  i32And,
  i32Const,
  i32GeU,
  i32GtU,
  i32Load,
  i32LoadByte,
  i32Shl,
  i32ShrU,
  i32WrapI64,
  i32Xor,
  i64Const,
  i64ExtendI32U,
  i64Load,
  i64Shl,
  i64ShrU,
  i64Xor,
  loopUntil,
  set,
  type WasmFunction,
  wasmModule,
} from "./wasm-code.ts";

/** Remainder in, remainder out; neither is inverted here. */
export type WasmCrc = (bytes: Uint8Array, from: number, to: number, remainder: number) => number;

const LANE = 1024;
const ADVANCE_AT = 16 * 1024;
const WINDOW_AT = 20 * 1024;
const WINDOW_BYTES = 64 * 1024;
const PAGE_BYTES = 64 * 1024;

/** Null where WebAssembly does not exist or may not be compiled. */
export function instantiateWasmCrc(slices: Int32Array): WasmCrc | null {
  if (typeof WebAssembly === "undefined") return null;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((WINDOW_AT + WINDOW_BYTES) / PAGE_BYTES) });
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(new WebAssembly.Module(wasmModule([updateFunction()])), {
      host: { memory },
    });
  } catch {
    return null; // a content security policy without 'wasm-unsafe-eval': plain JavaScript gives the same answer
  }
  new Int32Array(memory.buffer, 0, slices.length).set(slices);
  new Int32Array(memory.buffer, ADVANCE_AT, 4 * 256).set(advanceTables(slices, LANE));
  const window = new Uint8Array(memory.buffer, WINDOW_AT, WINDOW_BYTES);
  const update = instance.exports["update"] as (remainder: number, at: number, end: number) => number;

  return (bytes, from, to, remainder) => {
    let r = remainder;
    for (let at = from; at < to; at += WINDOW_BYTES) {
      const end = Math.min(to, at + WINDOW_BYTES);
      window.set(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      r = update(r, WINDOW_AT, WINDOW_AT + end - at);
    }
    return r;
  };
}

/** Four tables, one per byte of a remainder: what it becomes after `count` zero bytes. */
function advanceTables(slices: Int32Array, count: number): Int32Array {
  const tables = new Int32Array(4 * 256);
  for (let bit = 0; bit < 32; bit++) {
    let r = 1 << bit;
    for (let i = 0; i < count; i++) r = slices[r & 255]! ^ (r >>> 8);
    for (let value = 0; value < 256; value++) {
      if ((value >> (bit & 7)) & 1) tables[(bit >> 3) * 256 + value]! ^= r;
    }
  }
  return tables;
}

/** Pushes the table entry for byte `index` of the i64 local `word`: bits 8 index … 8 index + 7, times 4. */
function lookUp(table: number, word: number, index: number): Code {
  const shift = index === 0 ? [...i64Const(2), ...i64Shl] : [...i64Const(8 * index - 2), ...i64ShrU];
  return [...get(word), ...shift, ...i32WrapI64, ...i32Const(0x3fc), ...i32And, ...i32Load(1024 * table)];
}

/** remainder = 16 bytes at local `at` (plus a constant) folded into it. */
function foldBlock(remainder: number, at: number, offset: number, low: number, high: number): Code {
  const code = [
    ...[...get(at), ...i64Load(offset), ...get(remainder), ...i64ExtendI32U, ...i64Xor, ...set(low)],
    ...[...get(at), ...i64Load(offset + 8), ...set(high)],
  ];
  for (let index = 0; index < 16; index++) {
    code.push(...lookUp(15 - index, index < 8 ? low : high, index & 7));
    if (index > 0) code.push(...i32Xor);
  }
  return [...code, ...set(remainder)];
}

/** Pushes the advanced form of byte `index` of the i32 local `remainder`. */
function advanceByte(remainder: number, index: number): Code {
  return [
    ...[...get(remainder), ...i32Const(8 * index), ...i32ShrU, ...i32Const(255), ...i32And],
    ...[...i32Const(2), ...i32Shl, ...i32Load(ADVANCE_AT + 1024 * index)],
  ];
}

/** (remainder, at, end) -> remainder */
function updateFunction(): WasmFunction {
  const [remainder, at, stop, laneB, laneEnd, lowA, highA, lowB, highB] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const bytesLeftBelow = (count: number): Code => [
    ...get(at),
    ...i32Const(count),
    ...i32Add,
    ...get(stop),
    ...i32GtU,
  ];

  const twoLanes = loopUntil(bytesLeftBelow(2 * LANE), [
    ...[...i32Const(0), ...set(laneB)],
    ...[...get(at), ...i32Const(LANE), ...i32Add, ...set(laneEnd)],
    ...loopUntil(
      [...get(at), ...get(laneEnd), ...i32GeU],
      [
        ...foldBlock(remainder, at, 0, lowA, highA),
        ...foldBlock(laneB, at, LANE, lowB, highB),
        ...add(at, 16),
      ],
    ),
    ...advanceByte(remainder, 0),
    ...[...advanceByte(remainder, 1), ...i32Xor],
    ...[...advanceByte(remainder, 2), ...i32Xor],
    ...[...advanceByte(remainder, 3), ...i32Xor],
    ...[...get(laneB), ...i32Xor, ...set(remainder)],
    ...add(at, LANE),
  ]);
  const blocks = loopUntil(bytesLeftBelow(16), [...foldBlock(remainder, at, 0, lowA, highA), ...add(at, 16)]);
  const singleBytes = loopUntil(
    [...get(at), ...get(stop), ...i32GeU],
    [
      ...[...get(remainder), ...get(at), ...i32LoadByte(0), ...i32Xor, ...i32Const(255), ...i32And],
      ...[...i32Const(2), ...i32Shl, ...i32Load(0)],
      ...[...get(remainder), ...i32Const(8), ...i32ShrU, ...i32Xor, ...set(remainder)],
      ...add(at, 1),
    ],
  );
  return {
    name: "update",
    params: 3,
    results: 1,
    locals: [
      { count: 2, type: I32 },
      { count: 4, type: I64 },
    ],
    body: [...twoLanes, ...blocks, ...singleBytes, ...get(remainder)],
  };
}
