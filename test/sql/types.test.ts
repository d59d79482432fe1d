/**
 * Every type beside PostgreSQL: what its input function reads and refuses, its output, the casts between all types, the operators between all
 * types, arithmetic of dates, times and intervals, and the order of its values.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { valueToJson } from "../../src/batch/json.ts";
import { parseJsonb } from "../../src/batch/jsonb.ts";
import { compareKeys, orderKeyOf } from "../../src/batch/order-key.ts";
import { datumToText } from "../../src/batch/text-form.ts";
import { arrayOf, baseTypes, type SqlType, type TypeName, typeToString } from "../../src/batch/types.ts";
import { loadParser } from "../../src/sql/statement.ts";
import { anyValue } from "../batch/arbitraries.ts";
import { catalogOf, type TestCatalog } from "./catalog.ts";
import { differences, openTypeJudge, quoted, type TypeJudge } from "./type-judge.ts";

const setup = "create type mood as enum ('sad', 'ok', 'very happy'); create type hue as enum ('red', 'ok')";

let judge: TypeJudge;
let catalog: TestCatalog;

beforeAll(async () => {
  await loadParser();
  judge = await openTypeJudge(setup);
  catalog = catalogOf(setup);
});

afterAll(() => judge.lite.close());

const written: Readonly<Partial<Record<TypeName | "int4[]" | "text[]" | "numeric[]", readonly string[]>>> = {
  int2: [
    "0",
    "-32768",
    "32767",
    "32768",
    "-32769",
    " 12 ",
    "1_000",
    "0x10",
    "1.5",
    "",
    "a",
    "99999999999999999999",
  ],
  float4: [
    ..."0 -0 1 0.1 1e6 123456 1234567 1e-4 1e-5 16777217 33554434 3.4028235e38 3.5e38 1e-45 1e-46 nan inf -infinity x".split(
      " ",
    ),
    "",
    " 1 ",
  ],
  bool: ["t", "f", "yes", "x", ""],
  varchar: ["", "a ", "é"],
  bpchar: ["", "a  ", "é"],
  bytea: [
    "",
    "abc",
    "\\x",
    "\\x00FF",
    "\\x0 ",
    "\\x00 ff",
    "\\xzz",
    "\\x0",
    "a\\\\b",
    "\\001\\377",
    "\\400",
    "a\\",
    "é",
  ],
  uuid: [
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
    "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "a0-eebc999c0b4ef8bb6d6bb9bd380a11",
    "",
    "x",
  ],
  date: [
    ..."2024-01-01 2024-02-29 2023-02-29 2024-13-01 0001-01-01 0000-01-01 4714-11-24BC 99999-12-31 5874897-12-31 5874898-01-01 infinity -infinity epoch 20240102 x".split(
      " ",
    ),
    "4714-11-24 BC",
    "4713-01-01 BC",
    "4714-11-23 BC",
    "2024-01-01 10:20:30",
    "2024-01-01 AD",
    "",
  ],
  time: [
    ..."00:00 24:00 24:00:00.000001 25:00 12:34:56.789 12:34:56.1234567 23:59:60 23:59:61 12:60 040506 0405 12 x".split(
      " ",
    ),
    "04:05 PM",
    "12:05 AM",
    "13:05 PM",
    "2024-01-01 10:20:30",
    "04:05:06-08:00",
    "04:05:06 Z",
    "",
  ],
  timestamp: [
    ..."2024-01-01 2024-01-01T10:20:30 2024-01-01T10:20:30.123456789 2024-01-01T24:00 infinity -infinity epoch 2024-02-30 x".split(
      " ",
    ),
    "2024-01-01 10:20:30+05",
    "4713-01-01 10:00 BC",
    "0044-03-15 BC",
    "294246-12-31 23:59:59.999999",
    "294278-01-01",
    "4714-11-23 BC",
    "",
  ],
  interval: [
    ..."1day 1:02 1:02:03 -1:02:03 1:02:03.4567 1-2 -1-2 P1Y2M3DT4H5M6S P1W PT1.5S P0001-02-03T04:05:06 P PT infinity -infinity 1 1.5 100:00:00 x 1x".split(
      " ",
    ),
    "1 year 2 mons 3 days 04:05:06",
    "1 year ago",
    "@ 1 minute",
    "1 mon -1 day +01:00",
    "-1 mon 1 day -01:00:00.5",
    "1.5 years",
    "1.5 months",
    "1.5 weeks",
    "1.5 days",
    "0.1 mon",
    "1 decade 1 century 1 millennium",
    "1 day 1 day",
    "1 s 1 ms 1 us",
    "3 4:05:06",
    "1 2",
    "2147483647 mons",
    "2147483648 mons",
    "178956970 years 7 mons",
    "178956971 years",
    "2147483648 days",
    "9223372036854.775807 s",
    "9223372036855 s",
    "1:60",
    "1:02:60",
    "",
  ],
  json: [
    '{"a": 1}',
    ' {"b":1, "a":[1,2.50]} ',
    "1e5",
    '"a\\u0000"',
    '"\\ud800"',
    "{",
    "",
    "nul",
    "[1,]",
    "'a'",
  ],
  jsonb: [
    '{"b":1,"a":2,"a":3}',
    "[1.50, 1e3, -0]",
    '"a\\u0000"',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    "{",
    "",
    "1e-3",
  ],
  "int4[]": [
    "{}",
    "{1,2}",
    "{1,NULL}",
    "{{1,2},{3,4}}",
    "{{1,2},{3}}",
    "[0:1]={1,2}",
    "[2:3][1:1]={{1},{2}}",
    "{1,,2}",
    "{1",
    "1}",
    "{1}}",
    " { 1 , 2 } ",
    "{{},{}}",
    "[1:2]={1}",
    "{a}",
    '{"1"}',
    "{1,{2}}",
    "{{1},2}",
    "[2:1]={}",
    "{{{{{{{1}}}}}}}",
    "{1,}",
    "",
  ],
  "text[]": [
    '{a,"b c",NULL,"NULL","",\\,}',
    '{"a\\"b","a\\\\b"}',
    "{ a b , c}",
    '{a"b}',
    '{"a" b}',
    "{null,Null}",
    '{"a"',
    "{a{b}",
  ],
  "numeric[]": ["{1.50,NaN}", "{x}"],
};

describe("text forms", () => {
  for (const [type, texts] of Object.entries(written)) {
    it(`of ${type} are read, printed and refused alike`, async () => {
      const asked = texts.map((t) => `${quoted(t)}::${type}`);
      expect(await differences(judge, asked, true)).toEqual([]);
    });
  }

  it("of random values come back as they were", async () => {
    for (const type of [
      ...baseTypes,
      ...["text", "float8", "interval", "bpchar", "float4"].map((n) => arrayOf({ name: n as TypeName })),
    ]) {
      const values = fc.sample(anyValue(type), { numRuns: 60, seed: 7 });
      const asked = values.map((v) => `${quoted(datumToText(type, v))}::${typeToString(type)}`);
      expect(await differences(judge, asked)).toEqual([]);
    }
  });

  it("in JSON are those of to_jsonb", async () => {
    for (const type of [
      ...baseTypes.filter((t) => t.name !== "json"),
      arrayOf({ name: "timestamp" }),
      arrayOf({ name: "text" }),
    ]) {
      const values = fc.sample(anyValue(type), { numRuns: 60, seed: 5 });
      const { rows } = await judge.lite.query<{ j: string }>(
        `select to_jsonb(t::${typeToString(type)})::text as j from unnest($1::text[]) t`,
        [values.map((v) => datumToText(type, v))],
      );
      expect(values.map((v) => parseJsonb(valueToJson(type, v)))).toEqual(rows.map((r) => r.j));
    }
  });

  it("of texts are cut, padded or too long as char(n) and varchar(n) say", async () => {
    const texts = ["", "a", "abc", "abc  ", "abcd", "日本語文"];
    const types = ["char(3)", "varchar(3)", "char", "bpchar", "varchar"];
    const asked = types.flatMap((type) => [
      ...texts.map((t) => `${quoted(t)}::${type}`),
      ...texts.map((t) => `${quoted(t)}::text::${type}`),
      ...texts.map((t) => `${quoted(t)}::${type} || '|'`),
      ...texts.map((t) => `array[${quoted(t)}]::${type}[]`),
      `12345::${type}`,
      `true::${type}`,
    ]);
    expect(await differences(judge, asked)).toEqual([]);
  });

  it("with a type before them", async () => {
    const asked = [
      "date '2024-01-01'",
      "timestamp '2024-01-01 10:00'",
      "interval '1' year",
      "interval '1 2' day to hour",
      "interval '1:30' hour to minute",
      "interval '1:30' minute to second",
      "interval '1' second",
      "interval '1-3' year to month",
      "interval '1 year 2 mons 3 days 04:05:06' month",
      "interval '1 day 04:05:06.7' day to minute",
      "interval '1 day 04:05:06.7' day",
      "interval '12' month",
      "uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
      "time '12:00'",
      "int2 '5'",
      "bytea '\\x01'",
      "jsonb '{}'",
      "char(3) 'abcd'",
      "real '1.5'",
    ];
    expect(await differences(judge, asked, true)).toEqual([]);
  });

  it("of ARRAY[...]", async () => {
    const asked = [
      "array[1, 2.5, null]",
      "array['a', 'b c', null, '']",
      "array[[1, 2], [3, 4]]",
      "array[array[1, 2], array[3, null]]",
      "array[[1], [2, 3]]",
      "array[]",
      "array[]::int[]",
      "array[[], []]::int[]",
      "array['1', '2']::int[]",
      "array['1', 'x']::int[]",
      "array[1, 'x']",
      "array[1, true]",
      "array[date '2024-01-01', timestamp '2024-01-01 10:00']",
      "array[array[1], null]",
      "array['{1,2}'::int[], '[0:1]={1,2}']",
      "array[1, 2]::text[] = array['1', '2']",
      "array[1.50, 2] = array[1.5, 2.0]",
      "array[interval '1 mon'] = array[interval '30 days']",
      "array[1, null] < array[1, 2]",
      "array[1] is distinct from null",
      "array[array[array[array[array[array[array[1]]]]]]]",
    ];
    expect(await differences(judge, asked, true)).toEqual([]);
  });

  it("of rows compared", async () => {
    const values = ["1", "2", "null::int"];
    const rows = values.flatMap((a) => values.map((b) => `(${a}, ${b})`));
    const asked = ["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"].flatMap(
      (op) => rows.flatMap((a) => rows.map((b) => `${a} ${op} ${b}`)),
    );
    asked.push(
      "(1, 2) = (1, 2, 3)",
      "(1, 'a') < (1, 'b')",
      "(1, 2) in ((1, 2), (3, 4))",
      "(1, 2) not in ((1, 3), (null, 2))",
    );
    asked.push(
      ...rows.flatMap((r) => [`${r} is null`, `${r} is not null`]),
      "(1, 2) + (3, 4)",
      "(1, true) < (1, 2)",
    );
    expect(await differences(judge, asked)).toEqual([]);
  });
});

/** A few values of each type, each a cast literal. */
const samples: Readonly<Record<string, readonly string[]>> = {
  int2: ["0", "7", "-32768"],
  int4: ["0", "70000", "-1"],
  int8: ["0", "3000000000", "16777217", "9223372036854775807"],
  float4: ["0.5", "1.5", "1e30", "NaN", "0.1"],
  float8: ["2.5", "1e300", "-Infinity", "0.1", "1e-300"],
  numeric: ["0.5", "12345.678", "NaN"],
  bool: ["t", "f"],
  text: ["", "1", "a", "2024-01-01", "{1}", "t"],
  varchar: ["1", "1.5 ", "x"],
  bpchar: ["1  ", "true", "x "],
  bytea: ["\\x01", "\\x0102030405"],
  uuid: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  date: ["2024-01-31", "infinity", "5874897-12-31", "4714-11-24 BC"],
  time: ["12:34:56.789", "24:00"],
  timestamp: ["2024-01-31 12:34:56", "infinity"],
  timestamptz: ["2024-01-31 12:34:56+00", "-infinity"],
  interval: ["1 mon 2 days 03:04:05", "-25:00", "infinity"],
  json: ["1", '{"a":  1}', "[1]", "null"],
  jsonb: ["1", "1.5", "true", "null", '"a"', "[1]", "{}", "100000"],
  "int4[]": ["{1,2}", "{{1},{2}}", "{}"],
  "int8[]": ["{3000000000}", "{NULL}"],
  "text[]": ['{a,"b c"}', "{1}"],
  "timestamp[]": ['{"2024-01-01 10:00:00"}'],
};
const names = Object.keys(samples);

