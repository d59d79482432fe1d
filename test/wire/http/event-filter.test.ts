import { describe, expect, test } from "vitest";
import { type SqlType, typeFromString } from "../../../src/batch/types.ts";
import { filteredChanges, filteredRows, rowTest } from "../../../src/wire/http/event-filter.ts";

const field = (name: string, type: string) => ({
  name,
  type: typeFromString(type) as SqlType,
  nullable: true,
});
const fields = [field("id", "int8"), field("g", "text")];
const isA = rowTest(fields, { g: 'a"}' });
const row = (id: number, g: string | null) => JSON.stringify({ id, g });

test("rows of a snapshot", () => {
  const rows = [1, 2].flatMap((id) => ['a"}', "b", null].map((g) => `{"key":${id},"row":${row(id, g)}}`));
  expect(filteredRows(rows, isA)).toEqual([rows[0], rows[3]]);
});

describe("changes", () => {
  const a = row(1, 'a"}');
  const b = row(1, "b\\");
  const insert = (after: string) => `{"op":"insert","key":1,"row":${after}}`;
  const remove = (before: string) => `{"op":"delete","key":1,"old":${before}}`;
  const update = (before: string, after: string) => `{"op":"update","key":1,"row":${after},"old":${before}}`;
  test.each([
    ["a row that comes", insert(a), insert(a)],
    ["another one", insert(b), ""],
    ["a row that goes", remove(a), remove(a)],
    ["another one that goes", remove(b), ""],
    ["a row that stays", update(a, a), update(a, a)],
    ["a row that gets the value", update(b, a), insert(a)],
    ["a row that loses it", update(a, b), remove(a)],
    ["a row that never had it", update(b, b), ""],
    ["several", [insert(b), update(b, a), update(a, b), remove(b)].join(","), `${remove(a)},${insert(a)}`],
    ["none", "", ""],
  ])("%s", (_what, changes, kept) => {
    // A step's deletes come first, also those that were updates.
    const { deletes, others } = filteredChanges(changes, isA);
    expect([deletes, others].filter((part) => part !== "").join(",")).toBe(kept);
  });
});

test("keys of any form", () => {
  const change = `{"op":"update","key":[1,"x,]}"],"row":${row(2, 'a"}')},"old":${row(2, null)}}`;
  const insert = `{"op":"insert","key":[1,"x,]}"],"row":${row(2, 'a"}')}}`;
  expect(filteredChanges(`${change},${change}`, isA)).toEqual({ deletes: "", others: `${insert},${insert}` });
});

test.each([
  ["int8", 1, "1", "2"],
  ["int8", 9007199254740993n, "9007199254740993", "9007199254740992"],
  ["numeric", "1.5", "1.500", "1.51"],
  ["numeric(10,2)", "100", "100.00", "10.00"],
  ["float8", Number.NaN, '"NaN"', "1"],
  ["float8", 0, "-0", "0.5"],
  ["bool", false, "false", "true"],
  ["timestamptz", "2024-01-01", '"2024-01-01T00:00:00+00:00"', '"2024-01-01T00:00:01+00:00"'],
  ["interval", "30 days", '"1 mon"', '"31 days"'],
  ["bpchar(3)", "a", '"a  "', '"b  "'],
  ["int4[]", "{1,2}", "[1, 2]", "[2, 1]"],
  ["jsonb", { b: 1, a: [2] }, '{"a": [2.0], "b": 1}', '{"a": [2]}'],
  ["text", "", '""', "null"],
])("%s: %s", (type, value, equal, other) => {
  const passes = rowTest([field("x y", type)], { "x y": value });
  expect(passes(`{"x y":${equal}}`)).toBe(true);
  expect(passes(`{"x y":${other}}`)).toBe(false);
  expect(passes('{"x y":null}')).toBe(false);
});
