import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isWellFormed } from "../../src/base/bytes.ts";
import { EvertError } from "../../src/base/errors.ts";
import {
  arrowEnd,
  arrowRecordBatch,
  arrowSchema,
  arrowStream,
  readArrow,
  readArrowSchema,
  writeArrow,
} from "../../src/batch/arrow.ts";
import type { Batch } from "../../src/batch/batch.ts";
import { sliceBatch } from "../../src/batch/column.ts";
import { FlatBufferWriter } from "../../src/batch/flatbuffer.ts";
import { rowToObject } from "../../src/batch/json.ts";
import { type Schema, schemaOf } from "../../src/batch/schema.ts";
import { float8, int4, int8, numeric, type SqlType, text, timestamptz } from "../../src/batch/types.ts";
import { refusal } from "../support/refusal.ts";
import { anyRow, batchOf, everyType, price } from "./fixtures.ts";
import { pyarrow } from "./pyarrow-streams.ts";

function join(chunks: Iterable<Uint8Array>): Uint8Array {
  return Uint8Array.from([...chunks].flatMap((chunk) => [...chunk]));
}

function stream(schema: Schema, ...batches: Batch[]): Uint8Array {
  return join(writeArrow(schema, batches));
}

function rowsOf(bytes: Uint8Array, schema: Schema): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  for (const batch of readArrow(bytes, schema)) {
    for (let i = 0; i < batch.length; i++) rows.push(rowToObject(schema, batch, i));
  }
  return rows;
}

function decoded(name: keyof typeof pyarrow): Uint8Array {
  return Uint8Array.from(atob(pyarrow[name]), (c) => c.charCodeAt(0));
}

function columns(...fields: readonly (readonly [string, SqlType])[]): Schema {
  return schemaOf(fields.map(([name, type]) => ({ name, type, nullable: true })));
}

describe("a stream of ours", () => {
  it("comes back whole, batch by batch, at any alignment", () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 20 }), fc.nat(20), fc.nat(7), (rows, cut, shift) => {
        const all = batchOf(everyType, rows);
        const at = Math.min(cut, rows.length);
        const bytes = stream(everyType, sliceBatch(all, 0, at), sliceBatch(all, at, rows.length));
        const shifted = new Uint8Array(shift + bytes.length);
        shifted.set(bytes, shift);
        expect(rowsOf(shifted.subarray(shift), everyType)).toEqual(rows);
      }),
    );
  });

  it("of one batch is the same made at once", () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 20 }), (rows) => {
        const batch = batchOf(everyType, rows);
        expect(arrowStream(batch)).toEqual(stream(everyType, batch));
      }),
    );
  });

  it("is not copied where its columns lie as ours do and stand aligned", () => {
    const schema = columns(["i", int4], ["l", int8], ["f", float8], ["z", timestamptz], ["t", text]);
    const row = { i: 1, l: 2, f: 0.5, z: "2024-05-06T07:08:09Z", t: "abc" };
    const bytes = arrowStream(batchOf(schema, [row, row]));
    const buffersOf = (of: Uint8Array) => {
      const [batch] = [...readArrow(of, schema)];
      return batch!.columns.flatMap((column) =>
        column.kind === "utf8" ? [column.offsets.buffer, column.data.buffer] : [column.values.buffer],
      );
    };
    for (const buffer of buffersOf(bytes)) expect(buffer).toBe(bytes.buffer);
    // Node's kind of array is taken for what it is.
    const node = Buffer.from(bytes.buffer);
    for (const buffer of buffersOf(node)) expect(buffer).toBe(bytes.buffer);
    expect([...readArrow(node, schema)][0]!.columns[4]).toMatchObject({
      data: new Uint8Array([97, 98, 99, 97, 98, 99]),
    });
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const [i, l, f, z, offsets, data] = buffersOf(shifted.subarray(1));
    for (const buffer of [i, l, f, z, offsets]) expect(buffer).not.toBe(shifted.buffer);
    expect(data).toBe(shifted.buffer);
  });

  it("of times that must be looked at is left as it was", () => {
    const schema = columns(["z", timestamptz]);
    const bytes = arrowStream(batchOf(schema, [{ z: "infinity" }, { z: "4000-01-01 BC" }]));
    const before = bytes.slice();
    expect(rowsOf(bytes, schema)).toEqual([{ z: "infinity" }, { z: "4000-01-01T00:00:00+00:00 BC" }]);
    expect(bytes).toEqual(before);
  });

  it("carries its schema", () => {
    const schema = schemaOf([
      ...everyType.fields,
      { name: "grüße", type: int4, nullable: false },
      { name: "big", type: { name: "numeric", precision: 30, scale: 4 }, nullable: true },
    ]);
    expect(readArrowSchema(stream(schema))).toEqual(schema);
    expect(readArrowSchema(stream(columns()))).toEqual(columns());
  });

  it("is made of messages of whole words, whose sizes hold for any schema", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1 }), { maxLength: 12 }),
        (names) => {
          const usable = names.filter((name) => isWellFormed(name));
          const schema = columns(...usable.map((name, i) => [name, everyType.fields[i % 9]!.type] as const));
          expect(arrowSchema(schema).length % 8).toBe(0);
          expect(readArrowSchema(stream(schema))).toEqual(schema);
        },
      ),
    );
    expect(arrowRecordBatch(batchOf(everyType, [{ g_text: "a" }])).length % 8).toBe(0);
    expect([...arrowEnd()]).toEqual([255, 255, 255, 255, 0, 0, 0, 0]);
  });

  it("has the bytes it always had", () => {
    const schema = columns(["id", int4]);
    const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(hex(arrowRecordBatch(batchOf(schema, [{ id: 7 }, {}])))).toMatchInlineSnapshot(
      `"ffffffff8800000014000000000000000c001400120011000c0004000c000000100000000000000014000000000304000a0018000c000800040000000c0000002c0000001000000002000000000000000000000001000000020000000000000001000000000000000000000002000000000000000000000001000000000000000800000000000000080000000000000001000000000000000700000000000000"`,
    );
  });

  it("comes in slices when a batch is long", () => {
    const schema = columns(["id", int4], ["t", text]);
    const rows = Array.from({ length: 150_000 }, (_, id) => ({ id, t: id % 3 === 0 ? null : `t${id}` }));
    const chunks = [...writeArrow(schema, [batchOf(schema, rows)])];
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    const batches = [...readArrow(bytes, schema)];
    expect(batches.map((batch) => batch.length)).toEqual([65_536, 65_536, 18_928]);
    expect(rowToObject(schema, batches[2]!, 18_927)).toEqual({ id: 149_999, t: "t149999" });
    expect(rowToObject(schema, batches[1]!, 1)).toEqual({ id: 65_537, t: "t65537" });
  });
});