describe("casts", () => {
  for (const from of names) {
    it(`of ${from} to every type give PostgreSQL's value or SQLSTATE`, async () => {
      const asked = names.flatMap((to) => samples[from]!.map((v) => `(${quoted(v)}::${from})::${to}`));
      // PostgreSQL reads past the braces of '{1}' as an interval.
      const wrong = (await differences(judge, asked, true)).filter(
        (d) => !d.startsWith("('{1}'::text)::interval"),
      );
      expect(wrong).toEqual([]);
    });
  }
});

describe("operators", () => {
  for (const op of ["=", "<", ">=", "+", "-", "*", "/", "%", "is distinct from"]) {
    it(`${op} between every two types`, async () => {
      const asked = names.flatMap((a) =>
        names.map((b) => `(${quoted(samples[a]![0]!)}::${a}) ${op} (${quoted(samples[b]!.at(-1)!)}::${b})`),
      );
      expect(await differences(judge, asked)).toEqual([]);
    });

    it(`${op} beside a literal`, async () => {
      const asked = names.flatMap((a) => [
        `(${quoted(samples[a]![0]!)}::${a}) ${op} ${quoted(samples[a]![0]!)}`,
        `${quoted(samples[a]![0]!)} ${op} (${quoted(samples[a]![0]!)}::${a})`,
        `(${quoted(samples[a]![0]!)}::${a}) ${op} '1 day'`,
        `(${quoted(samples[a]![0]!)}::${a}) ${op} null`,
      ]);
      expect(await differences(judge, asked)).toEqual([]);
    });
  }

  it("before one value", async () => {
    const asked = names.flatMap((a) =>
      ["-", "+", "@"].flatMap((op) => samples[a]!.map((v) => `${op} (${quoted(v)}::${a})`)),
    );
    expect(await differences(judge, asked)).toEqual([]);
  });

  it("greatest, least, coalesce, case and nullif over every two types", async () => {
    const asked = names.flatMap((a) =>
      names.flatMap((b) => {
        const [x, y] = [`${quoted(samples[a]![0]!)}::${a}`, `${quoted(samples[b]!.at(-1)!)}::${b}`];
        return [`greatest(${x}, ${y})`, `least(${x}, ${y})`, `coalesce(${x}, ${y})`, `nullif(${x}, ${y})`];
      }),
    );
    expect(await differences(judge, asked)).toEqual([]);
  });
});

