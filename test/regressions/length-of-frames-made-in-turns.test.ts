/**
 * A frame that was not ready when it was put into the log was counted with what was made of it by then, and once more as a whole. So the log of a view
 * with large steps took itself for fuller and fuller, and in the end kept one frame: whoever came back was reset.
 */
import { expect, it } from "vitest";
import { ChangeWriter } from "../../src/views/change-writer.ts";
import { FrameLog } from "../../src/views/frame-log.ts";
import { Frame } from "../../src/views/frames.ts";
import { Slabs } from "../../src/views/slabs.ts";

it("frames made in turns of their own count once", () => {
  const log = new FrameLog(0, 1_000, 60_000);
  const written = new ChangeWriter();
  const add = (frame: Frame, key: string): void => {
    written.out.clear();
    written.index.clear();
    written.index.pushAll(Int32Array.of(0, 0), 2);
    written.out.string(`{"op":"delete","key":${key},"old":{}}`);
    frame.add(written);
  };
  for (let position = 1; position <= 200; position++) {
    const frame = new Frame({ position, after: position - 1 }, position, 3, new Slabs());
    add(frame, "1");
    log.push(frame);
    add(frame, "2");
    if (position % 3 === 0) {
      frame.lose();
      log.drop(frame);
    } else {
      frame.complete();
      log.grown(frame);
    }
    const kept = log.after(0);
    expect(log.bytes).toBe(kept.reduce((sum, { room }) => sum + room, 0));
    if (position % 3 === 2) expect(kept.length).toBe(2);
  }
});
