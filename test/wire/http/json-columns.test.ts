/**
 * A body taken into columns by the generated loop is what it is record by record, with the same error at the same place: bodies of every
 * type in every form JSON has for them, then the same with bytes changed, in any pieces.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { encodeBatch, encodedSize } from "../../../src/batch/codec.ts";
import type { JsonText } from "../../../src/batch/json-loop.ts";
import { type Schema, schemaOf } from "../../../src/batch/schema.ts";
import {
  arrayOf,
  bool,
  date,
  enumOf,
  float4,
  float8,
  int2,
  int4,
  int8,
  interval,
  json,
  jsonb,
  numeric,
  type SqlType,
  text,
  time,
  timestamp,
  timestamptz,
  uuid,
} from "../../../src/batch/types.ts";
import { type BodyFormat, RecordDecoder } from "../../../src/wire/http/record-decoder.ts";

interface Outcome {
  readonly bytes: number[];
  readonly error: string | null;
}

/** What comes of a body; `byLoop`: records the loop took. */
function outcome(
  schema: Schema,
  format: BodyFormat,
  pieces: readonly Uint8Array[],
  withLoop: boolean,
): Outcome & { readonly byLoop: number } {
  const builder = new BatchBuilder(schema);
  let byLoop = 0;
  const takeText = (text: JsonText): number => {
    const taken = withLoop ? builder.appendJson(text) : 0;
    byLoop += taken;
    return taken;
  };
  const decoder = new RecordDecoder(format, { takeText, take: (value) => builder.appendRow(value) });
  let error: string | null = null;
  try {
    for (const piece of pieces) {
      decoder.push(piece);
      decoder.advance(() => false);
    }
    decoder.end();
    decoder.advance(() => false);
  } catch (thrown) {
    if (!(thrown instanceof EvertError)) throw thrown;
    error = [thrown.code, thrown.sqlstate, thrown.message, thrown.detail, thrown.hint].join(" | ");
  }
  const batch = builder.finish();
  const bytes = new Uint8Array(encodedSize(batch));
  encodeBatch(batch, bytes, 0);
  return { bytes: [...bytes], error, byLoop };
}

function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((c) => c % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.slice(at[i - 1] ?? 0, end));
}

function expectSame(schema: Schema, format: BodyFormat, pieces: readonly Uint8Array[]): number {
  const { byLoop, ...columns } = outcome(schema, format, pieces, true);
  const { byLoop: _, ...records } = outcome(schema, format, pieces, false);
  expect(columns).toEqual(records);
  return byLoop;
}

const encode = (body: string): Uint8Array => new TextEncoder().encode(body);

const forms = {
  integers: [
    "0",
    "-0",
    "7",
    "-1",
    "12",
    "32767",
    "32768",
    "-32768",
    "99999",
    "2147483647",
    "2147483648",
    "-2147483648",
  ],
  wide: [
    "4294967296",
    "-4294967297",
    "999999999999999",
    "9007199254740993",
    "-9223372036854775808",
    "9223372036854775808",
  ],
  decimals: [
    "0.5",
    "-0.0",
    "1.50",
    "0.10",
    "-12.345",
    "123456789.12",
    "99999999.995",
    "1e3",
    "1.5E-7",
    "1e400",
    "5e-324",
  ],
  digits: [
    "0.1234567890123456789",
    "123456789012345678901.5",
    `1${"0".repeat(60)}`,
    "0.000001",
    "1.0000000000000000",
  ],
  noNumbers: ["01", "1.", ".5", "-", "+1", "1e", "0x1", "NaN", "--1", "1 2", "-a"],
  words: ["null", "true", "false", "nul", "tru", "nulll", "True"],
  times: [
    '"2024-02-29T12:34:56Z"',
    '"2023-02-29T12:34:56Z"',
    '"2024-05-06 07:08:09.123456+00:00"',
    '"2024-05-06T07:08:09.1234567Z"',
    '"2024-05-06T07:08:09.Z"',
    '"2024-05-06T24:00:00Z"',
    '"2024-05-06T07:08:60Z"',
    '"2024-05-06T07:08:09+02:00"',
    '"2024-05-06T07:08:09"',
    '"2024-05-06T07:08"',
    '"1699-12-31T00:00:00Z"',
    '"2200-01-01T00:00:00Z"',
    '"infinity"',
    '"2024-05-06"',
    '"2024-13-06"',
    '"0001-01-01 BC"',
    '"07:08:09.5"',
  ],
  strings: [
    '""',
    '"a"',
    '"abcd"',
    '"ab  "',
    '"é"',
    '"€uro"',
    '"😀"',
    '"\\u00e9\\n\\t\\"\\\\\\/\\b\\f\\r"',
    '"\\ud83d\\ude00"',
    '"\\ud83d"',
    '"\\ude00x"',
    '"\\ud83d\\u0041"',
    '"\\u0000"',
    '"\\u00"',
    '"\\x"',
    '"a\tb"',
    '"NaN"',
    '"12"',
    '"on"',
    '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"',
    '"1 day"',
    `"${"long ".repeat(40)}"`,
  ],
  nested: [
    '{"a":[1,2.50,{"b":null}]}',
    "[]",
    "[1,[2]]",
    "[1,2]",
    "{}",
    '["a","b,]}"]',
    "[1,]",
    '{"a":1,"a":2}',
    "[{]}",
  ],
};

