/** Rows whose pattern takes its time are worked off few at a time, however cheap those before them were; the view is the same. */
import { afterEach, expect, it, vi } from "vitest";
import { bool, int4, text } from "../../src/batch/types.ts";
import { Matcher } from "../../src/dataflow/kernels/regex/match.ts";
import * as plan from "../../src/plan/build.ts";
import type { Expr } from "../../src/plan/expression.ts";
import { chunksOf, drain, Live, rowsOf, World } from "./harness.ts";

afterEach(() => vi.restoreAllMocks());

function liveOver(predicate: (s: Expr) => Expr) {
  const world = new World([
    {
      name: "t",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "s", type: text, nullable: true },
      ],
    },
  ]);
  const input = world.source(0);
  const live = new Live(world);
  const view = live.add(1, plan.filter(input, predicate(plan.column(input, 1))));
  /** The rows as one step, whose end is done piece by piece. */
  const step = (rows: readonly (readonly [number, string | null])[], afterPiece = () => {}): void => {
    world.commits.push(rows.map((row) => ({ topic: 0, row })));
    live.circuit.begin(++live.epoch);
    for (const { chunk, ops } of chunksOf(world, 0, world.commits.slice(-1), live.dictionary)) {
      live.circuit.topics.feedTable(0, chunk, ops);
      drain(live.circuit);
    }
    live.circuit.end();
    while (!live.circuit.run(0)) afterPiece();
    afterPiece();
  };
  const ids = () =>
    Object.keys(rowsOf(view.store, live.epoch, [int4, text]))
      .map((row) => Number(row.split(", ")[0]))
      .sort((a, b) => a - b);
  return { live, step, ids };
}

const matches = (s: Expr): Expr => ({
  kind: "call",
  fn: "text_matches",
  args: [s, plan.constant("^a+b", text)],
  type: bool,
});

const rows = Array.from(
  { length: 1_000 },
  (_, id) => [id, id % 7 === 0 ? null : id % 2 === 0 ? "aab" : "ba"] as const,
);
const wanted = rows.filter(([, s]) => s === "aab").map(([id]) => id);

it("goes on where it stopped when its time was over", () => {
  const { live, step, ids } = liveOver(matches);
  // Chunks are as large as they get: nothing so far has taken any time.
  for (let i = 0; i < 10; i++) step(Array.from({ length: 4_096 }, (_, k) => [k, `x${i}`] as const));
  // A clock by which a match takes a millisecond, and nothing else does.
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const { test } = Matcher.prototype;
  vi.spyOn(Matcher.prototype, "test").mockImplementation(function (this: Matcher, subject) {
    now++;
    return test.call(this, subject);
  });
  const began = now;
  let last = now;
  let most = 0;
  step(rows, () => {
    most = Math.max(most, now - last);
    last = now;
  });
  vi.restoreAllMocks();
  expect(now - began).toBeGreaterThan(rows.length / 2);
  expect(most).toBeLessThanOrEqual(3);
  expect(ids()).toEqual(wanted);
  // And what has changed.
  step(rows.map(([id, s]) => [id, s === "aab" ? "ba" : "ab"] as const));
  expect(ids()).toEqual(rows.filter(([, s]) => s !== "aab").map(([id]) => id));
  live.dictionary.collect();
});
