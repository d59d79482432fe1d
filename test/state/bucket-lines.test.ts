import fc from "fast-check";
import { expect, test } from "vitest";
import { BucketLines, LINE_COUNT, LINE_ENTRIES, LINE_OVERFLOW } from "../../src/state/bucket-lines.ts";

/** Entries of a hash, newest first, as an index walks them. */
function entriesOf(lines: BucketLines, hash: number): number[] {
  const found: number[] = [];
  let L = lines.B;
  let at = lines.lineOf(hash);
  for (;;) {
    for (let i = at + L[at + LINE_COUNT]! - 1; i >= at; i--)
      if (L[i] === hash) found.push(L[i + LINE_ENTRIES]!);
    at = (L[at + LINE_OVERFLOW]! - 1) << 4;
    if (at < 0) return found;
    L = lines.O;
  }
}

test("entries of a hash come newest first, whatever is added, taken out and replaced", () => {
  const action = fc.record({
    kind: fc.constantFrom("insert", "insert", "insert", "remove", "replace"),
    // Few hashes, many of one bucket: lines overflow and empty again.
    hash: fc.oneof(
      fc.nat(3),
      fc.nat(5).map((n) => n * 64),
      fc.integer(),
    ),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
      const lines = new BucketLines();
      const expected = new Map<number, number[]>();
      actions.forEach(({ kind, hash, pick }, entry) => {
        const entries = expected.get(hash) ?? [];
        expected.set(hash, entries);
        const at = pick % Math.max(1, entries.length);
        if (kind === "insert") {
          lines.insert(hash, entry);
          entries.unshift(entry);
        } else if (entries.length > 0 && kind === "remove") {
          lines.remove(hash, entries[at]!);
          entries.splice(at, 1);
        } else if (entries.length > 0) {
          lines.replace(hash, entries[at]!, entry);
          entries[at] = entry;
        }
      });
      for (const [hash, entries] of expected) expect(entriesOf(lines, hash)).toEqual(entries);
      expect(lines.count).toBe([...expected.values()].reduce((sum, e) => sum + e.length, 0));
    }),
  );
});

test("many entries, presized or grown", () => {
  for (const expected of [0, 50_000]) {
    const lines = new BucketLines();
    lines.presize(expected);
    const hashOf = (i: number) => Math.imul(i, 0x9e3779b1);
    for (let i = 0; i < 50_000; i++) lines.insert(hashOf(i), i);
    for (let i = 0; i < 50_000; i += 3) lines.remove(hashOf(i), i);
    for (let i = 0; i < 50_000; i++) expect(entriesOf(lines, hashOf(i))).toEqual(i % 3 === 0 ? [] : [i]);
  }
});
