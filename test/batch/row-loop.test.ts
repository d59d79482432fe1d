/** The generated loop takes what the builder takes row by row, and refuses what it refuses, in the same words. */
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { encodeBatch, encodedSize } from "../../src/batch/codec.ts";
import { BLOCK_ROWS, rowLoopFor } from "../../src/batch/row-loop.ts";
import { type Schema, schemaOf } from "../../src/batch/schema.ts";
import { bool, float8, int4, int8, text, timestamptz } from "../../src/batch/types.ts";
import { anyRow, everyType } from "./fixtures.ts";

interface Outcome {
  readonly bytes: number[];
  readonly error: string | null;
}

function outcome(schema: Schema, append: (builder: BatchBuilder) => void): Outcome {
  const builder = new BatchBuilder(schema);
  let error: string | null = null;
  try {
    append(builder);
  } catch (thrown) {
    if (!(thrown instanceof EvertError)) throw thrown;
    error = [thrown.code, thrown.message, thrown.detail, thrown.hint].join(" | ");
  }
  const batch = builder.finish();
  const bytes = new Uint8Array(encodedSize(batch));
  encodeBatch(batch, bytes, 0);
  return { bytes: [...bytes], error };
}

const together = (schema: Schema, rows: readonly unknown[], before: readonly unknown[] = []): Outcome =>
  outcome(schema, (builder) => {
    for (const row of before) builder.appendRow(row);
    builder.appendRows(rows, "records");
  });

const oneByOne = (schema: Schema, rows: readonly unknown[], before: readonly unknown[] = []): Outcome =>
  outcome(schema, (builder) => {
    for (const row of before) builder.appendRow(row);
    const { length } = builder;
    try {
      rows.forEach((row, i) => {
        builder.appendRow(row, "records", i);
      });
    } catch (error) {
      builder.truncate(length);
      throw error;
    }
  });

const expectSame = (schema: Schema, rows: readonly unknown[], before: readonly unknown[] = []): void => {
  expect(rowLoopFor(schema)).not.toBeNull();
  expect(together(schema, rows, before)).toEqual(oneByOne(schema, rows, before));
};

const plain = schemaOf([
  { name: "id", type: int8, nullable: false },
  { name: "n", type: int4, nullable: true },
  { name: "x", type: float8, nullable: true },
  { name: "ok", type: bool, nullable: true },
  { name: "a", type: text, nullable: true },
  { name: "b", type: text, nullable: false },
]);
const row = (id: number, more: object = {}): object => ({
  id,
  n: id,
  x: id / 3,
  ok: id % 2 === 0,
  a: "a".repeat(id % 7),
  b: `row ${id}`,
  ...more,
});
const rowsOf = (count: number): object[] => Array.from({ length: count }, (_, i) => row(i));

describe("rows of every type", () => {
  it("are the same as one by one", () => {
    fc.assert(
      fc.property(
        fc.array(anyRow, { maxLength: 150 }),
        fc.array(anyRow, { maxLength: 9 }),
        (rows, before) => {
          expectSame(everyType, rows, before);
        },
      ),
    );
  });

  it("are the same with odd ones among them", () => {
    const odd: fc.Arbitrary<unknown> = fc.oneof(
      fc.constantFrom<unknown>(null, 7, "x", [], [1], new Date(0), undefined, {}),
      fc.record(
        {
          id: fc.constantFrom<unknown>(1, -0, "12", 5n, 1.5, 2 ** 53, null, "x", 2n ** 63n),
          n: fc.constantFrom<unknown>(1, -0, 5n, 2 ** 31, "1", null, undefined),
          x: fc.constantFrom<unknown>(1, -0, Number.NaN, "NaN", "1", 3n, null),
          ok: fc.constantFrom<unknown>(true, false, 1, null, undefined),
          a: fc.oneof(
            fc.string({ unit: "binary" }),
            fc.constantFrom<unknown>("\0", "\ud800", "\udc00", 1, null),
          ),
          b: fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom<unknown>("é".repeat(9000), null, "")),
          other: fc.constantFrom<unknown>(1, undefined),
        },
        { requiredKeys: [] },
      ),
    );
    const usual = fc.nat(1000).map((id) => row(id));
    const mixed = fc.array(fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(mixed, fc.array(usual, { maxLength: 9 }), (rows, before) => {
        expectSame(plain, rows, before);
      }),
      { numRuns: 300 },
    );
  });
});