describe("enums", () => {
  it("are read, printed, compared, ordered and cast as PostgreSQL does", async () => {
    const labels = ["sad", "ok", "very happy", "SAD", "", " ok"];
    const asked = [
      ...labels.map((l) => `${quoted(l)}::mood`),
      ...labels.map((l) => `${quoted(l)}::text::mood`),
      ...["sad", "ok"].flatMap((a) =>
        ["=", "<", ">=", "<>", "is distinct from"].flatMap((op) =>
          ["ok", "very happy"].flatMap((b) => [
            `${quoted(a)}::mood ${op} ${quoted(b)}::mood`,
            `${quoted(a)}::mood ${op} ${quoted(b)}`,
            `${quoted(a)}::mood ${op} ${quoted(b)}::text`,
            `${quoted(a)}::mood ${op} ${quoted(b)}::hue`,
          ]),
        ),
      ),
      "'sad'::mood = 'blue'",
      "'ok'::mood::hue",
      "'ok'::mood::text::hue",
      "'ok'::mood::int",
      "1::mood",
      "'ok'::mood || '!'",
      "'ok'::mood::varchar(1)",
      "greatest('sad', 'very happy'::mood, 'ok')",
      "coalesce(null, 'ok'::mood)",
      "coalesce('ok'::mood, 'ok'::hue)",
      "case when true then 'ok'::mood else 'sad' end",
      "nullif('ok'::mood, 'ok')",
      `'{sad,"very happy",NULL}'::mood[]`,
      "'{sad,blue}'::mood[]",
      "array['very happy'::mood, 'sad'] < array['very happy'::mood, 'ok']",
      "array['sad'::mood] = array['sad'::hue]",
      "array['sad', 'ok']::mood[]::text[]",
      "array['sad', 'ok']::text[]::mood[]",
      "'ok'::public.mood",
      "'ok'::pg_catalog.mood",
      "'ok'::moods",
    ];
    expect(await differences(judge, asked, true, catalog)).toEqual([]);
  });
});

