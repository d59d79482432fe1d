import { PGlite } from "@electric-sql/pglite";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { datumAt } from "../../src/batch/column.ts";
import { type Datum, datumFromJson, datumToValue } from "../../src/batch/convert.ts";
import { columnToJson, rowJsonWriter, rowToObject, valueToJson } from "../../src/batch/json.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { valueToText } from "../../src/batch/text-form.ts";
import {
  bool,
  float8,
  int4,
  int8,
  jsonb,
  numeric,
  type SqlType,
  text,
  timestamptz,
} from "../../src/batch/types.ts";
import { anyRow, batchOf, everyType, price } from "./fixtures.ts";

describe("rows as JSON", () => {
  const schema = schemaOf([
    { name: "id", type: int8, nullable: false },
    { name: 'a "b"', type: text, nullable: true },
    { name: "t", type: timestamptz, nullable: true },
  ]);
  const batch = batchOf(schema, [
    { id: "9007199254740993", 'a "b"': 'x"\n\u001f', t: "2024-05-06T07:08:09.1Z" },
    { id: -1 },
  ]);

  it("stand as objects and as arrays", () => {
    const writer = rowJsonWriter(schema);
    expect(writer.object(batch, 0)).toBe(
      '{"id":9007199254740993,"a \\"b\\"":"x\\"\\n\\u001f","t":"2024-05-06T07:08:09.1+00:00"}',
    );
    expect(writer.object(batch, 1)).toBe('{"id":-1,"a \\"b\\"":null,"t":null}');
    expect(writer.array(batch, 1)).toBe("[-1,null,null]");
  });

  it("come from getters alike, and in chosen columns", () => {
    fc.assert(
      fc.property(anyRow, fc.uniqueArray(fc.nat(8)), (row, only) => {
        const one = batchOf(everyType, [row]);
        const get = (k: number): Datum => datumAt(one.columns[k]!, 0);
        const writer = rowJsonWriter(everyType, only);
        expect(writer.objectOf(get)).toBe(writer.object(one, 0));
        expect(writer.arrayOf(get)).toBe(writer.array(one, 0));
        expect(writer.array(one, 0)).toBe(`[${only.map((k) => columnToJson(one.columns[k]!, 0)).join(",")}]`);
        expect(Object.keys(JSON.parse(writer.object(one, 0)))).toEqual(
          only.map((k) => everyType.fields[k]!.name),
        );
      }),
    );
  });

  it("of no columns are empty", () => {
    const writer = rowJsonWriter(schemaOf([]));
    const none = { schema: schemaOf([]), length: 1, columns: [], weights: null };
    expect([writer.object(none, 0), writer.array(none, 0)]).toEqual(["{}", "[]"]);
    expect([writer.objectOf(() => null), writer.arrayOf(() => null)]).toEqual(["{}", "[]"]);
  });

  it("are objects in TypeScript form only for rows there are", () => {
    expect(() => rowToObject(schema, batch, 2)).toThrow(/the row lies in the batch/);
  });
});

