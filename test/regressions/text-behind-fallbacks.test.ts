/**
 * Texts of a body go into an array as long as the body. Records that leave a column out have its default there, which took of that room, and a long text behind them
 * did not fit: four bytes at a time it failed as a bug, and byte by byte its end was lost.
 */
import { expect, test } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { datumAt } from "../../src/batch/column.ts";
import type { JsonText } from "../../src/batch/json-loop.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4, text } from "../../src/batch/types.ts";
import { RecordDecoder } from "../../src/wire/http/record-decoder.ts";

const schema = schemaOf([
  { name: "note", type: text, nullable: false },
  { name: "n", type: int4, nullable: false },
]);

test.each([
  ["plain", "y"],
  ["with escapes", "\\\\"],
  ["beyond ASCII", "ä"],
])("a long text, %s, behind records without it", (_, unit) => {
  const builder = new BatchBuilder(schema);
  const fallback = "z".repeat(100);
  builder.setFallbacks([fallback, undefined]);
  let byLoop = 0;
  const takeText = (body: JsonText): number => {
    const taken = builder.appendJson(body);
    byLoop += taken;
    return taken;
  };
  const decoder = new RecordDecoder("ndjson", { takeText, take: (value) => builder.appendRow(value) });
  const long = `"${unit.repeat(4000)}"`;
  const end = '{"note":"end","n":1}\n';
  decoder.push(encodeUtf8(`${'{"n":1}\n'.repeat(40)}{"note":${long},"n":1}\n${end}`));
  expect(decoder.advance(() => false)).toBe(true);
  const batch = builder.finish();
  const notes = Array.from({ length: batch.length }, (_, i) => datumAt(batch.columns[0]!, i));
  expect(notes).toEqual([...Array.from({ length: 40 }, () => fallback), JSON.parse(long), "end"]);
  expect(byLoop).toBe(42);
});