describe("arithmetic", () => {
  const typed = (name: TypeName) =>
    anyValue({ name }).map((v) => `${quoted(datumToText({ name }, v))}::${name}`);
  const pairs: readonly [TypeName, string, TypeName][] = [
    ["date", "+", "interval"],
    ["date", "-", "interval"],
    ["date", "-", "date"],
    ["date", "+", "time"],
    ["date", "+", "int4"],
    ["date", "-", "int4"],
    ["timestamp", "+", "interval"],
    ["timestamp", "-", "interval"],
    ["timestamp", "-", "timestamp"],
    ["timestamptz", "+", "interval"],
    ["interval", "+", "timestamptz"],
    ["timestamptz", "-", "timestamptz"],
    ["time", "+", "interval"],
    ["time", "-", "interval"],
    ["time", "-", "time"],
    ["interval", "+", "interval"],
    ["interval", "-", "interval"],
    ["interval", "*", "float8"],
    ["interval", "/", "float8"],
    ["int2", "+", "int2"],
    ["int2", "*", "int2"],
    ["int2", "/", "int2"],
    ["int2", "%", "int2"],
    ["float4", "+", "float4"],
    ["float4", "-", "float4"],
    ["float4", "*", "float4"],
    ["float4", "/", "float4"],
    ["float4", "+", "float8"],
  ];
  it.each(pairs)("%s %s %s", async (a, op, b) => {
    const asked = fc.sample(
      fc.tuple(typed(a), typed(b)).map(([x, y]) => `${x} ${op} ${y}`),
      { numRuns: 150, seed: 11 },
    );
    const wrong = (await differences(judge, asked, true)).filter((d) => !beyondOurs(d));
    expect(wrong).toEqual([]);
  });
});

