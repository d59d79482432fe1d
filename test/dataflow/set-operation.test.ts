/** INTERSECT and EXCEPT over values that are equal and look different. */
import { expect, test } from "vitest";
import { int4, numeric } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import { Live, rowsOf, World } from "./harness.ts";

function sides(): World {
  const fields = [
    { name: "id", type: int4, nullable: false },
    { name: "n", type: numeric, nullable: true },
  ];
  return new World([
    { name: "left", key: [0], fields },
    { name: "right", key: [0], fields },
  ]);
}

const left = (id: number, n: string) => ({ topic: 0, row: [id, n] });
const right = (id: number, n: string) => ({ topic: 1, row: [id, n] });

test("a row looks as the left side shows it, whichever came first", () => {
  const world = sides();
  const live = new Live(world);
  const of = (topic: number) => plan.projectColumns(world.source(topic), [1]);
  const spec = { left: of(0), right: of(1) };
  const both = live.add(10, plan.setOperation({ op: "intersect", all: false, ...spec }));
  const rest = live.add(11, plan.setOperation({ op: "except", all: true, ...spec }));
  const shown = (view: typeof both) => rowsOf(view.store, live.epoch, [numeric]);
  world.commits.push([right(1, "1.00")]);
  live.step();
  world.commits.push([left(1, "1.0"), left(2, "1.0"), left(3, "2.50")]);
  live.step();
  expect(shown(both)).toEqual({ "1.0": 1 });
  expect(shown(rest)).toEqual({ "1.0": 1, "2.50": 1 });
  // All left rows of it leave and come back in another form within one step.
  world.commits.push([
    { topic: 0, deleted: [1] },
    { topic: 0, deleted: [2] },
    left(4, "1.000"),
    left(5, "1.000"),
  ]);
  live.step();
  expect(shown(both)).toEqual({ "1.000": 1 });
  expect(shown(rest)).toEqual({ "1.000": 1, "2.50": 1 });
  world.commits.push([
    { topic: 1, deleted: [1] },
    { topic: 0, deleted: [4] },
  ]);
  live.step();
  expect(shown(both)).toEqual({});
  expect(shown(rest)).toEqual({ "1.000": 1, "2.50": 1 });
  expect(both.failed ?? rest.failed).toBeNull();
});
