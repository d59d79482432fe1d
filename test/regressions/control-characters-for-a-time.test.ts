/**
 * The minute read last is known by its bytes. Before there was one it was known by sixteen bytes 0, and a string of those, which is no JSON, was taken for a time in 1970.
 */
import { expect, test } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { rowToObject } from "../../src/batch/json.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { timestamptz } from "../../src/batch/types.ts";
import { RecordDecoder } from "../../src/wire/http/record-decoder.ts";

const schema = schemaOf([{ name: "at", type: timestamptz, nullable: false }]);

function append(body: string): BatchBuilder {
  const builder = new BatchBuilder(schema);
  const decoder = new RecordDecoder("ndjson", {
    takeText: (text) => builder.appendJson(text),
    take: (value) => builder.appendRow(value),
  });
  decoder.push(encodeUtf8(body));
  decoder.advance(() => false);
  return builder;
}

test("the first time of a process is no string of control characters", () => {
  expect(() => append(`{"at":"${"\0".repeat(16)}:00Z"}\n`)).toThrow(
    "line 1: invalid input syntax for type json",
  );
  const batch = append('{"at":"1970-01-01T00:00:01Z"}\n').finish();
  expect(rowToObject(schema, batch, 0)).toEqual({ at: "1970-01-01T00:00:01+00:00" });
});
