/** Only a view with a sink was held to reading nothing that comes from it: a view made anew closed the circle, and it went round for ever. */
import { expect, it } from "vitest";
import { int4, sql as sqlText, table, view } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf } from "../engine/support/memory.ts";

const a = table("a", { key: "k", schema: { k: int4 } });
const b = table("b", { key: "k", schema: { k: int4 } });
const c = table("c", { key: "k", schema: { k: int4 } });

/** `low` reads a table; `high` reads low, and is appended to b. */
function open(disk: SimulatedDisk, low: typeof a, sink?: typeof a) {
  const lows = view(
    "low",
    low.filter((r) => r.k < 100),
    sink === undefined ? {} : { sink },
  );
  const highs = view(
    "high",
    lows.filter((r) => r.k > 0),
    { sink: b },
  );
  return openInMemory(disk, { topics: [a, b, c], views: [lows, highs] });
}

it.each([
  ["without a sink", undefined],
  ["with one of its own", c],
])("a view %s that is made anew may not read what comes from itself", async (_, sink) => {
  const disk = new SimulatedDisk();
  let db = await open(disk, a, sink);
  await db.built();
  await db.append("a", [{ k: 1 }]);
  await db.settled();
  await db.close();
  await expect(open(disk, b, sink)).rejects.toMatchObject({
    sqlstate: "42P19",
    detail: expect.stringContaining('"high" is read by "b" is read by "low"'),
  });
  db = await open(disk, a, sink);
  await db.built();
  await db.append("a", [{ k: 2 }]);
  await db.settled();
  expect(await rowsOf(db, "SELECT k FROM b ORDER BY k")).toEqual([["1"], ["2"]]);
  await db.close();
});

it("views that are all made anew are held to what they become, in whatever order they are declared", async () => {
  const disk = new SimulatedDisk();
  const declared = (least: number) => {
    const first = view("first", sqlText`SELECT k FROM a WHERE k > ${least}`, { sink: b });
    const second = view("second", sqlText`SELECT k FROM b WHERE k > ${least}`, { sink: c });
    return openInMemory(disk, { topics: [a, b, c], views: [second, first] });
  };
  let db = await declared(0);
  await db.built();
  await db.append("a", [{ k: 1 }, { k: 5 }]);
  await db.settled();
  await db.close();
  db = await declared(3);
  await db.built();
  await db.settled();
  expect(await rowsOf(db, "SELECT k FROM c")).toEqual([["5"]]);
  await db.close();
});