describe("single values", () => {
  const cases: [SqlType, unknown, json: string, asText: string | null, value: unknown][] = [
    [int4, 5, "5", "5", 5],
    [int8, "9007199254740993", "9007199254740993", "9007199254740993", 9007199254740993n],
    [int8, 5n, "5", "5", 5],
    [float8, 1e15, "1000000000000000", "1e+15", 1e15],
    [float8, -0, "0", "-0", -0],
    [float8, "NaN", '"NaN"', "NaN", Number.NaN],
    [float8, "-Infinity", '"-Infinity"', "-Infinity", Number.NEGATIVE_INFINITY],
    [price, 1.5, "1.50", "1.50", "1.50"],
    [price, -0.05, "-0.05", "-0.05", "-0.05"],
    [numeric, "1.500", "1.500", "1.500", "1.500"],
    [numeric, "NaN", '"NaN"', "NaN", "NaN"],
    [numeric, "-Infinity", '"-Infinity"', "-Infinity", "-Infinity"],
    [bool, true, "true", "t", true],
    [bool, false, "false", "f", false],
    [text, "é\u007f/", '"é\u007f/"', "é\u007f/", "é\u007f/"],
    [
      timestamptz,
      "0044-03-15 BC",
      '"0044-03-15T00:00:00+00:00 BC"',
      "0044-03-15 00:00:00+00 BC",
      "0044-03-15T00:00:00+00:00 BC",
    ],
    [timestamptz, "infinity", '"infinity"', "infinity", "infinity"],
    [jsonb, { b: [1], a: "x" }, '{"a": "x", "b": [1]}', '{"a": "x", "b": [1]}', { a: "x", b: [1] }],
    [text, null, "null", null, null],
    [jsonb, undefined, "null", null, null],
  ];

  it.each(cases)("%o %o", (type, given, json, asText, value) => {
    const datum = datumFromJson(type, given);
    expect(valueToJson(type, datum)).toBe(json);
    expect(valueToText(type, datum)).toBe(asText);
    expect(datumToValue(type, datum)).toEqual(value);
  });

  it("may be safe numbers where a bigint is usual", () => {
    expect(valueToJson(price, 150)).toBe("1.50");
    expect(valueToText(timestamptz, -1)).toBe("1969-12-31 23:59:59.999999+00");
    expect(datumToValue(int8, 7)).toBe(7);
    expect(datumToValue(price, -5)).toBe("-0.05");
  });

  it("have the Datum of their type", () => {
    expect(datumFromJson(int8, 5)).toBe(5n);
    expect(datumFromJson(price, "1.5")).toBe(150n);
    expect(datumFromJson(timestamptz, "1970-01-01T00:00:01Z")).toBe(1_000_000n);
    expect(datumFromJson(int4, 5)).toBe(5);
  });

  it("are refused with their path", () => {
    const refused = (path?: string) => {
      try {
        datumFromJson(int4, "x", path);
      } catch (error) {
        if (error instanceof EvertError) return error.message;
      }
      return "";
    };
    expect(refused("$1")).toBe('$1: expected an integer, got the string "x"');
    expect(refused()).toBe('expected an integer, got the string "x"');
  });

  it("come back from their columns as datums", () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const batch = batchOf(everyType, [row]);
        everyType.fields.forEach((field, k) => {
          expect(datumAt(batch.columns[k]!, 0)).toEqual(datumFromJson(field.type, row[field.name]));
        });
      }),
    );
  });
});

describe("against PostgreSQL", () => {
  let postgres: PGlite;
  beforeAll(async () => {
    postgres = await PGlite.create();
    await postgres.exec("set timezone = 'UTC'");
  });
  afterAll(async () => {
    await postgres.close();
  });

  it("rows print as to_jsonb and as text", async () => {
    const rows = fc.sample(anyRow, 200);
    const batch = batchOf(everyType, rows);
    const casts = everyType.fields.map((field, k) => {
      const type = field.type === price ? "numeric(10,2)" : field.type.name;
      return `($1::text[][])[i][${k + 1}]::${type} as ${field.name}`;
    });
    const cells = rows.map((_, i) =>
      everyType.fields.map((field, k) => valueToText(field.type, datumAt(batch.columns[k]!, i))),
    );
    const names = everyType.fields.map((field) => field.name);
    const { rows: theirs } = await postgres.query<{ json: string; texts: (string | null)[] }>(
      `select jsonb_build_array(${names.join()})::text as json,
              array[${names.map((name) => (name === "f_bool" ? "case f_bool when true then 't' when false then 'f' end" : `${name}::text`)).join()}] as texts
       from (select i, ${casts.join()} from generate_series(1, ${rows.length}) i offset 0) x order by i`,
      [cells],
    );
    const writer = rowJsonWriter(everyType);
    theirs.forEach((row, i) => {
      expect(JSON.parse(writer.array(batch, i))).toEqual(JSON.parse(row.json));
      expect(cells[i]).toEqual(row.texts);
    });
    // to the letter, but for the space behind PostgreSQL's commas
    const plain = rowJsonWriter(everyType, [0, 1, 2, 3, 4, 5, 7]);
    const { rows: letters } = await postgres.query<{ json: string }>(
      `select jsonb_build_array(${names.filter((n) => n !== "g_text" && n !== "i_json").join()})::text as json
       from (select i, ${casts.join()} from generate_series(1, ${rows.length}) i offset 0) x order by i`,
      [cells],
    );
    expect(rows.map((_, i) => plain.array(batch, i))).toEqual(
      letters.map((row) => row.json.replaceAll(", ", ",")),
    );
  });
});
