/**
 * A column of type json keeps what was written, and did so of SQL and Avro alone: a record of JSON, NDJSON or CSV had its members put in jsonb's order, its numbers written anew and spaces put between, and
 * Arrow, which carries the text itself, was read the same way, so that what was exported came back as another text.
 */
import { expect, it } from "vitest";
import { arrowStream, readArrow } from "../../src/batch/arrow.ts";
import { datumAt } from "../../src/batch/column.ts";
import { datumFromJson, ExactValue } from "../../src/batch/convert.ts";
import { parseJson } from "../../src/batch/lossless-json.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { json, jsonb } from "../../src/batch/types.ts";
import { batchOf } from "../batch/fixtures.ts";

const written = '{"bb":1.10,"a":[{"z":9007199254740993,"y":1e5}],"":"é\\n"}';

it("has a record's members in their order, and its numbers with their digits", () => {
  expect(datumFromJson(json, parseJson(written))).toBe(written.replace("1e5", "100000"));
  expect(datumFromJson(jsonb, parseJson(written))).toBe(
    '{"": "é\\n", "a": [{"y": 100000, "z": 9007199254740993}], "bb": 1.10}',
  );
  expect(datumFromJson(json, { b: undefined, a: -0, when: new Date(0) })).toBe(
    '{"a":-0,"when":"1970-01-01T00:00:00.000Z"}',
  );
  expect(() => datumFromJson(json, { a: { b: Number.NaN } })).toThrow("NaN has no place in json");
  let deep: unknown = 1;
  for (let i = 0; i < 1001; i++) deep = [deep];
  expect(() => datumFromJson(json, deep)).toThrow("json is nested more than 1000 levels deep");
});

it("comes back from Arrow as the text that it was", () => {
  const schema = schemaOf([{ name: "v", type: json, nullable: true }]);
  const texts = ['{"b":1,  "a":1.10,\t"b":2}', null, " [1 ]"];
  const rows = texts.map((text) => ({ v: text === null ? null : new ExactValue(text) }));
  const [back] = [...readArrow(arrowStream(batchOf(schema, rows)), schema)];
  expect(texts.map((_, i) => datumAt(back!.columns[0]!, i))).toEqual(texts);
});