const columns: readonly (readonly [name: string, type: SqlType])[] = [
  ["i2", int2],
  ["i4", int4],
  ["i8", int8],
  ["f4", float4],
  ["f8", float8],
  ["small", { ...numeric, precision: 10, scale: 2 }],
  ["whole", { ...numeric, precision: 5, scale: 0 }],
  ["large", { ...numeric, precision: 30, scale: 3 }],
  ["any", numeric],
  ["ok", bool],
  ["t", text],
  ["v", { name: "varchar" }],
  ["v3", { name: "varchar", length: 3 }],
  ["c5", { name: "bpchar", length: 5 }],
  ["day", date],
  ["clock", time],
  ["at", timestamp],
  ["zoned", timestamptz],
  ["id", uuid],
  ["span", interval],
  ["doc", json],
  ["docb", jsonb],
  ["list", arrayOf(int4)],
  ["kind", enumOf("kind", ["a", "abcd", "on"])],
  ["a_name_of_more_than_sixteen_bytes", int4],
  ["größe", int4],
  ['say "hi"', int4],
];

const anyForm = fc.constantFrom(...Object.values(forms).flat());
const space = fc.constantFrom("", "", "", " ", "\t", " \r ");
const anyString = fc.string({ unit: "binary" }).map((s) => JSON.stringify(s));
const value = fc.oneof(
  { weight: 6, arbitrary: anyForm },
  { weight: 1, arbitrary: fc.integer().map(String) },
  { weight: 1, arbitrary: fc.double({ noDefaultInfinity: true, noNaN: true }).map(String) },
  { weight: 1, arbitrary: anyString },
  { weight: 1, arbitrary: fc.json() },
);

/** Values that a type takes, so that most bodies have records behind which others come. */
const fitting = new Map<string, fc.Arbitrary<string>>(
  columns.map(([name, type]) => {
    const schema = schemaOf([{ name: "x", type, nullable: true }]);
    const fits = Object.values(forms)
      .flat()
      .filter((form) => outcome(schema, "ndjson", [encode(`{"x":${form}}`)], false).error === null);
    return [name, fc.constantFrom(...fits)];
  }),
);

const pick = fc.subarray([...columns], { minLength: 1, maxLength: 6 });

const body = pick.chain((chosen) => {
  const schema = schemaOf(chosen.map(([name, type], i) => ({ name, type, nullable: i > 0 })));
  const member = ([name]: (typeof chosen)[number], bad: boolean) =>
    fc
      .tuple(space, space, space, bad ? fc.oneof(value, fitting.get(name)!) : fitting.get(name)!)
      .map(([a, b, d, v]) => `${a}${JSON.stringify(name)}${b}:${d}${v}${a}`);
  const record = fc
    .tuple(
      fc.boolean().chain((all) => (all ? fc.constant(chosen) : fc.shuffledSubarray(chosen))),
      fc.integer({ min: 0, max: 30 }),
    )
    .chain(([named, odd]) =>
      fc
        .tuple(...named.map((column, i) => member(column, odd === i)))
        .map((members) => `{${(odd === 29 ? [...members, members[0] ?? '"x":1'] : members).join(",")}}`),
    );
  return fc.record({
    schema: fc.constant(schema),
    records: fc.array(record, { maxLength: 12 }),
    format: fc.constantFrom<BodyFormat>("json", "ndjson"),
    gap: space,
    ended: fc.boolean(),
    cuts: fc.array(fc.nat(), { maxLength: 4 }),
  });
});

const textOf = ({
  records,
  format,
  gap,
  ended,
}: {
  records: string[];
  format: BodyFormat;
  gap: string;
  ended: boolean;
}) =>
  format === "json"
    ? `${gap}[${records.join(`${gap},`)}${gap}]${gap}`
    : records.join(`${gap}\n`) + (ended ? "\n" : "");