describe("texts", () => {
  const one = schemaOf([{ name: "v", type: text, nullable: true }]);

  it("of any script, with nulls, across blocks", () => {
    const words = ["", "plain", "naïve", "日本語", "😀", "é", null, "x".repeat(300), undefined];
    expectSame(
      one,
      Array.from({ length: 3 * BLOCK_ROWS + 5 }, (_, i) => ({ v: words[(i * 7) % words.length] })),
    );
  });

  it("half a surrogate pair in one row and half in the next do not make a whole one", () => {
    for (const rows of [
      [{ v: "a\ud83d" }, { v: "\ude00b" }],
      [{ v: "é" }, { v: "\ud83d" }, { v: "\ude00" }],
    ]) {
      expectSame(one, rows);
      expect(together(one, rows).error).toContain("not valid Unicode");
    }
  });

  it("longer than a block, alone and together", () => {
    expectSame(
      one,
      [1, 5000, 5000, 8192, 8193, 20_000, 3].map((length) => ({ v: "ä".repeat(length) })),
    );
  });
});

describe("what is not usual", () => {
  it.each<[string, unknown]>([
    ["an unknown property", row(1, { typo: 1 })],
    ["an unknown property without a value", row(1, { typo: undefined })],
    ["a missing value", { n: 1 }],
    ["no object", 17],
    ["an array", Object.assign([], row(1))],
    ["a Date", Object.assign(new Date(0), row(1))],
    ["an inherited unknown property", Object.assign(Object.create({ inherited: 1 }) as object, row(1))],
    ["values inherited", Object.create(row(1)) as object],
    ["no prototype", Object.assign(Object.create(null) as object, row(1))],
    ["properties in another order", Object.fromEntries(Object.entries(row(1)).reverse())],
  ])("%s, at each place of the first two blocks", (_, odd) => {
    for (const at of [0, 1, 17, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS - 1]) {
      const rows: unknown[] = rowsOf(2 * BLOCK_ROWS);
      rows[at] = odd;
      expectSame(plain, rows, [row(5)]);
    }
  });

  it("in every row, so that the loop takes none", () => {
    const times = schemaOf([
      { name: "at", type: timestamptz, nullable: false },
      { name: "v", type: text, nullable: false },
    ]);
    const rows = Array.from({ length: 500 }, (_, i) => ({
      at: new Date(i * 1000),
      v: "x",
      other: undefined,
    }));
    expectSame(times, rows);
  });

  it("names of columns that need quotes", () => {
    const odd = schemaOf(
      ['a"b', "a\nb", "\u2028", "$" + "{x}", "`", "row", "at"].map((name) => ({
        name,
        type: int4,
        nullable: false,
      })),
    );
    const rows = Array.from({ length: 70 }, (_, i) =>
      Object.fromEntries(odd.fields.map(({ name }, k) => [name, i + k])),
    );
    expectSame(odd, rows);
    expect(together(odd, rows).error).toBeNull();
  });
});

describe("without a loop", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("columns named like what objects inherit count only as own properties", () => {
    const schema = schemaOf([{ name: "constructor", type: text, nullable: true }]);
    expect(rowLoopFor(schema)).toBeNull();
    const rows: object[] = [{}, { constructor: "x" }];
    expect(together(schema, rows)).toEqual(oneByOne(schema, rows));
  });

  it("a content security policy that forbids generated code costs speed only", () => {
    vi.stubGlobal("Function", function refuse() {
      throw new EvalError("refused by the policy");
    });
    // Code that was made before is there all the same.
    const schema = schemaOf([{ name: "met only here", type: int4, nullable: false }]);
    expect(rowLoopFor(schema)).toBeNull();
    const rows = [{ "met only here": 1 }, { "met only here": 2 }];
    expect(together(schema, rows)).toEqual(oneByOne(schema, rows));
    expect(together(schema, rows).error).toBeNull();
  });
});
