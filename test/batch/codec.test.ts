import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import type { Batch } from "../../src/batch/batch.ts";
import { decodeBatch, encodeBatch, encodedSize } from "../../src/batch/codec.ts";
import { emptyBatch, isNull, sliceBatch } from "../../src/batch/column.ts";
import { rowToObject } from "../../src/batch/json.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4, text } from "../../src/batch/types.ts";
import { anyRow, batchOf, everyType } from "./fixtures.ts";

function rowsOf(batch: Batch): Record<string, unknown>[] {
  return Array.from({ length: batch.length }, (_, i) => rowToObject(batch.schema, batch, i));
}

function encode(batch: Batch, at = 0): Uint8Array {
  const bytes = new Uint8Array(at + encodedSize(batch));
  expect(encodeBatch(batch, bytes, at)).toBe(bytes.length);
  return bytes;
}

const someRows = fc.array(anyRow, { maxLength: 30 });

describe("encodeBatch and decodeBatch", () => {
  it("keep every value, at any alignment", () => {
    fc.assert(
      fc.property(someRows, fc.nat(17), (rows, at) => {
        const { batch, next } = decodeBatch(encode(batchOf(everyType, rows), at), at, everyType, rows.length);
        expect(rowsOf(batch)).toEqual(rows);
        expect(next).toBe(at + encodedSize(batch));
      }),
    );
  });

  it("write the example at the head of codec.ts", () => {
    const schema = schemaOf([
      { name: "id", type: int4, nullable: false },
      { name: "name", type: text, nullable: true },
    ]);
    const bytes = encode(batchOf(schema, [{ id: 7, name: "ab" }, { id: 8 }]));
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    expect(hex).toBe("00 00 07 00 00 00 08 00 00 00 01 01 02 00 00 00 61 62 02 00 00 00 02 00 00 00");
  });

  it("keep slices, whose offsets do not begin at 0", () => {
    fc.assert(
      fc.property(someRows, fc.nat(30), fc.nat(30), (rows, x, y) => {
        const from = Math.min(x, y, rows.length);
        const to = Math.min(Math.max(x, y), rows.length);
        const slice = sliceBatch(batchOf(everyType, rows), from, to);
        expect(rowsOf(slice)).toEqual(rows.slice(from, to));
        expect(rowsOf(decodeBatch(encode(slice), 0, everyType, to - from).batch)).toEqual(
          rows.slice(from, to),
        );
      }),
    );
  });

  it("keep weights", () => {
    const batch: Batch = {
      ...batchOf(everyType, [{ a_int4: 1 }, { a_int4: 2 }]),
      weights: Int32Array.of(3, -1),
    };
    const back = decodeBatch(encode(batch, 3), 3, everyType, 2).batch;
    expect(back.weights).toEqual(Int32Array.of(3, -1));
    expect(sliceBatch(back, 1, 2).weights).toEqual(Int32Array.of(-1));
  });

  it("read only the wanted columns", () => {
    fc.assert(
      fc.property(someRows, fc.uniqueArray(fc.nat(8)), (rows, wanted) => {
        const bytes = encode(batchOf(everyType, rows));
        const { batch, next } = decodeBatch(bytes, 0, everyType, rows.length, new Set(wanted));
        expect(next).toBe(bytes.length);
        const expected = rows.map((row) =>
          Object.fromEntries(
            everyType.fields.map((f, k) => [f.name, wanted.includes(k) ? row[f.name] : null]),
          ),
        );
        expect(rowsOf(batch)).toEqual(expected);
      }),
    );
  });

  it("take no rows and no columns", () => {
    expect(decodeBatch(encode(emptyBatch(everyType)), 0, everyType, 0).batch.length).toBe(0);
    const none = schemaOf([]);
    expect(
      decodeBatch(encode({ schema: none, length: 5, columns: [], weights: null }), 0, none, 5).next,
    ).toBe(1);
  });

  it("do not share Node's buffer pool", () => {
    const bytes = Buffer.from(encode(batchOf(everyType, [{ a_int4: 1, c_float8: 2 }]), 1));
    const { batch } = decodeBatch(bytes, 1, everyType, 1);
    expect(rowToObject(everyType, batch, 0)).toMatchObject({ a_int4: 1, c_float8: 2 });
  });
});

describe("damage", () => {
  function refusedOrRead(bytes: Uint8Array, length: number): void {
    try {
      const { batch } = decodeBatch(bytes, 0, everyType, length);
      // whatever was accepted can be walked over without leaving the arrays
      for (const column of batch.columns) for (let i = 0; i < length; i++) isNull(column, i);
      for (const column of batch.columns) {
        if (column.kind !== "utf8") continue;
        for (let i = 0; i < length; i++) {
          expect(column.offsets[i + 1]!).toBeGreaterThanOrEqual(column.offsets[i]!);
          expect(column.offsets[i + 1]!).toBeLessThanOrEqual(column.data.length);
        }
      }
    } catch (error) {
      expect(error).toBeInstanceOf(EvertError);
      expect((error as EvertError).code).toBe("log_damaged");
    }
  }

  it("is told, never read", () => {
    fc.assert(
      fc.property(
        fc.array(anyRow, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (rows, where, flip) => {
          const bytes = encode(batchOf(everyType, rows));
          const at = where % bytes.length;
          bytes[at] = (bytes[at] as number) ^ flip;
          refusedOrRead(bytes, rows.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("is told when the end is missing", () => {
    const bytes = encode(batchOf(everyType, [{ a_int4: 1, g_text: "abc" }, { g_text: "d" }]));
    for (let end = 0; end < bytes.length; end++) {
      for (const wanted of [undefined, new Set<number>()]) {
        expect(() => decodeBatch(bytes.subarray(0, end), 0, everyType, 2, wanted)).toThrow(/^the log holds/);
      }
    }
  });

  it("is told for impossible lengths and places", () => {
    const bytes = new Uint8Array(100);
    for (const length of [-1, 0.5, 2 ** 31, Number.NaN]) {
      expect(() => decodeBatch(bytes, 0, everyType, length)).toThrow(/rows in one batch/);
    }
    for (const at of [-1, 101, 0.5]) {
      expect(() => decodeBatch(bytes, at, everyType, 0)).toThrow(/outside its frame/);
    }
    expect(() => decodeBatch(bytes, 0, everyType, 1_000_000)).toThrow(/ends behind its frame/);
  });
});
