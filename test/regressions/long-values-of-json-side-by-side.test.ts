/**
 * The loop over JSON text keeps the texts of a column in an array that all loops share, and too large a one in an array of its own. The value
 * behind such a large one went back to the shared array: what stood there, of another body, became the large one's text.
 */
import { expect, it } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../../src/base/bytes.ts";
import type { Utf8Column } from "../../src/batch/batch.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { type Schema, schemaOf } from "../../src/batch/schema.ts";
import { bpchar, jsonb, numeric, type SqlType, text } from "../../src/batch/types.ts";
import { RecordDecoder } from "../../src/wire/http/record-decoder.ts";

function valuesOf(type: SqlType, values: readonly string[]): string[] {
  const schema: Schema = schemaOf([{ name: "v", type, nullable: false }]);
  const builder = new BatchBuilder(schema);
  let byLoop = 0;
  const decoder = new RecordDecoder("ndjson", {
    takeText(lines) {
      const taken = builder.appendJson(lines);
      byLoop += taken;
      return taken;
    },
    take: (value) => builder.appendRow(value),
  });
  decoder.push(encodeUtf8(values.map((value) => `{"v":${value}}\n`).join("")));
  decoder.advance(() => false);
  decoder.end();
  decoder.advance(() => false);
  expect(byLoop).toBe(values.length);
  const { data, offsets } = builder.finish().columns[0] as Utf8Column;
  return values.map((_, i) => decodeUtf8(data, offsets[i], offsets[i + 1]));
}

it.each<[string, SqlType, (i: number) => string, (i: number) => string]>([
  [
    "jsonb",
    jsonb,
    (i) => `{"a":"${"xyz"[i % 3]!.repeat(i === 0 ? 180_000 : 20)}"}`,
    (i) => `{"a": "${"xyz"[i % 3]!.repeat(i === 0 ? 180_000 : 20)}"}`,
  ],
  [
    "numeric",
    numeric,
    (i) => (i < 6 ? "1e131071" : `${i}`),
    (i) => (i < 6 ? `1${"0".repeat(131_071)}` : `${i}`),
  ],
  ["char(n)", { ...bpchar, length: 300_000 }, (i) => `"${i}"`, (i) => `${i}`.padEnd(300_000)],
])("are each what they are: %s", (_, type, given, kept) => {
  const indexes = Array.from({ length: 4 }, (_, i) => i).concat(type === numeric ? [4, 5, 6, 7] : []);
  // another body first, whose texts lie in the shared array
  valuesOf(
    text,
    ["#", "+", "~"].map((letter) => JSON.stringify(letter.repeat(80_000))),
  );
  const values = valuesOf(type, indexes.map(given));
  for (const i of indexes) expect(values[i] === kept(i), `value ${i}`).toBe(true);
});
