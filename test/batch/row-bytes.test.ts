/** A row that the generated code writes is, byte for byte, the batch that a builder makes of it; what the code does not take is as if it had not been asked. */
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { EncodedBatch, encodeBatch, encodedSize } from "../../src/batch/codec.ts";
import { RowBuffer, type RowWriter, RowWriters } from "../../src/batch/row-bytes.ts";
import { type Schema, schemaOf } from "../../src/batch/schema.ts";
import { bool, enumOf, float8, int4, int8, type SqlType, text, timestamptz } from "../../src/batch/types.ts";
import { anyRow, everyType } from "./fixtures.ts";

const writerOf = (schema: Schema): RowWriter => {
  const writer = new RowWriters().for(schema);
  expect(writer).not.toBeNull();
  return writer!;
};

/** null: a builder refuses it. */
function built(schema: Schema, row: unknown): number[] | null {
  const builder = new BatchBuilder(schema);
  try {
    builder.appendRow(row);
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
    return null;
  }
  const batch = builder.finish();
  const bytes = new Uint8Array(encodedSize(batch));
  encodeBatch(batch, bytes, 0);
  return [...bytes];
}

/** null: the code does not take it. What it did then must not show. */
function written(writer: RowWriter, row: unknown, buffer: RowBuffer): number[] | null {
  const { end } = buffer;
  let taken = false;
  try {
    taken = writer(row, buffer);
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
  }
  if (!taken) {
    expect(buffer.end).toBe(end);
    return null;
  }
  return [...buffer.bytes.subarray(buffer.begin, buffer.end)];
}

const plain = schemaOf([
  { name: "id", type: int8, nullable: false },
  { name: "n", type: int4, nullable: true },
  { name: "x", type: float8, nullable: true },
  { name: "ok", type: bool, nullable: false },
  { name: "a", type: text, nullable: true },
  { name: "b", type: text, nullable: false },
]);
const row = (more: object = {}): object => ({ id: 1, n: 2, x: 0.5, ok: true, a: "a", b: "bé", ...more });

describe("a row of every type", () => {
  it("is what a builder makes of it, one behind the other", () => {
    const writer = writerOf(everyType);
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 20 }), (rows) => {
        const buffer = new RowBuffer();
        for (const one of rows) expect(written(writer, one, buffer)).toEqual(built(everyType, one));
      }),
    );
  });

  it("is decoded when it is looked at, and encoded as it stands", () => {
    const writer = writerOf(everyType);
    const buffer = new RowBuffer();
    fc.assert(
      fc.property(anyRow, (one) => {
        expect(writer(one, buffer)).toBe(true);
        const batch = new EncodedBatch(everyType, 1, buffer.bytes, buffer.begin, buffer.end);
        const builder = new BatchBuilder(everyType);
        builder.appendRow(one);
        expect(batch.columns).toEqual(builder.finish().columns);
        const bytes = new Uint8Array(encodedSize(batch));
        expect(encodeBatch(batch, bytes, 0)).toBe(bytes.length);
        expect([...bytes]).toEqual(built(everyType, one));
      }),
    );
  });
});