/** PostgreSQL's timestamps go on for thirty years where int64 counted from 1970 ends (docs/TYPES.md). */
function beyondOurs(difference: string): boolean {
  return /ours error 22008, PostgreSQL is 294(24[7-9]|2[5-7]\d)-/.test(difference);
}

describe("order", () => {
  const types: SqlType[] = [
    ...baseTypes.filter((t) => t.name !== "json"),
    ...(["numeric", "text", "float8", "interval", "jsonb", "bpchar", "int2", "bool"] as const).map((name) =>
      arrayOf({ name }),
    ),
  ];
  it.each(types.map((t) => [typeToString(t), t] as const))("of %s is PostgreSQL's", async (name, type) => {
    const key = orderKeyOf(type);
    if (key === null) return;
    const texts = fc.sample(anyValue(type), { numRuns: 120, seed: 3 }).map((v) => datumToText(type, v));
    const { rows } = await judge.lite.query<{ v: string; r: number }>(
      `select t as v, dense_rank() over (order by t::${name}) ::int as r from unnest($1::text[]) t`,
      [texts],
    );
    const wrong = rows.flatMap((a) =>
      rows.flatMap((b) => {
        const mine = Math.sign(compareKeys(key.of(stored(type, a.v)), key.of(stored(type, b.v))));
        return mine === Math.sign(a.r - b.r)
          ? []
          : [`${a.v} and ${b.v}: ours ${mine}, PostgreSQL ${a.r - b.r}`];
      }),
    );
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});

function stored(_type: SqlType, text: string): string {
  return text;
}
