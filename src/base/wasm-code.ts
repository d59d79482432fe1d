/** An assembler for small WebAssembly modules: instructions as bytes (core specification, chapter 5.4), put together where they are needed. */

export type Code = readonly number[];

export const I32 = 0x7f;
export const I64 = 0x7e;

export const end: Code = [0x0b];
export const i32Add: Code = [0x6a];
export const i32Sub: Code = [0x6b];
export const i32Mul: Code = [0x6c];
export const i32And: Code = [0x71];
export const i32Or: Code = [0x72];
export const i32Xor: Code = [0x73];
export const i32Shl: Code = [0x74];
export const i32ShrU: Code = [0x76];
export const i32Rotl: Code = [0x77];
export const i32GtU: Code = [0x4b];
export const i32GeU: Code = [0x4f];
export const i32Eqz: Code = [0x45];
export const i32Ne: Code = [0x47];
export const i32WrapI64: Code = [0xa7];
export const i64ExtendI32U: Code = [0xad];
export const i64Ne: Code = [0x52];
export const i64Xor: Code = [0x85];
export const i64Shl: Code = [0x86];
export const i64ShrU: Code = [0x88];
export const return_: Code = [0x0f];

export const get = (local: number): Code => [0x20, local];
export const set = (local: number): Code => [0x21, local];
/** A signed 32-bit integer. */
export const i32Const = (value: number): Code => [0x41, ...signed(value)];
export const i64Const = (value: number): Code => [0x42, ...signed(value)];
export const i32Load = (offset: number): Code => [0x28, 2, ...unsigned(offset)];
/** At any address. */
export const i32LoadUnaligned = (offset: number): Code => [0x28, 0, ...unsigned(offset)];
export const i32LoadByte = (offset: number): Code => [0x2d, 0, ...unsigned(offset)];
export const i32Store = (offset: number): Code => [0x36, 2, ...unsigned(offset)];
export const i64Load = (offset: number): Code => [0x29, 0, ...unsigned(offset)];
export const i64Store = (offset: number): Code => [0x37, 3, ...unsigned(offset)];

/** Adds to an i32 local. */
export const add = (local: number, amount: number): Code => [
  ...get(local),
  ...i32Const(amount),
  ...i32Add,
  ...set(local),
];

/** Repeats `body` until `leave` (an i32 on the stack) is true before it. */
export function loopUntil(leave: Code, body: Code): Code {
  return [0x02, 0x40, 0x03, 0x40, ...leave, 0x0d, 1, ...body, 0x0c, 0, ...end, ...end];
}

/** Runs `body` if an i32 on the stack is not 0. */
export function ifTrue(condition: Code, body: Code): Code {
  return [...condition, 0x04, 0x40, ...body, ...end];
}

export interface WasmFunction {
  readonly name: string;
  /** All i32. */
  readonly params: number;
  readonly results: number;
  /** Behind the parameters. */
  readonly locals: readonly { readonly count: number; readonly type: number }[];
  readonly body: Code;
}

/** A module of exported functions over one memory, imported as host.memory, of at least one page. */
export function wasmModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const section = (id: number, items: readonly Code[]): Code => {
    const content = [...unsigned(items.length), ...items.flat()];
    return [id, ...unsigned(content.length), ...content];
  };
  const name = (text: string): Code => [text.length, ...Array.from(text, (c) => c.charCodeAt(0))];
  const numbers = (count: number): Code => [count, ...new Array<number>(count).fill(I32)];
  const bodies = functions.map(({ locals, body }) => {
    const content = [locals.length, ...locals.flatMap(({ count, type }) => [count, type]), ...body, ...end];
    return [...unsigned(content.length), ...content];
  });
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      functions.map((f) => [0x60, ...numbers(f.params), ...numbers(f.results)]),
    ),
    ...section(2, [[...name("host"), ...name("memory"), 2, 0, 1]]),
    ...section(
      3,
      functions.map((_, i) => [i]),
    ),
    ...section(
      7,
      functions.map((f, i) => [...name(f.name), 0, i]),
    ),
    ...section(10, bodies),
  ]);
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of a signed 32-bit integer. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value | 0; ; ) {
    const low = rest & 0x7f;
    rest >>= 7;
    // The last byte's bit 6 is the sign.
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}