describe("columns", () => {
  it("are found by name, in any order; missing ones are null", () => {
    const schema = columns(["a", int4], ["b", text]);
    const bytes = stream(schema, batchOf(schema, [{ a: 1, b: "x" }]));
    expect(rowsOf(bytes, columns(["b", text], ["c", int8], ["a", int4]))).toEqual([
      { b: "x", c: null, a: 1 },
    ]);
  });

  it("are refused when unknown, double, or of another type", () => {
    const schema = columns(["a", int4], ["b", text]);
    const bytes = stream(schema, batchOf(schema, [{ a: 1, b: "x" }]));
    expect(refusal(() => rowsOf(bytes, columns(["a", int4])))).toMatchObject({
      code: "undefined_column",
      hint: "The columns are a.",
    });
    expect(refusal(() => rowsOf(bytes, columns(["a", text], ["b", text]))).message).toBe(
      "a: expected text, got an Arrow column of another type",
    );
    expect(refusal(() => rowsOf(stream(columns(["a", int4], ["a", int4])), schema)).code).toBe(
      "duplicate_column",
    );
  });

  it("take integers and text for other types while every value fits", () => {
    const source = columns(["a", int8], ["b", text]);
    const bytes = stream(
      source,
      batchOf(source, [
        { a: 5, b: "1.234" },
        { a: null, b: null },
      ]),
    );
    expect(rowsOf(bytes, columns(["a", int4], ["b", price]))).toEqual([
      { a: 5, b: "1.23" },
      { a: null, b: null },
    ]);
    expect(rowsOf(bytes, columns(["a", numeric], ["b", numeric]))[0]).toEqual({ a: "5", b: "1.234" });
    const large = stream(source, batchOf(source, [{ a: 1 }, { a: 2 ** 31 }]));
    expect(refusal(() => rowsOf(large, columns(["a", int4], ["b", text]))).message).toBe(
      'rows[1].a: value "2147483648" is out of range for type integer',
    );
    const words = stream(source, batchOf(source, [{ b: "x" }]));
    expect(refusal(() => rowsOf(words, columns(["a", int8], ["b", numeric]))).message).toBe(
      'rows[0].b: invalid input syntax for type numeric: "x"',
    );
  });
});

