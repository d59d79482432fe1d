/** A dictionary filled from a checkpoint finds what was in it, and goes on as one that grew. */
import { describe, expect, test } from "vitest";
import { Dictionary } from "../../src/state/dictionary.ts";
import { FILLING_MIN } from "../../src/state/index-filling.ts";

const encoder = new TextEncoder();

function restore(dictionary: Dictionary, id: number, value: string): void {
  const bytes = encoder.encode(value);
  dictionary.restore(id, bytes, 0, bytes.length);
}

describe("a dictionary that is filled", () => {
  test.each([0, 1, 5_000, FILLING_MIN + 20_000])("with %i values", (values) => {
    const dictionary = new Dictionary();
    dictionary.restoring();
    const expected = new Map<number, string>();
    for (let id = 1; id <= values; id++) {
      if (id % 7 === 3) continue;
      restore(dictionary, id, `value ${id}`);
      expected.set(id, `value ${id}`);
    }
    // A later part of the checkpoint: ids that are gone, come again, or stand for something else.
    for (let id = 1; id <= values; id += 5) {
      dictionary.forget(id);
      expected.delete(id);
    }
    for (let id = 1; id <= values; id += 10) {
      restore(dictionary, id, `later ${id}`);
      restore(dictionary, id, `last ${id}`);
      expected.set(id, `last ${id}`);
    }
    let pieces = 0;
    for (const _ of dictionary.restored()) pieces++;
    expect(pieces).toBeGreaterThanOrEqual(Math.floor(values / 8_192));
    expect(dictionary.size).toBe(expected.size + 1);
    for (const [id, value] of expected) {
      expect(dictionary.string(id)).toBe(value);
      expect(dictionary.internString(value)).toBe(id);
      dictionary.retain(id);
    }
    expect(dictionary.internString("")).toBe(0);
    // New values get ids that are free, each one once.
    const ids = new Set(expected.keys());
    const free = Math.max(0, dictionary.highWater - 1 - expected.size);
    for (let n = 0; n < 1_000; n++) {
      const id = dictionary.internString(`new ${n}`);
      expect(ids.has(id)).toBe(false);
      if (n < free) expect(id).toBeLessThanOrEqual(values);
      ids.add(id);
      dictionary.retain(id);
    }
    // What nobody has goes.
    for (const id of expected.keys()) dictionary.release(id);
    dictionary.collect();
    expect(dictionary.size).toBe(1_001);
  });
});
