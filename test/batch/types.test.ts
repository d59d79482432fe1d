/** Random values of every type on every way in and out of a batch: its bytes, Arrow, JSON, TypeScript. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arrowRecordBatch, arrowSchema, readArrow, readArrowSchema } from "../../src/batch/arrow.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { decodeBatch, encodeBatch, encodedSize } from "../../src/batch/codec.ts";
import { datumAt } from "../../src/batch/column.ts";
import { type Datum, datumFromJson, datumToValue, exactValue } from "../../src/batch/convert.ts";
import { valueToJson } from "../../src/batch/json.ts";
import { plainJson } from "../../src/batch/jsonb.ts";
import { parseJson } from "../../src/batch/lossless-json.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { datumFromText, datumToText } from "../../src/batch/text-form.ts";
import {
  arrayOf,
  baseTypes,
  enumOf,
  type SqlType,
  typeFromString,
  typeToString,
} from "../../src/batch/types.ts";
import { anyValue } from "./arbitraries.ts";

const mood = enumOf("mood", ["sad", "ok", "very happy"]);
const types: readonly SqlType[] = [
  ...baseTypes,
  mood,
  arrayOf(mood),
  ...(["int8", "float8", "numeric", "text", "timestamp", "interval", "bytea"] as const).map((name) =>
    arrayOf({ name }),
  ),
];

const columnOf = (type: SqlType) =>
  fc.array(fc.option(anyValue(type), { freq: 5 }), { minLength: 1, maxLength: 12 });

describe.each(types.map((type) => [typeToString(type), type] as const))("%s", (name, type) => {
  const schema = schemaOf([{ name: "v", type, nullable: true }]);
  const batchOf = (values: readonly Datum[]) => {
    const builder = new BatchBuilder(schema);
    for (const value of values) builder.appendRow({ v: exactValue(type, value) });
    return builder.finish();
  };
  const read = (batch: ReturnType<typeof batchOf>) =>
    Array.from({ length: batch.length }, (_, i) => datumAt(batch.columns[0]!, i));

  it("comes back from the log's bytes", () => {
    fc.assert(
      fc.property(columnOf(type), (values) => {
        const batch = batchOf(values);
        const bytes = new Uint8Array(encodedSize(batch));
        encodeBatch(batch, bytes, 0);
        expect(read(decodeBatch(bytes, 0, schema, batch.length).batch)).toEqual(values);
      }),
      { numRuns: 40 },
    );
  });

  it("comes back from Arrow, and its type from the schema", () => {
    fc.assert(
      fc.property(columnOf(type), (values) => {
        const stream = [arrowSchema(schema), arrowRecordBatch(batchOf(values))];
        const bytes = Uint8Array.from(stream.flatMap((part) => [...part]));
        const batches = [...readArrow(bytes, schema)];
        const back = batches.flatMap((batch) => read(batch as ReturnType<typeof batchOf>));
        expect(back).toEqual(values);
      }),
      { numRuns: 40 },
    );
    const [field] = readArrowSchema(arrowSchema(schema)).fields;
    const told = type.name === "json" ? "jsonb" : /mood/.test(name) ? "text" : name;
    expect(typeToString(field!.type)).toBe(told);
  });

  it("comes back from its text, its JSON and its form in TypeScript", () => {
    fc.assert(
      fc.property(anyValue(type), (value) => {
        expect(datumFromText(type, datumToText(type, value))).toEqual(value);
        if (value === "null") return; // JSON's null and SQL's are one outside
        // -0 has no sign in JSON, an array no bounds, json no spaces.
        if (typeof value === "string" && /^\[|-0/.test(value) && type.element !== undefined) return;
        const json = datumFromJson(type, parseJson(valueToJson(type, value)));
        // A record's json is read first, and written without spaces.
        const came = name === "json" ? plainJson(parseJson(value as string)) : value;
        expect(json).toEqual(Object.is(came, -0) ? 0 : came);
        if (/json/.test(name)) return; // digits of numbers are a matter of JSON
        expect(datumFromJson(type, datumToValue(type, value))).toEqual(value);
      }),
      { numRuns: 150 },
    );
  });

  // What an enum's labels are its name does not tell: the catalog does.
  if (!/mood/.test(name)) {
    it("has a name that tells it", () => {
      expect(typeFromString(name)).toEqual(type);
    });
  }
});
