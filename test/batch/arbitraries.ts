/** Random values of every type, as they are inside (Datum). Edges come often. */
import fc from "fast-check";
import type { Datum } from "../../src/batch/datum.ts";
import { formatArray } from "../../src/batch/format/array.ts";
import { bytesToHex } from "../../src/batch/format/bytes.ts";
import { fitsInterval, formatInterval, intervalInfinity } from "../../src/batch/format/interval.ts";
import { formatRecord } from "../../src/batch/format/record.ts";
import { canonicalJson } from "../../src/batch/jsonb.ts";
import { datumToText } from "../../src/batch/text-form.ts";
import type { SqlType } from "../../src/batch/types.ts";

type Value = Exclude<Datum, null>;

const INT8_MAX = 2n ** 63n - 1n;
const US_PER_DAY = 86_400_000_000;

/** Text PostgreSQL takes: neither U+0000 nor half of a surrogate pair. */
export const text = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "a",
    "ab",
    "A",
    "null",
    "NULL",
    '"',
    "\\",
    "{",
    "}",
    ",",
    "a b",
    "é",
    "日本",
    "\u{1F600}",
  ),
  fc.string({ unit: "grapheme", maxLength: 8 }).filter((s) => !/[\0\ud800-\udfff]/u.test(s)),
);

const doubles = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 0.1, 0.5, 1e15, 1e-5, 1e22, 1e23, Number.NaN, Infinity, -Infinity, 5e-324),
  fc.double(),
  fc.integer({ min: -1000, max: 1000 }).map((n) => n / 8),
);

const numerics = fc.oneof(
  fc.constantFrom(
    "0",
    "0.00",
    "1",
    "1.0",
    "1.50",
    "-1.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "100",
    "0.001",
    "1000000",
  ),
  fc.tuple(fc.bigInt(-(10n ** 20n), 10n ** 20n), fc.integer({ min: 0, max: 12 })).map(([u, scale]) => {
    const digits = String(u < 0n ? -u : u).padStart(scale + 1, "0");
    const sign = u < 0n ? "-" : "";
    return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  }),
);

/** Microseconds of a timestamp: near us, anywhere, the ends, the infinities. */
const instants = fc.oneof(
  fc.bigInt(-(10n ** 15n), 2n * 10n ** 15n),
  fc.bigInt(-210_866_803_200_000_000n, INT8_MAX - 1n),
  fc.constantFrom(INT8_MAX, -INT8_MAX - 1n, 0n, -1n, -62_135_596_800_000_000n),
);

const spans = fc
  .record({
    months: fc.oneof(fc.constantFrom(0, 1, -1, 12, -13), fc.integer({ min: -50_000, max: 50_000 })),
    days: fc.oneof(fc.constantFrom(0, 1, -1, 30, -30, 31), fc.integer({ min: -100_000, max: 100_000 })),
    us: fc.oneof(
      fc.constantFrom(0n, 1n, -1n, 86_400_000_000n, -3_600_000_000n, 90_061_000_001n),
      fc.bigInt(-(10n ** 14n), 10n ** 14n),
    ),
  })
  .filter((s) => fitsInterval(s) && intervalInfinity(s) === 0)
  .map(formatInterval);

const jsonValues = fc
  .oneof(
    fc.constantFrom<unknown>(
      null,
      true,
      false,
      0,
      1,
      -1.5,
      10,
      "",
      "a",
      "b",
      [],
      {},
      [[]],
      [null],
      { a: 1 },
      { b: 1 },
    ),
    fc.constantFrom<unknown>({ aa: 1, c: 1 }, { b: 1, d: 1 }, [1, 2], [2, 1], [1, [2]], { a: [] }, { a: {} }),
    fc.array(fc.constantFrom<unknown>(1, "a", null, true, [], {}), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "aa", "é"), fc.constantFrom<unknown>(1, "a", null, false, []), {
      maxKeys: 3,
    }),
  )
  .map(canonicalJson);

export function anyValue(type: SqlType): fc.Arbitrary<Value> {
  switch (type.name) {
    case "int2":
      return fc.oneof(fc.constantFrom(0, 1, -1, 32767, -32768), fc.integer({ min: -32768, max: 32767 }));
    case "int4":
      return fc.oneof(fc.constantFrom(0, 1, -1, 2147483647, -2147483648), fc.integer());
    case "int8":
      return fc.oneof(
        fc.bigInt(-10n, 10n),
        fc.constantFrom(2n ** 53n, -(2n ** 53n), INT8_MAX, -INT8_MAX - 1n),
        fc.bigInt(-INT8_MAX - 1n, INT8_MAX),
      );
    case "float4":
      return fc.oneof(
        fc
          .constantFrom(0, -0, 1, -1, 0.1, 1e6, 16777216, 33554432, 1e-5, 3.4028234663852886e38, 1e-45, 5e10)
          .map(Math.fround),
        fc.constantFrom(Number.NaN, Infinity, -Infinity),
        fc.float(),
      );
    case "float8":
      return doubles;
    case "numeric":
      return numerics;
    case "bool":
      return fc.boolean();
    case "text":
    case "varchar":
      return text;
    case "bpchar":
      return fc.oneof(text, fc.constantFrom("a ", "a  ", "  ", " a "));
    case "bytea":
      return fc.uint8Array({ maxLength: 6 }).map(bytesToHex);
    case "uuid":
      return fc.uuid();
    case "date":
      return fc.oneof(
        fc.constantFrom(0, -1, 2147483647, -2147483648, -2_440_588, 2_145_042_905, -719_528, -719_163),
        fc.integer({ min: -100_000, max: 100_000 }),
        fc.integer({ min: -2_440_588, max: 2_145_042_905 }),
      );
    case "time":
      return fc
        .oneof(fc.constantFrom(0, US_PER_DAY, 1, US_PER_DAY - 1), fc.integer({ min: 0, max: US_PER_DAY }))
        .map(BigInt);
    case "timestamp":
    case "timestamptz":
      return instants;
    case "interval":
      return fc.oneof(
        spans,
        fc.constantFrom(
          "infinity",
          "-infinity",
          "1 mon",
          "30 days",
          "1 day",
          "24:00:00",
          "-1 days",
          "-24:00:00",
        ),
      );
    case "json":
    case "jsonb":
      return jsonValues;
    case "jsonpath":
      return fc.constantFrom("$", '$."a"[*]', 'strict ($."a" == 1)', "strict $.**{2}");
    case "enum":
      return fc.integer({ min: 0, max: type.labels!.length - 1 });
    case "array":
      return arrays(type.element!);
    case "record":
      return fc
        .tuple(
          ...type.fields!.map((field) =>
            fc.option(
              anyValue(field.type).map((value) => datumToText(field.type, value)),
              { freq: 6 },
            ),
          ),
        )
        .map(formatRecord);
  }
}

function arrays(element: SqlType): fc.Arbitrary<string> {
  const items = (length: number) =>
    fc.array(
      fc.option(
        anyValue(element).map((value) => datumToText(element, value)),
        { freq: 6 },
      ),
      { minLength: length, maxLength: length },
    );
  return fc
    .oneof(
      fc.integer({ min: 0, max: 3 }).map((n) => [n]),
      fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })).map((dims) => [...dims]),
    )
    .chain((dims) =>
      fc
        .tuple(items(dims.reduce((a, b) => a * b, 1)), fc.constantFrom(1, 1, 1, 0, -2, 5))
        .map(([list, lower]) =>
          formatArray({ dims: list.length === 0 ? [] : dims, lower: dims.map(() => lower), items: list }),
        ),
    );
}
