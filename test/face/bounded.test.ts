import { expect, test } from "vitest";
import { isBounded } from "../../src/face/bounded.ts";
import type { UserCode } from "../../src/face/function-source.ts";

const other = () => 1;
type Row = { s: string; n: number; list: number[] };

const bounded: UserCode[] = [
  (r: Row) => r.n > 3 && r.s !== "x",
  (r: Row) => ({ ...r, label: `${r.s} ${Math.max(r.n, 1)}`, up: r.s.trim().toUpperCase() }),
  ({ s, ...rest }: Row) => ({ rest, first: s[0] ?? null }),
  (r: Row) => {
    const half = r.n / 2;
    if (half > 1) return String(half);
    return r.list.includes(half) ? "in" : "out";
  },
];

const unbounded: UserCode[] = [
  () => {
    for (;;);
  },
  (r: Row) => {
    while (r.n > 0) r.n--;
  },
  (r: Row) => {
    for (const _ of r.list);
  },
  () => other(),
  (r: Row) => r.list.map((x) => x + 1),
  (r: Row) => /(a+)+b/.test(r.s),
  (r: Row) => r.s.replace("a", "b"),
  (r: Row) => new Array(r.n),
  (r: Row) => (r as unknown as Record<string, () => number>)["f"]!(),
  function* () {
    yield 1;
  },
  Math.max.bind(null),
];

test.each(bounded)("%s returns", (fn) => {
  expect(isBounded(fn)).toBe(true);
});

test.each(unbounded)("%s may not", (fn) => {
  expect(isBounded(fn)).toBe(false);
});
