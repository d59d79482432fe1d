import fc from "fast-check";
import { expect, test } from "vitest";
import { rowCompare } from "../../src/client/order.ts";
import { RowSet } from "../../src/client/rows.ts";

const columns = [
  { name: "score", type: "int4" },
  { name: "id", type: "int4" },
];
const compare = rowCompare(columns, [{ column: "score", descending: true, nullsFirst: false }]);

test("equals sorting from scratch after any changes, read at any moments", () => {
  const put = fc.record({ op: fc.constant("put" as const), id: fc.nat(30), score: fc.nat(5) });
  const del = fc.record({ op: fc.constant("delete" as const), id: fc.nat(30) });
  const read = fc.record({ op: fc.constant("read" as const) });
  fc.assert(
    fc.property(fc.array(fc.oneof(put, del, read), { maxLength: 200 }), (actions) => {
      const set = new RowSet<{ score: number; id: number }>(compare);
      const naive = new Map<number, { score: number; id: number }>();
      const handedOut: [readonly unknown[], unknown[]][] = [];
      for (const action of actions) {
        if (action.op === "put") {
          const row = { score: action.score, id: action.id };
          set.put(String(action.id), row);
          naive.set(action.id, row);
        } else if (action.op === "delete") {
          expect(set.delete(String(action.id))).toBe(naive.delete(action.id));
        } else {
          const expected = [...naive.values()].sort((a, b) => b.score - a.score || a.id - b.id);
          expect(set.rows).toEqual(expected);
          expect(set.size).toBe(expected.length);
          handedOut.push([set.rows, expected]);
        }
      }
      for (const [rows, then] of handedOut) expect(rows).toEqual(then);
    }),
  );
});

test("the array is the same until something changes, and another one after", () => {
  const set = new RowSet<{ score: number; id: number }>(compare);
  set.put("1", { score: 1, id: 1 });
  const before = set.rows;
  expect(set.rows).toBe(before);
  expect(set.delete("2")).toBe(false);
  expect(set.rows).toBe(before);
  set.put("1", { score: 2, id: 1 });
  expect(set.rows).not.toBe(before);
  expect(before).toEqual([{ score: 1, id: 1 }]);
  expect(set.get("1")).toBe(set.rows[0]);
});

test("changes nobody reads do not pile up", () => {
  const set = new RowSet<{ score: number; id: number }>(compare);
  for (let i = 0; i < 100_000; i++) set.put(String(i % 10), { score: i, id: i % 10 });
  expect(set.size).toBe(10);
  expect(set.rows.map((r) => r.score)).toEqual([
    99_999, 99_998, 99_997, 99_996, 99_995, 99_994, 99_993, 99_992, 99_991, 99_990,
  ]);
});
