/**
 * A step's changes were looked at 64 rows at a time, however long the rows: of 60 documents of a megabyte or so a gigabyte was written in one turn of the event loop,
 * which took more than a second, before it was seen that a frame must not have so much.
 */
import { expect, it, vi } from "vitest";
import { ChangeWriter } from "../../src/views/change-writer.ts";
import { RowEncoder } from "../../src/views/row-encoder.ts";
import { changesOfStep, type Op, type Touched } from "../../src/views/step-changes.ts";
import type { View } from "../../src/views/view.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const ROWS = 60;
const ROW_BYTES = 100_000;

it.each([
  ["with a key", "k, s, who"],
  ["without a key", "s, who"],
])("of a view %s, a look ends behind a long row", async (_, columns) => {
  const db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE one (id int4 PRIMARY KEY, who text); CREATE TABLE t (k int4 PRIMARY KEY, s text, one int4);
     CREATE MATERIALIZED VIEW v AS SELECT ${columns} FROM t JOIN one ON id = t.one;
     INSERT INTO one VALUES (1, 'a');
     INSERT INTO t SELECT g, repeat('x', ${ROW_BYTES}) || (g / 2), 1 FROM generate_series(1, ${ROWS}) g`,
  );
  await db.settled();
  const view = db.core.views.named("v").view as View;
  const shown = db.subscribe([{ view: "v" }])[Symbol.asyncIterator]();
  await shown.next();
  let found: { touched: Touched; epoch: number } | null = null;
  const publish = db.core.subscriptions.publish.bind(db.core.subscriptions);
  vi.spyOn(db.core.subscriptions, "publish").mockImplementation((step) => {
    const touched = step.touched.get(view);
    if (touched !== undefined) {
      found = { touched, epoch: step.epoch };
      view.store.pin(step.epoch - 1, true);
    }
    publish(step);
  });
  await sql(db, "UPDATE one SET who = 'b'");
  await db.settled();
  const { touched, epoch } = found as unknown as { touched: Touched; epoch: number };
  const ops: Op[] = [];
  const writer = new ChangeWriter();
  const told = changesOfStep(view, touched, epoch);
  // Of a view without a key rows are told apart by their text.
  const hashed = vi.spyOn(RowEncoder.prototype, "contentHash");
  let looks = 0;
  for (let done = false; !done; looks++) {
    writer.begin(view);
    hashed.mockClear();
    done = told.advance(64, {
      changed: (op, ...rest) => {
        ops.push(op);
        return writer.changed(op, ...rest);
      },
    });
    expect(hashed.mock.calls.length).toBeLessThan(4);
    // What 64 usual rows may come to, and the one that was too much.
    expect(writer.bytes).toBeLessThan(64 * 4_096 + 3 * ROW_BYTES);
  }
  expect(looks).toBeGreaterThan(ROWS / 4);
  const expected = columns.startsWith("k")
    ? Array.from({ length: ROWS }, () => "update")
    : [...Array.from({ length: ROWS }, () => "delete"), ...Array.from({ length: ROWS }, () => "insert")];
  expect(ops).toEqual(expected);
  await shown.return?.();
  vi.restoreAllMocks();
  await db.close();
});
