/** Every text form against PostgreSQL itself (PGlite). One query per type, all values in one array. */
import { PGlite } from "@electric-sql/pglite";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import {
  formatBool,
  formatFloat8,
  formatFloat8Json,
  formatTimestamptz,
  formatTimestamptzJson,
  parseBool,
  parseFloat8,
  parseInt4,
  parseInt8,
  parseNumeric,
  parseTimestamptz,
} from "../../src/batch/format.ts";
import { parseJsonb } from "../../src/batch/jsonb.ts";

let postgres: PGlite;

beforeAll(async () => {
  postgres = await PGlite.create();
  await postgres.exec(`
    set timezone = 'UTC';
    create function try_cast(input text, cast_to text, out r text, out j text, out s text, out m text, out d text)
    language plpgsql as $$
    begin
      execute format('select v::text, to_jsonb(v)::text from (select $1::%s as v) x', cast_to) into r, j using input;
    exception when others then
      get stacked diagnostics s = returned_sqlstate, m = message_text, d = pg_exception_detail;
    end $$;
  `);
});

afterAll(async () => {
  await postgres.close();
});

interface Verdict {
  readonly result: string | null;
  readonly json: string | null;
  readonly state: string | null;
  readonly message: string | null;
  readonly detail: string | null;
}

async function verdicts(type: string, inputs: readonly string[]): Promise<Verdict[]> {
  const { rows } = await postgres.query<Verdict>(
    `select r as result, j as json, s as state, m as message, d as detail
     from unnest($1::text[]) with ordinality as u(v, n), lateral try_cast(u.v, $2) order by n`,
    [inputs, type],
  );
  return rows;
}

/** Ours in the form of theirs. */
function attempt(input: string, cast: (input: string) => { result: string; json: string }): Verdict {
  try {
    return { ...cast(input), state: null, message: null, detail: null };
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
    return {
      result: null,
      json: null,
      state: error.sqlstate,
      message: error.message,
      detail: error.detail ?? "",
    };
  }
}

async function expectSame(
  type: string,
  inputs: readonly string[],
  cast: (input: string) => { result: string; json: string },
): Promise<void> {
  const theirs = await verdicts(type, inputs);
  const ours = inputs.map((input) => attempt(input, cast));
  const pairs = inputs.map((input, i) => ({ input, ...ours[i] }));
  expect(pairs).toEqual(inputs.map((input, i) => ({ input, ...theirs[i] })));
}

describe("float8", () => {
  const cast = (input: string) => {
    const x = parseFloat8(input);
    return { result: formatFloat8(x), json: formatFloat8Json(x) };
  };

  it("reads and prints the edges", async () => {
    await expectSame(
      "float8",
      [
        ..."0 -0 1 -1 0.1 1e15 1e14 999999999999999 1234567890123456 123456789012345 0.0001 0.00001 1e20 1e21 1e22 1e23 -1e23 9e22".split(
          " ",
        ),
        ..."5e-324 2.2250738585072014e-308 1.7976931348623157e308 4.9e-324 1e400 -1e400 1e-400 2e-324 0e-400 .5 5. +5 1.e5".split(
          " ",
        ),
        ..."NaN nan -nan Infinity inf -inf +Infinity -iNf abc 1e . e5 1_000 1.2.3 --1 9007199254740993 36028797018963970 9.5e-5 1.5e-7".split(
          " ",
        ),
        "",
        " 1.5 ",
        "\t1\n",
        "1 2",
      ],
      cast,
    );
  });

  it("prints random doubles, also those next to halfway decimals", async () => {
    const random = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), 1500);
    const integral = fc.sample(
      fc
        .tuple(fc.integer({ min: 1, max: 99_999 }), fc.integer({ min: 12, max: 40 }))
        .map(([m, e]) => Number(`${m}e${e}`)),
      2000,
    );
    const powers = Array.from({ length: 2000 }, (_, e) => 2 ** (e - 1000));
    const quarters = fc.sample(
      fc.integer({ min: 2 ** 50, max: 2 ** 51 }).map((m) => m + 0.25),
      200,
    );
    // toExponential(20) is exact enough that both sides read the same double
    await expectSame(
      "float8",
      [...random, ...integral, ...powers, ...quarters].map((x) => x.toExponential(20)),
      cast,
    );
  });
});