describe("streams of pyarrow", () => {
  it("are read, whatever width their columns have", () => {
    const schema = columns(
      ["i4", int4],
      ["i8", int8],
      ["f", float8],
      ["n", numeric],
      ["t", text],
      ["at", timestamptz],
      ["b", { name: "bool" }],
      ["nothing", text],
    );
    expect(rowsOf(decoded("many"), schema)).toEqual([
      {
        i4: 1,
        i8: 1,
        f: 1.5,
        n: "1.230",
        t: "x",
        at: "2024-01-02T03:04:05.678+00:00",
        b: true,
        nothing: null,
      },
      { i4: null, i8: 2, f: null, n: null, t: null, at: null, b: null, nothing: null },
      {
        i4: -3,
        i8: 4294967295,
        f: 2.5,
        n: "-99999999999999999999999.999",
        t: "yé",
        at: "0001-01-01T00:00:00+00:00",
        b: false,
        nothing: null,
      },
    ]);
  });

  it("are refused by name where there is no column for them", () => {
    expect(refusal(() => readArrowSchema(decoded("dict"))).message).toBe(
      'dictionary encoding of "t" in Arrow is not supported yet',
    );
    expect(refusal(() => rowsOf(decoded("zstd"), columns(["t", text]))).message).toBe(
      "compression of Arrow buffers is not supported yet",
    );
    expect(refusal(() => readArrowSchema(decoded("list"))).message).toBe(
      'the Arrow type of "t" is not supported yet',
    );
    expect(refusal(() => rowsOf(decoded("list"), columns(["t", text]))).code).toBe("feature_not_supported");
    expect(refusal(() => rowsOf(decoded("ns"), columns(["at", timestamptz]))).message).toBe(
      "rows[0].at: a timestamp has fractions of a microsecond",
    );
    expect(refusal(() => rowsOf(decoded("naive"), columns(["at", timestamptz]))).message).toBe(
      "at: expected a timestamp with time zone, got one without",
    );
  });
});

describe("damage", () => {
  const rows = [
    {
      a_int4: 1,
      b_int8: 5,
      c_float8: 1.5,
      d_price: "1.00",
      e_numeric: "7",
      f_bool: true,
      g_text: "grüße",
      h_time: "2024-01-01",
      i_json: [1],
    },
    {},
    { a_int4: 2, g_text: "zwei" },
  ];

  function readAll(bytes: Uint8Array): void {
    try {
      for (const batch of readArrow(bytes, everyType)) {
        for (let i = 0; i < batch.length; i++) rowToObject(everyType, batch, i);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(EvertError);
      expect((error as EvertError).code).not.toBe("internal");
    }
  }

  it("anywhere in a stream is refused, or changes a value, and never more", () => {
    const bytes = stream(everyType, batchOf(everyType, rows));
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const broken = bytes.slice();
        broken[at] = (broken[at] as number) ^ flip;
        readAll(broken);
      }
    }
  });

  it("is told when the stream is cut", () => {
    const bytes = stream(everyType, batchOf(everyType, rows));
    const schemaEnd = arrowSchema(everyType).length;
    for (let end = 0; end < bytes.length - 8; end++) {
      if (end === schemaEnd) continue; // a stream without batches, whose end marker is optional
      expect(() => [...readArrow(bytes.subarray(0, end), everyType)], String(end)).toThrow(/damaged/);
    }
  });

  it("is told for text that is not UTF-8, cut within a character, or holding NUL", () => {
    const schema = columns(["t", text]);
    const message = (from: string, to: readonly number[]) => {
      const bytes = stream(schema, batchOf(schema, [{ t: "ab" }, { t: from }]));
      const at = bytes.findIndex((byte, i) => byte === 0x61 && bytes[i + 1] === 0x62);
      bytes.set(to, at);
      return refusal(() => rowsOf(bytes, schema)).message;
    };
    expect(message("cd", [0x61, 0x62, 0xff, 0x64])).toBe("t: the text is not valid UTF-8");
    expect(message("cd", [0x61, 0xc3, 0xa9, 0x64])).toBe("t: the text is not valid UTF-8");
    expect(message("cd", [0x61, 0x62, 0x63, 0x00])).toBe("rows[1].t: text cannot hold the character U+0000");
  });

  it("makes no memory out of a short message that claims many rows", () => {
    const schema = columns(["nothing", text]);
    const i64 = (value: number) => ({ kind: "i64", value }) as const;
    const offset = (value: number) => ({ kind: "offset", value }) as const;
    const claiming = (rows: number) => {
      const flat = new FlatBufferWriter();
      const buffers = flat.i64StructVector([0, 0, 0, 0, 0, 0], 2);
      const nodes = flat.i64StructVector([rows, 0], 2);
      const batch = flat.table([i64(rows), offset(nodes), offset(buffers)]);
      const version = { kind: "i16", value: 4 } as const;
      const metadata = flat.finish(flat.table([version, { kind: "u8", value: 3 }, offset(batch), i64(0)]));
      const prefix = new Uint8Array(8).fill(255, 0, 4);
      new DataView(prefix.buffer).setInt32(4, metadata.length, true);
      return join([arrowSchema(schema), prefix, metadata]);
    };
    expect([...readArrow(claiming(0), schema)]).toEqual([]);
    for (const rows of [1, 1_000_000_000, 2 ** 40, -1]) {
      expect(() => [...readArrow(claiming(rows), schema)]).toThrow(`a batch of ${rows} rows in 0 bytes`);
    }
  });
});
