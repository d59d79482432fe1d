/** Where so many rows waited to be told that no more may wait, steps of a row that could be told at once were lost, too: their watchers were reset. */
import { expect, it } from "vitest";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import { systemSlices } from "../../src/base/slices.ts";
import { FrameLog } from "../../src/views/frame-log.ts";
import { FrameMaker } from "../../src/views/frame-maker.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("a small frame is made at once, whatever waits", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
  await db.append("t", [{ k: 1 }]);
  await db.settled();
  const view = db.core.views.named("v").view!;
  const { published } = db.core.publisher;
  const step = { ...published, after: published.position - 1 };
  const log = new FrameLog(0, 1_000_000, 60_000);
  const maker = new FrameMaker({
    turn: () => new Promise(() => {}),
    slices: systemSlices,
    done: () => expect.unreachable(),
    failed: (error) => expect.unreachable(String(error)),
    frameBytesMax: 1_000_000,
  });
  const rows = (n: number) => ({ born: new Int32Array(n), died: new Int32Array(0) });
  // Nothing is told at once before begin().
  expect(maker.make(view, rows(2_000_000), step, 0, log)!.state).toBe("made");
  expect(maker.make(view, rows(1), step, 0, log)!.state).toBe("lost");
  maker.begin();
  const small = maker.make(view, rows(1), step, 0, log)!;
  expect(small.state).toBe("ready");
  expect(small.pieces.map((piece) => decodeUtf8(piece))).toEqual(['{"op":"insert","key":1,"row":{"k":1}}']);
  await db.close();
});