describe("int4, int8, bool", () => {
  const integers = [
    ..."0 -0 +5 7 -7 007 2147483647 2147483648 -2147483648 -2147483649 9223372036854775807 9223372036854775808".split(
      " ",
    ),
    ..."-9223372036854775808 -9223372036854775809 99999999999999999999x 9999999999 1_000 1__0 _1 1_ 1_000_ 00_1 0x1F 0X1f 0x 0x_1 0x1_F 0xG".split(
      " ",
    ),
    ..."0o17 0o8 0b101 0b_101 0b2 -0x80000000 0x80000000 -0x1F 0x7FFFFFFFFFFFFFFF 0x8000000000000000 1.0 1e3 abc - + -- 12a".split(
      " ",
    ),
    "",
    " ",
    " 42 ",
    "\n42\t",
    "4 2",
    "- 1",
    "999999999999999",
    "-1000000000000000",
    "\u00a042",
  ];

  it("reads int4", async () => {
    await expectSame("int4", integers, (input) => ({
      result: String(parseInt4(input)),
      json: String(parseInt4(input)),
    }));
  });

  it("reads int8", async () => {
    await expectSame("int8", integers, (input) => ({
      result: String(parseInt8(input)),
      json: String(parseInt8(input)),
    }));
  });

  it("reads bool", async () => {
    const words = [
      ..."t tr tru true truex f fa false y ye yes yess n no nope on o of off offf 0 1 01 2 TRUE False ON".split(
        " ",
      ),
      "",
      " t ",
      " ",
      "\tno\n",
    ];
    await expectSame("bool", words, (input) => {
      const value = parseBool(input);
      return { result: value ? "true" : "false", json: String(value) }; // the cast to text; the output function says t and f
    });
    expect([formatBool(true), formatBool(false)]).toEqual(["t", "f"]);
  });
});

describe("numeric", () => {
  const quote = (text: string) => (/^-?\d/.test(text) ? text : `"${text}"`);
  const inputs = [
    ..."0 -0 -0.00 007.10 1 -1 .5 5. +1 1e3 1.50e1 1e-5 0.0e-5 1.5e3 123.456 999.995 -0.005 -0.004 0.9995 5 2.5 -2.5 1e131071".split(
      " ",
    ),
    ..."1e131072 1e-16383 1e-16384 0e-16384 0e400000 1e2147483647 1e99999999999 9e999999 NaN nan -NaN +NaN inf -inf +Infinity Infinity".split(
      " ",
    ),
    ..."0x1F 0X1f -0x1F 0x 0x1.5 0b11 0o17 0x_1 1_000.5_0 1__0 _1 1_ 1e5_0 1_e5 1._5 1_.5 1e_5 1e . abc 1.2.3 00_1 12345678901234567890.123".split(
      " ",
    ),
    "",
    " 1.5 ",
    "1 2",
    "+ 1",
    "1e1000000000",
    "-1e-1000000000",
  ];
  const cast = (type: Parameters<typeof parseNumeric>[1]) => (input: string) => {
    const value = parseNumeric(input, type);
    return { result: value, json: quote(value) };
  };

  it("reads it unconstrained", async () => {
    await expectSame("numeric", inputs, cast(undefined));
  });

  it("rounds to precision and scale", async () => {
    for (const [precision, scale] of [
      [5, 2],
      [3, 0],
      [3, 3],
      [18, 4],
      [30, 10],
    ] as const) {
      await expectSame(`numeric(${precision},${scale})`, inputs, cast({ name: "numeric", precision, scale }));
    }
  });

  it("reads random decimals", async () => {
    const random = fc.sample(fc.stringMatching(/^-?[0-9]{0,20}\.?[0-9]{0,20}(e[+-]?[0-9]{1,2})?$/), 1000);
    await expectSame("numeric", random, cast(undefined));
    await expectSame("numeric(12,3)", random, cast({ name: "numeric", precision: 12, scale: 3 }));
  });
});

