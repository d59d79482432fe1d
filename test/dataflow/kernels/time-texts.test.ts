/** to_char of times with a constant pattern: the compiled loop, which keeps texts, answers what the function answers. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { text, timestamp, timestamptz } from "../../../src/batch/types.ts";
import { TimeTexts } from "../../../src/dataflow/kernels/time-texts.ts";
import { parsePattern } from "../../../src/dataflow/kernels/to-char-pattern.ts";
import { Dictionary } from "../../../src/state/dictionary.ts";
import { call, column, constant, interpret, runCompiled } from "./support.ts";

const KEYWORDS =
  "YYYY IYYY Y,YYY YY Q MM Month MON DD DDD IDDD DY day D ID WW IW W CC J RM AD HH24 HH12 HH AM p.m. MI SS SSSS MS US FF1 FF4 TZ OF TZH:TZM".split(
    " ",
  );
const MINUTE = 60_000_000n;
const DAY = 1440n * MINUTE;
const INFINITY = 2n ** 63n - 1n;

const patterns = fc
  .array(
    fc.oneof(
      fc.constantFrom(...KEYWORDS),
      fc.constantFrom(...KEYWORDS.map((k) => `FM${k}th`)),
      fc.constantFrom("-", " ", ":", '"of HH24 \\" MI"', "x", "é", "TMMonth"),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join(""));

/** Times that meet in stretches, at their ends, and in one place of the table from far away. */
const times = fc.oneof(
  fc
    .tuple(fc.integer({ min: -3, max: 3 }), fc.constantFrom(1n, 1000n, 1_000_000n, MINUTE, 60n * MINUTE, DAY))
    .chain(([n, unit]) => fc.constantFrom(-1n, 0n, 1n).map((by) => BigInt(n) * unit + by)),
  fc.integer({ min: -2, max: 2 }).map((n) => BigInt(n) * 1024n * DAY),
  fc.bigInt(-(10n ** 16n), 10n ** 16n),
  fc.bigInt(-62_000_000_000_000_000n, 9_000_000_000_000_000_000n),
  fc.constantFrom(INFINITY, -INFINITY - 1n, 2n ** 53n - 1n, -(2n ** 53n) + 1n, 2n ** 53n, null),
);

it.each([
  ["timestamp_to_char", timestamp],
  ["timestamptz_to_char", timestamptz],
] as const)("%s", (fn, type) => {
  fc.assert(
    fc.property(patterns, fc.array(times, { minLength: 1, maxLength: 60 }), (pattern, values) => {
      const expr = call(fn, [column(0, type), constant(pattern, text)], text);
      const rows = [...values, ...values].map((value) => [value]);
      const columns = [{ type, nullable: true }];
      expect(runCompiled(expr, text, columns, rows)).toEqual(rows.map((row) => interpret(expr, row, [type])));
    }),
    { numRuns: 300 },
  );
});

it("holds the texts it keeps, and no others", () => {
  const dictionary = new Dictionary();
  const live = () => {
    dictionary.collect();
    return Array.from({ length: dictionary.highWater }, (_, id) => id).filter((id) => dictionary.isLive(id))
      .length;
  };
  const before = live();
  const texts = new TimeTexts(dictionary, parsePattern("YYYY-MM-DD"), null);
  const day = Number(DAY);
  for (let i = 0; i < 5000; i++) texts.of(i * day);
  expect(live() - before).toBe(1024);
  expect(dictionary.string(texts.of(4999 * day))).toBe("1983-09-09");
  texts.dispose();
  expect(live()).toBe(before);
});