describe("what is not usual", () => {
  const odd: fc.Arbitrary<unknown> = fc.oneof(
    fc.constantFrom<unknown>(null, 7, "x", [], [1], new Date(0), undefined, {}),
    fc.record({
      id: fc.constantFrom<unknown>(1, -0, "12", 5n, 1.5, 2 ** 53, -(2 ** 40) - 7, null, "x", 2n ** 63n),
      n: fc.constantFrom<unknown>(1, -0, 5n, 2 ** 31, "1", null, undefined),
      x: fc.constantFrom<unknown>(1, -0, Number.NaN, "NaN", "1", 3n, null),
      ok: fc.constantFrom<unknown>(true, false, 1, null),
      a: fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom<unknown>("\0", "a\0", "\ud800", 1, null)),
      b: fc.oneof(
        fc.string({ unit: "grapheme", maxLength: 400 }),
        fc.constantFrom<unknown>("é".repeat(9000), "x".repeat(2000), null, "", `${"y".repeat(200)}\0`),
      ),
    }),
  );

  it("is taken as a builder takes it, or not at all", () => {
    const writer = writerOf(plain);
    const buffer = new RowBuffer();
    let taken = 0;
    fc.assert(
      fc.property(odd, (one) => {
        const bytes = written(writer, one, buffer);
        if (bytes === null) return;
        taken++;
        expect(bytes).toEqual(built(plain, one));
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(10);
  });

  it.each<[string, unknown]>([
    ["an unknown property", row({ typo: 1 })],
    ["a missing value", { id: 1 }],
    ["a text that may not fit", row({ b: "x".repeat(8000) })],
    ["NUL in a text", row({ a: "a\0" })],
    ["half a surrogate pair", row({ a: "\ud83d" })],
  ])("%s is left to the builder", (_, one) => {
    const buffer = new RowBuffer();
    writerOf(plain)(row(), buffer);
    expect(written(writerOf(plain), one, buffer)).toBeNull();
  });

  it("names of columns that need quotes", () => {
    const names = ['a"b', "a\nb", "\u2028", "$" + "{x}", "`", "row", "at", "bytes"];
    const quoted = schemaOf(names.map((name) => ({ name, type: int4, nullable: false })));
    const one = Object.fromEntries(names.map((name, k) => [name, k]));
    expect(written(writerOf(quoted), one, new RowBuffer())).toEqual(built(quoted, one));
  });

  it("columns named like what every object has are left to the builder", () => {
    expect(new RowWriters().for(schemaOf([{ name: "constructor", type: int4, nullable: true }]))).toBeNull();
  });
});

it("rows fill one buffer after the other, and those of before stay what they were", () => {
  const writer = writerOf(plain);
  const buffer = new RowBuffer();
  const kept: { readonly bytes: Uint8Array; readonly before: number[] }[] = [];
  for (let i = 0; i < 300; i++) {
    expect(writer(row({ id: i, b: "x".repeat(i * 7) }), buffer)).toBe(true);
    const bytes = buffer.bytes.subarray(buffer.begin, buffer.end);
    kept.push({ bytes, before: [...bytes] });
  }
  expect(new Set(kept.map(({ bytes }) => bytes.buffer)).size).toBeGreaterThan(2);
  for (const { bytes, before } of kept) expect([...bytes]).toEqual(before);
});

describe("schemas of one form", () => {
  const of = (type: SqlType, name = "v", nullable = false): Schema => schemaOf([{ name, type, nullable }]);
  const price = (precision: number): SqlType => ({ name: "numeric", precision, scale: 2 });

  it("share their code, and only these", () => {
    const writers = new RowWriters();
    const first = writers.for(of(price(5)));
    expect(writers.for(of(price(5)))).toBe(first);
    expect(writers.for(of(price(6)))).not.toBe(first);
    expect(writers.for(of(price(5), "w"))).not.toBe(first);
    expect(writers.for(of(price(5), "v", true))).not.toBe(first);
    const cold = enumOf("weather", ["cold", "warm"]);
    const warm = enumOf("weather", ["warm", "cold"]);
    expect(writers.for(of(cold))).not.toBe(writers.for(of(warm)));
    for (const [schema, value] of [
      [of(cold), "warm"],
      [of(warm), "warm"],
      [of(timestamptz), new Date(7)],
    ] as const)
      expect(written(writers.for(schema)!, { v: value }, new RowBuffer())).toEqual(
        built(schema, { v: value }),
      );
  });
});

describe("where code may not be generated", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("there is no writer", () => {
    vi.stubGlobal("Function", function refuse() {
      throw new EvalError("refused by the policy");
    });
    // Code that was made before is there all the same.
    const unmet = schemaOf([{ name: "met only here", type: int4, nullable: false }]);
    expect(new RowWriters().for(unmet)).toBeNull();
  });
});
