/** Where so many rows waited to be told that no more may wait, steps of a row that could be told at once were lost, too: their watchers were reset. */
import { expect, it } from "vitest";
import { FrameMaker } from "../../src/views/frame-maker.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("a small frame is made at once, whatever waits", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
  await db.append("t", [{ k: 1 }]);
  await db.settled();
  const view = db.core.views.named("v").view!;
  const { published } = db.core.publisher;
  const maker = new FrameMaker({
    turn: () => new Promise(() => {}),
    done: () => expect.unreachable(),
    failed: (error) => expect.unreachable(String(error)),
    frameCharsMax: 1_000_000,
  });
  const rows = (n: number) => ({ born: new Int32Array(n), died: new Int32Array(0) });
  // Nothing is told at once before begin().
  expect(maker.make(view, rows(2_000_000), published, 0).state).toBe("made");
  expect(maker.make(view, rows(1), published, 0).state).toBe("lost");
  maker.begin();
  const small = maker.make(view, rows(1), published, 0);
  expect(small.state).toBe("ready");
  expect(small.pieces).toEqual(['{"op":"insert","key":1,"row":{"k":1}}']);
  await db.close();
});