describe("a body taken into columns", () => {
  it("is what it is record by record", () => {
    fc.assert(
      fc.property(body, (made) => {
        expectSame(made.schema, made.format, cut(encode(textOf(made)), made.cuts));
      }),
      { numRuns: 400 },
    );
  });

  it("also with bytes changed, lost and doubled", () => {
    const letters = [
      ...encode('{}[],:"\\ \n\r\t0123456789-+.eEnulltruefalse'),
      0,
      0x1f,
      0x7f,
      0x80,
      0xbf,
      0xc3,
      0xed,
      0xf4,
      0xff,
    ];
    const change = fc.record({
      at: fc.nat(),
      byte: fc.constantFrom(...letters),
      how: fc.constantFrom("put", "insert", "cut", "double"),
    });
    fc.assert(
      fc.property(body, fc.array(change, { minLength: 1, maxLength: 3 }), (made, changes) => {
        let bytes = [...encode(textOf(made))];
        for (const { at, byte, how } of changes) {
          const i = at % (bytes.length + 1);
          if (how === "put") bytes[i] = byte;
          else if (how === "insert") bytes.splice(i, 0, byte);
          else if (how === "cut") bytes.splice(i, 1);
          else bytes = [...bytes.slice(0, i), ...bytes.slice(Math.floor(i / 2))];
        }
        expectSame(made.schema, made.format, cut(Uint8Array.from(bytes), made.cuts));
      }),
      { numRuns: 600 },
    );
  });

  it.each(columns)("every form of %s alone, and of what is not", (name, type) => {
    for (const nullable of [true, false]) {
      const schema = schemaOf([{ name, type, nullable }]);
      for (const form of Object.values(forms).flat()) {
        const record = `{${JSON.stringify(name)}:${form}}`;
        expectSame(schema, "ndjson", [encode(`${record}\n${record}`)]);
        expectSame(schema, "json", [encode(`[${record},${record}]`)]);
      }
    }
  });

  it("takes of UTF-8 what is UTF-8", () => {
    const schema = schemaOf([{ name: "t", type: text, nullable: false }]);
    const leads = [
      0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
      0xff,
    ];
    const seconds = [0x00, 0x22, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    const tails = [0x22, 0x41, 0x80, 0xbf, 0xc0].flatMap((third) => [[third], [third, 0x80], [third, 0x41]]);
    const [before, after] = [encode('{"t":"'), encode('"}')];
    for (const lead of leads) {
      for (const next of seconds) {
        for (const tail of [[], ...tails])
          expectSame(schema, "ndjson", [Uint8Array.from([...before, lead, next, ...tail, ...after])]);
      }
    }
  });

  it("takes usual records in the loop, all of them, wherever the body is cut", () => {
    const schema = schemaOf(
      [
        ["id", int8],
        ["at", timestamptz],
        ["n", int4],
        ["kind", text],
        ["price", { ...numeric, precision: 10, scale: 2 }],
        ["x", float8],
        ["ok", bool],
        ["day", date],
      ].map(([name, type]) => ({ name: name as string, type: type as SqlType, nullable: false })),
    );
    const line = (i: number): string =>
      `{"id":${i},"at":"2026-01-01T00:00:00.${String(i % 1000).padStart(3, "0")}Z","n":-${i},"kind":"é \\" ${i}","price":${i}.5,"x":${i}.25,"ok":${i % 2 === 0},"day":"2026-01-01"}`;
    const lines = Array.from({ length: 2000 }, (_, i) => line(i));
    for (const [format, whole] of [
      ["ndjson", lines.join("\n")],
      ["json", `[${lines.join(",")}]`],
    ] as const) {
      const bytes = encode(whole);
      expect(expectSame(schema, format, [bytes])).toBe(2000);
      const pieces = Array.from({ length: Math.ceil(bytes.length / 777) }, (_, i) =>
        bytes.subarray(i * 777, (i + 1) * 777),
      );
      expect(expectSame(schema, format, pieces)).toBe(2000);
    }
  });

  it("goes on in the loop behind records it does not take", () => {
    const schema = schemaOf([{ name: "n", type: int4, nullable: false }]);
    const odd = '{"n":1, "n":2}';
    const usual = '{"n":3}';
    const body = [...Array(100).fill(odd), ...Array(500).fill(usual), odd, ...Array(500).fill(usual)].join(
      "\n",
    );
    expect(expectSame(schema, "ndjson", [encode(body)])).toBeGreaterThan(900);
  });

  it("takes a record longer than any buffer, in small pieces", () => {
    const schema = schemaOf([
      { name: "n", type: int4, nullable: false },
      { name: "t", type: text, nullable: false },
    ]);
    const long = `{"n":1,"t":"${"0123456789é".repeat(100_000)}"}`;
    const bytes = encode(`[${long},{"n":2,"t":"x"},${long}]`);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 9_999) }, (_, i) =>
      bytes.subarray(i * 9_999, (i + 1) * 9_999),
    );
    expectSame(schema, "json", pieces);
  });

  it("of a schema for which there is no loop", () => {
    const schema = schemaOf([{ name: "constructor", type: int4, nullable: true }]);
    expect(expectSame(schema, "json", [encode('[{"constructor":1},{}]')])).toBe(0);
  });

  it("with more columns than fit in one word", () => {
    const schema = schemaOf(
      Array.from({ length: 70 }, (_, i) => ({ name: `c${i}`, type: int4, nullable: i !== 65 })),
    );
    const record = (left: number): string =>
      `{${Array.from({ length: 70 }, (_, i) => i)
        .filter((i) => i !== left)
        .map((i) => `"c${i}":${i}`)
        .join(",")}}`;
    expect(expectSame(schema, "ndjson", [encode([-1, 3, 31, 69, -1].map(record).join("\n"))])).toBe(5);
    expect(expectSame(schema, "ndjson", [encode([-1, 65].map(record).join("\n"))])).toBe(1);
  });
});
