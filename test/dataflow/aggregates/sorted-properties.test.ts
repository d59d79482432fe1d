/** The properties of a jsonb object, sorted in pieces, are those of the object made at once. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson } from "../../../src/batch/jsonb.ts";
import { GatheredText } from "../../../src/dataflow/aggregates/collect/gathered-text.ts";
import { SortedProperties } from "../../../src/dataflow/aggregates/collect/sorted-properties.ts";

function made(entries: readonly (readonly [string, number])[]): { text: string; pieces: number } {
  const properties = new SortedProperties();
  for (const [name, value] of entries)
    properties.push({ name, text: `${JSON.stringify(name)}: ${JSON.stringify(value)}` });
  let pieces = 1;
  while (properties.settle()) pieces++;
  return { text: properties.take(), pieces };
}

it("of any names, equal ones too", () => {
  const names = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 4 }),
    fc.constantFrom("", "a", "é", "\u{1f600}", "\uffff"),
  );
  const entry = fc.tuple(
    names.filter((name) => name !== "__proto__"),
    fc.nat(9),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), (entries) => {
      expect(made(entries).text).toBe(canonicalJson(Object.fromEntries(entries)));
    }),
  );
});

it.each([1, 1_024, 1_025, 5_000, 40_000])("of %i properties, of which some are equal", (count) => {
  const entries = Array.from(
    { length: count },
    (_, i) => [`n${(i * 7_919) % (count - (count >> 3))}`, i] as const,
  );
  const { text, pieces } = made(entries);
  expect(text).toBe(canonicalJson(Object.fromEntries(entries)));
  // Each is moved once in each of the passes over 2, 4, 8, ... runs, and told.
  const passes = Math.ceil(Math.log2(Math.max(1, count / 1_024)));
  expect(pieces).toBeGreaterThanOrEqual(Math.ceil((count * passes) / 4_096));
});

it("is empty again after it was taken, or cleared in the middle", () => {
  const properties = new SortedProperties();
  for (let i = 0; i < 10_000; i++) properties.push({ name: `${i}`, text: `"${i}": 1` });
  expect(properties.settle()).toBe(true);
  properties.clear();
  properties.push({ name: "a", text: '"a": 1' });
  expect(properties.settle()).toBe(false);
  expect(properties.take()).toBe('{"a": 1}');
  expect(properties.settle()).toBe(false);
  expect(properties.take()).toBe("{}");
});

it.each([0, 1, 1_023, 1_024, 1_025, 4_096])("a text of %i pieces is what join makes of them", (count) => {
  const text = new GatheredText(", ");
  const pieces = Array.from({ length: count }, (_, i) => `p${i}`);
  for (const piece of pieces) text.push(piece);
  expect([text.count, text.length]).toEqual([count, pieces.join("").length]);
  expect(text.take("[", "]")).toBe(`[${pieces.join(", ")}]`);
  expect(text.take("[", "]")).toBe("[]");
});
