/** What a bench's figures are judged by: goals of three kinds, what is close to one, and medians over runs. */
import { expect, test } from "vitest";
import { isClose, type Measured, medians, table, verdictOf } from "../../bench/report.ts";

const figure = (m: Partial<Measured>): Measured => ({ name: "x", unit: "ms", value: 10, ...m });

test.each([
  [{ peer: "p", peerValue: 40, goal: 0.25 }, "met", true],
  [{ peer: "p", peerValue: 40, goal: 0.3 }, "missed", false],
  [{ peer: "p", peerValue: 40, ratio: 4, goal: 3 }, "met", false],
  [{ peer: "p", peerValue: 40, ratio: 2.9, goal: 3 }, "missed", true],
  [{ least: 9 }, "met", true],
  [{ least: 20 }, "missed", false],
  [{ most: 100 }, "met", false],
  [{ most: 9 }, "missed", true],
  [{ value: null, goal: 3 }, null, false],
  [{}, null, false],
] as const)("%j: %s", (given, verdict, close) => {
  expect(verdictOf(figure(given))).toBe(verdict);
  expect(isClose(figure(given))).toBe(close);
});

test("of several runs each figure is its median, and so is its ratio", () => {
  const run = (value: number | null, ratio: number) => [
    figure({ name: "a", peer: "p", value, peerValue: 100, ratio, goal: 3 }),
    figure({ name: "b", value: 1 }),
  ];
  const [a, b] = medians([run(10, 2), run(30, 4), run(20, 9)]);
  expect(a).toMatchObject({ value: 20, peerValue: 100, ratio: 4, goal: 3 });
  expect(b).toMatchObject({ value: 1 });
  expect(medians([run(null, 2), run(30, 4)])[0]).toMatchObject({ value: 30, ratio: 4 });
  expect(medians([run(10, 2)])).toEqual(run(10, 2));
});

test("the table says what missed its goal, and whose a figure is", () => {
  const rows = [figure({ least: 20 }), figure({ name: "y", most: 20 })];
  const lines = table(rows, { benches: ["text", "join"] }).split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[2]).toMatch(/^\| text \| x \|.*\| ≥ 20\.0: missed \|$/);
  expect(lines[3]).toMatch(/^\| join \| y \|.*\| ≤ 20\.0 \|$/);
});