describe("timestamptz", () => {
  const cast = (input: string) => {
    const us = parseTimestamptz(input);
    return { result: formatTimestamptz(us), json: `"${formatTimestamptzJson(us)}"` };
  };

  const inputs = [
    "2024-05-06T07:08:09.123Z",
    "2024-05-06 07:08:09.1234565",
    "2024-05-06 07:08:09.1234575Z",
    "2024-05-06T07:08:09.123456789012345678Z",
    "2024-05-06 07:08:09.9999995",
    "2024-05-06 23:59:59.9999999",
    "2024-05-06T07:08:09.Z",
    "2024-05-06",
    "2024-05-06Z",
    "2024-05-06+02",
    "2024-05-06 +02",
    "2024-05-06 -02",
    "2024-05-06 UTC",
    " 2024-05-06 ",
    "20240506",
    "20240506T070809",
    "20240506 070809.5Z",
    "2024-5-6 7:8:9",
    "2024-05-06 07:8:9",
    "2024-05-06 07:08",
    "2024-05-06 07:08+02",
    "2024-05-06 07:08:09 +02",
    "2024-05-06 07:08:09+2",
    "2024-05-06 07:08:09+2:3",
    "2024-05-06 07:08:09+02:30",
    "2024-05-06 07:08:09+0230",
    "2024-05-06 07:08:09+230",
    "2024-05-06 07:08:09-02:30:15",
    "2024-05-06 07:08:09+15:59:59",
    "2024-05-06 07:08:09-00:00",
    "2024-05-06 07:08:09 UTC",
    "2024-05-06 07:08:09UTC",
    "2024-05-06 07:08:09 gmt",
    "2024-05-06 07:08:09 z",
    "2024-05-06 07:08:09Z ",
    "2024-05-06t07:08:09z",
    "2024-05-06  07:08:09",
    "2024-05-06 T07:08:09",
    "2024-05-06 24:00:00",
    "2024-05-06 24:00",
    "2024-05-06 23:59:60",
    "2024-05-06 07:08:09 ad",
    "infinity",
    "-infinity",
    "+infinity",
    "Infinity",
    "epoch",
    "0044-03-15 BC",
    "0044-03-15 00:00:00+00 BC",
    "0044-03-15T00:00:00+00:00 BC",
    "2024-05-06 07:08:09.5Z BC",
    "0001-12-31 23:59:59 BC",
    "4714-11-24 BC",
    "4713-01-01 BC",
    "0001-01-01",
    "999-01-01",
    "12345-01-01",
    "012345-01-01",
    "294246-12-31 23:59:59.999999Z",
    "2000-02-29",
    "1900-02-28T23:59:59.000001Z",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "2024-05-06T07:08:09+00:00",
    "2024-05-06 07:08:09+00",
  ];

  it("reads ISO 8601 and prints it", async () => {
    await expectSame("timestamptz", inputs, cast);
  });

  it("refuses what PostgreSQL refuses, for the same reason", async () => {
    await expectSame(
      "timestamptz",
      [
        "4714-11-23 BC",
        "0000-01-01",
        "2023-02-29",
        "1900-02-29T00:00:00Z",
        "2024-13-01",
        "2024-00-01",
        "2024-01-32",
        "2024-01-00",
        "2024-05-06 24:00:01",
        "2024-05-06 23:59:60.5",
        "2024-05-06 23:60:00",
        "2024-05-06T23:59:61Z",
        "2024-05-06 25:00",
        "2024-05-06 07:08:09+16",
        "2024-05-06 07:08:09+15:60",
        "2024-05-06 07:08:09-023015",
        "2024-05-06 07",
        "2024-05-06T07",
        "2024-05-06T07:08:09,5Z",
        "2024-05-06 07:08:09+",
        "2024-05-06 07:08:09.1.2",
        "100000000-01-01",
        "294277-01-01",
        "inf",
        "",
        "now1",
        "abc",
      ],
      cast,
    );
  });

  it("agrees on random instants over the whole range", async () => {
    const random = fc.sample(
      fc.bigInt({ min: -210_866_803_200_000_000n, max: 9_223_371_331_199_999_999n }),
      1500,
    );
    const near = fc.sample(fc.integer({ min: -8_000_000_000_000_000, max: 8_000_000_000_000_000 }), 500);
    await expectSame(
      "timestamptz",
      [...random, ...near].map((us) => formatTimestamptz(us)),
      cast,
    );
  });
});

describe("jsonb", () => {
  const inputs = [
    '{"bb":1,"a":2,"a":3,"é":4,"zzz":5}',
    '{"b":1,"aa":2,"ab":3,"":0}',
    '{"\\ud83d\\ude00":1,"\\uffee\\u0041":2, "abcd":3}',
    "-0",
    "-0.0",
    "1e2",
    "1.50",
    "1e-7",
    "1E400",
    "12345678901234567890",
    "-9007199254740993",
    "0.12345678901234567890",
    '[1,2.0,{"x":null}]',
    "{}",
    "[]",
    '"\\u001f\\u007f\\/é\\ud83d\\ude00\\b\\f\\n\\r\\t\\"\\\\"',
    "true",
    "null",
    ' { "a" : [ ] } ',
    '{"__proto__":1,"constructor":2}',
  ];

  it("has PostgreSQL's canonical text", async () => {
    await expectSame("jsonb", inputs, (input) => ({ result: parseJsonb(input), json: parseJsonb(input) }));
  });

  it("orders keys and escapes strings as PostgreSQL does, for any value", async () => {
    const values = fc
      .sample(fc.jsonValue({ maxDepth: 3, stringUnit: "binary" }), 400)
      .map((value) => JSON.stringify(value))
      .filter((json) => !/\\u0000|\\ud[89a-f]/.test(json));
    const theirs = await verdicts("jsonb", values);
    // Not JSON.parse: a double does not remember with which digits it was written.
    expect(values.map(parseJsonb)).toEqual(theirs.map((verdict) => verdict.result));
  });

  it("refuses what jsonb cannot hold", async () => {
    const refused = ['"\\u0000"', '"\\ud83d"', "[1, ]", "", "nul", "'a'"];
    const theirs = await verdicts("jsonb", refused);
    for (const [i, input] of refused.entries()) {
      expect(() => parseJsonb(input), input).toThrow(EvertError);
      expect(theirs[i]?.result).toBeNull();
    }
  });
});
