/** The smallest Parquet: one row group, required columns of int32 and text, plain and uncompressed. */
type Column = { readonly name: string; readonly values: readonly number[] | readonly string[] };
/** A field of Thrift's compact protocol: its id, its type, its bytes. */
type Field = readonly [id: number, type: number, bytes: Buffer];

const thrift = { i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;
const parquet = { int32: 1, byteArray: 6, required: 0, utf8: 0, plain: 0, rle: 3 } as const;

function varint(number: number): Buffer {
  const bytes: number[] = [];
  for (; number > 0x7f; number >>>= 7) bytes.push((number & 0x7f) | 0x80);
  return Buffer.from([...bytes, number]);
}

const binary = (text: string) => Buffer.concat([varint(Buffer.byteLength(text)), Buffer.from(text)]);
const i32 = (id: number, value: number): Field => [id, thrift.i32, varint(value * 2)];
const i64 = (id: number, value: number): Field => [id, thrift.i64, varint(value * 2)];
const text = (id: number, value: string): Field => [id, thrift.binary, binary(value)];
const structField = (id: number, fields: readonly Field[]): Field => [id, thrift.struct, struct(fields)];
const list = (id: number, type: number, items: readonly Buffer[]): Field => [
  id,
  thrift.list,
  Buffer.concat([Buffer.from([(items.length << 4) | type]), ...items]),
];

function struct(fields: readonly Field[]): Buffer {
  let last = 0;
  const pieces = fields.flatMap(([id, type, bytes]) => {
    const header = Buffer.from([((id - last) << 4) | type]);
    last = id;
    return [header, bytes];
  });
  return Buffer.concat([...pieces, Buffer.from([0])]);
}

function plain(value: number | string): Buffer {
  const number = Buffer.alloc(4);
  number.writeInt32LE(typeof value === "number" ? value : Buffer.byteLength(value));
  return typeof value === "number" ? number : Buffer.concat([number, Buffer.from(value)]);
}

export function parquetFile(columns: readonly Column[]): Buffer {
  const rows = columns[0]!.values.length;
  const pieces: Buffer[] = [Buffer.from("PAR1")];
  let offset = 4;
  const chunks = columns.map(({ name, values }) => {
    const type = typeof values[0] === "number" ? parquet.int32 : parquet.byteArray;
    const data = Buffer.concat(values.map(plain));
    const levels = [i32(1, rows), i32(2, parquet.plain), i32(3, parquet.rle), i32(4, parquet.rle)];
    const header = struct([i32(1, 0), i32(2, data.length), i32(3, data.length), structField(5, levels)]);
    const size = header.length + data.length;
    const facts = [
      i32(1, type),
      list(2, thrift.i32, [varint(parquet.plain)]),
      list(3, thrift.binary, [binary(name)]),
      i32(4, 0),
      i64(5, rows),
      i64(6, size),
      i64(7, size),
      i64(9, offset),
    ];
    const chunk = struct([i64(2, offset), structField(3, facts)]);
    const element = [i32(1, type), i32(3, parquet.required), text(4, name)];
    pieces.push(header, data);
    offset += size;
    return { chunk, element: struct(type === parquet.int32 ? element : [...element, i32(6, parquet.utf8)]) };
  });
  const root = struct([text(4, "root"), i32(5, columns.length)]);
  const group = struct([
    list(
      1,
      thrift.struct,
      chunks.map(({ chunk }) => chunk),
    ),
    i64(2, offset - 4),
    i64(3, rows),
  ]);
  const footer = struct([
    i32(1, 1),
    list(2, thrift.struct, [root, ...chunks.map(({ element }) => element)]),
    i64(3, rows),
    list(4, thrift.struct, [group]),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([...pieces, footer, length, Buffer.from("PAR1")]);
}
