/** Texts interned a column at a time, in WebAssembly, have the ids that they have one by one; whatever their lengths, windows and neighbours. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Utf8Column } from "../../src/batch/batch.ts";
import { text } from "../../src/batch/types.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { hashBytes } from "../../src/state/text-loops.ts";

function columnOf(values: readonly (string | null)[]): Utf8Column {
  const parts = values.map((value) => new TextEncoder().encode(value ?? "left over"));
  const offsets = new Int32Array(values.length + 1);
  parts.forEach((part, i) => {
    offsets[i + 1] = offsets[i]! + part.length;
  });
  const validity = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (value !== null) validity[i >> 3]! |= 1 << (i & 7);
  });
  const data = new Uint8Array(Buffer.concat(parts));
  const isNullable = values.includes(null);
  return {
    kind: "utf8",
    type: text,
    length: values.length,
    validity: isNullable ? validity : null,
    offsets,
    data,
  };
}

function ids(dictionary: Dictionary, values: readonly (string | null)[], from = 0): Int32Array {
  const out = new Int32Array(values.length - from);
  dictionary.internColumn(out, columnOf(values), from, values.length);
  return out;
}

const someText = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 90 }),
  fc.constantFrom("", "a", "ab", "the same", "the same\0", "x".repeat(300), null),
);

describe("a column of texts", () => {
  test("has the ids that its texts have one by one", () => {
    fc.assert(
      fc.property(fc.array(fc.array(someText, { maxLength: 60 }), { maxLength: 4 }), (columns) => {
        const dictionary = new Dictionary();
        for (const values of columns) {
          const found = ids(dictionary, values);
          values.forEach((value, i) => {
            expect(found[i]).toBe(value === null ? 0 : dictionary.internString(value));
            if (value !== null) expect(dictionary.string(found[i]!)).toBe(value);
          });
        }
      }),
    );
  });

  test("may be asked for some of its rows", () => {
    fc.assert(
      fc.property(
        fc.array(someText, { minLength: 1, maxLength: 120 }),
        fc.infiniteStream(fc.nat(9)),
        (values, skips) => {
          const dictionary = new Dictionary();
          const rows: number[] = [];
          for (let row = 0; row < values.length; row += skips.next().value) rows.push(row++);
          const found = new Int32Array(rows.length);
          dictionary.internRows(found, columnOf(values), Int32Array.from(rows), rows.length, 0);
          const behind = new Int32Array(rows.length - 1);
          dictionary.internRows(
            behind,
            columnOf(values),
            Int32Array.from(rows.slice(1), (row) => row - 1),
            rows.length - 1,
            1,
          );
          expect(behind).toEqual(found.subarray(1));
          rows.forEach((row, i) => {
            const value = values[row]!;
            expect(found[i]).toBe(value === null ? 0 : dictionary.internString(value));
          });
        },
      ),
    );
  });

  test("finds values met lately, until they are freed, and not those that take their ids", () => {
    // More values than are remembered, some of them often.
    const value = fc.oneof(
      fc.nat(6).map((n) => `often ${n}`),
      fc.nat(4_000).map((n) => `value ${n} of many`),
      fc.constant(""),
    );
    const round = fc.record({
      values: fc.array(value, { minLength: 20, maxLength: 400 }),
      frees: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(round, { maxLength: 8 }), (rounds) => {
        const dictionary = new Dictionary();
        for (const { values, frees } of rounds) {
          const found = ids(dictionary, values);
          values.forEach((text, i) => {
            expect(dictionary.isLive(found[i]!)).toBe(true);
            expect(dictionary.string(found[i]!)).toBe(text);
            expect(dictionary.internString(text)).toBe(found[i]);
          });
          if (frees) dictionary.collect();
        }
      }),
      { numRuns: 60 },
    );
  });

  test("goes through the window in pieces, and past it where one text is larger", () => {
    const dictionary = new Dictionary();
    const values = Array.from({ length: 200 }, (_, i) =>
      i === 77 ? "z".repeat(300_000) : `${i % 150}`.repeat(700 + (i % 5)),
    );
    const found = ids(dictionary, values);
    values.forEach((value, i) => {
      expect(dictionary.string(found[i]!)).toBe(value);
    });
    expect(new Set(found).size).toBe(new Set(values).size);
    expect(ids(dictionary, values, 3)).toEqual(found.subarray(3));
  });

  test("tells texts of one hash apart, and finds each when others of it have gone", () => {
    // Found by search; if the hash changes, they are ordinary texts.
    const pairs = [
      ["text 1vyl", "text 4is0"],
      ["text 1vy0", "text 4isl"],
      ["text 4jux", "text 4nya"],
    ];
    const [left, right] = [pairs.map(([a]) => a!), pairs.map(([, b]) => b!)];
    const filler = Array.from({ length: 8 }, (_, i) => `filler ${i}`);
    const bytes = (value: string) => new TextEncoder().encode(value);
    for (const [a, b] of pairs) expect(hashBytes(bytes(a!), 0, 9)).toBe(hashBytes(bytes(b!), 0, 9));
    const dictionary = new Dictionary();
    const first = ids(dictionary, [...left, ...right, ...filler]);
    expect(new Set(first).size).toBe(14);
    expect(ids(dictionary, [...right, ...left, ...filler]).slice(0, 6)).toEqual(
      Int32Array.of(...first.subarray(3, 6), ...first.subarray(0, 3)),
    );
    for (const id of first.subarray(3, 6)) dictionary.retain(id);
    dictionary.collect();
    const again = ids(dictionary, [...left, ...right, ...filler]);
    expect(again.slice(3, 6)).toEqual(first.slice(3, 6));
    for (const [i, value] of [...left, ...right].entries()) {
      expect(dictionary.string(again[i]!)).toBe(value);
      expect(dictionary.internString(value)).toBe(again[i]);
    }
  });

  test("finds its texts among very many, frees those that nobody keeps, and gives their ids again", () => {
    const dictionary = new Dictionary();
    const values = Array.from({ length: 60_000 }, (_, i) => `text number ${i} of many`);
    const first = new Int32Array(values.length);
    const column = columnOf(values);
    for (let from = 0; from < values.length; from += 2_000)
      dictionary.internColumn(first.subarray(from), column, from, from + 2_000);
    expect(new Set(first).size).toBe(values.length);
    for (let i = 0; i < values.length; i += 3) dictionary.retain(first[i]!);
    dictionary.collect();
    expect(dictionary.size).toBe(20_001);
    for (const [i, id] of ids(dictionary, values).entries()) {
      expect(dictionary.string(id)).toBe(values[i]);
      if (i % 3 === 0) expect(id).toBe(first[i]);
    }
    expect(dictionary.size).toBe(60_001);
  });
});
