/** Equal keys have one digest, others another: of every type that a key can have. */
import { describe, expect, test } from "vitest";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { schemaOf } from "../../../src/batch/schema.ts";
import { bool, float8, int2, int4, int8, jsonb, type SqlType, text } from "../../../src/batch/types.ts";
import { KeyDigest } from "../../../src/log/keeping/key-digest.ts";
import { LastRows } from "../../../src/log/keeping/last-rows.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";

function digests(types: readonly SqlType[], rows: readonly (readonly unknown[])[]): string[] {
  const schema = schemaOf(types.map((type, i) => ({ name: `c${i}`, type, nullable: false })));
  const builder = new BatchBuilder(schema);
  for (const row of rows) builder.appendRow(Object.fromEntries(row.map((value, i) => [`c${i}`, value])));
  const { columns, length } = builder.finish();
  const digest = new KeyDigest(types);
  return Array.from({ length }, (_, row) => {
    digest.take(columns, row);
    return String(digest.words);
  });
}

const long = "x".repeat(100);
const interval: SqlType = { name: "interval" };
const bpchar: SqlType = { name: "bpchar", length: 8 };
const numeric: SqlType = { name: "numeric" };

describe("equal", () => {
  const cases: [string, SqlType, unknown, unknown][] = [
    ["zeros of a double", float8, 0, -0],
    ["not a number", float8, "NaN", "NaN"],
    ["numerics of another scale", numeric, "1.50", "1.5"],
    ["numerics of no fraction", numeric, "100", "100.00"],
    ["a month and thirty days", interval, "1 mon", "30 days"],
    ["blanks at the end", bpchar, "ab", "ab   "],
    ["documents", jsonb, { a: 1, b: 2 }, { b: 2, a: 1 }],
    ["long texts", text, long, long],
  ];
  for (const [name, type, a, b] of cases)
    test(name, () => expect(new Set(digests([type], [[a], [b]])).size).toBe(1));

  test("integers of any width", () => {
    const values = [[0], [1], [-1], [-32768], [32767]];
    expect(digests([int2], values)).toEqual(digests([int8], values));
    expect(digests([int4], values)).toEqual(digests([int8], values));
  });
});

describe("different", () => {
  const cases: [string, readonly SqlType[], (readonly unknown[])[]][] = [
    [
      "texts",
      [text],
      [
        [""],
        ["a"],
        ["a\u0001"],
        ["b"],
        ["fourteen bytes"],
        ["fifteen bytes!!"],
        ["sixteen bytes!!!"],
        [long],
        [`${long}y`],
      ],
    ],
    [
      "where one column ends",
      [text, text],
      [
        ["ab", "c"],
        ["a", "bc"],
        ["", "abc"],
        ["abc", ""],
      ],
    ],
    ["doubles", [float8], [[0], [1], [-1], [0.5], ["Infinity"], ["-Infinity"], ["NaN"]]],
    ["numerics", [numeric], [["1"], ["10"], ["100"], ["0.1"], ["0.01"], ["-1"]]],
    [
      "two integers",
      [int8, int8],
      [
        [1, 2],
        [2, 1],
        [0, 3],
        [-1, -2],
      ],
    ],
    [
      "truths",
      [bool, int4],
      [
        [true, 1],
        [false, 1],
        [true, 0],
      ],
    ],
  ];
  for (const [name, types, rows] of cases)
    test(name, () => expect(new Set(digests(types, rows)).size).toBe(rows.length));
});

test("the table of last rows says what a map says, however it has grown", async () => {
  const random = new SeededRandom(1);
  const table = new LastRows(12345);
  const map = new Map<string, number>();
  const key = (n: number): Int32Array => Int32Array.of(n, n >> 3, 0, 8 << 24);
  let turns = 0;
  for (let offset = 0; offset < 60_000; offset++) {
    const topicId = 1 + random.below(3);
    const n = random.below(30_000);
    if (table.roomFor < 1)
      await table.grow(async () => {
        turns++;
      });
    table.put(topicId, key(n), offset);
    map.set(`${topicId} ${n}`, offset);
  }
  expect(table.size).toBe(map.size);
  expect(turns).toBeGreaterThan(0);
  for (let topicId = 1; topicId <= 3; topicId++)
    for (let n = 0; n < 30_000; n++)
      expect(table.get(topicId, key(n))).toBe(map.get(`${topicId} ${n}`) ?? -1);
});
