/**
 * What is kept for those who come back was counted by its JSON alone. Of a view whose changes are short, a step's place takes as much again and more: a log
 * that was to have 64 MiB had 140.
 */
import { expect, it } from "vitest";
import { ChangeWriter } from "../../src/views/change-writer.ts";
import { FrameLog } from "../../src/views/frame-log.ts";
import { Frame } from "../../src/views/frames.ts";
import { SLAB_BYTES, Slabs } from "../../src/views/slabs.ts";

const KEEP_BYTES = 1 << 20;

/** So many deletions, one behind the other. */
function write(written: ChangeWriter, changes: number, row = "{}"): ChangeWriter {
  const { out, index } = written;
  out.clear();
  index.clear();
  for (let n = 0; n < changes; n++) {
    if (n > 0) out.string(",");
    index.push(n);
    index.push(out.at);
    out.string(`{"op":"delete","key":${n},"old":${row}}`);
  }
  return written;
}

/** The memory of all frames that are kept, each once. */
function memoryOf(log: FrameLog): number {
  const buffers = new Set(log.after(0).flatMap(({ pieces }) => pieces.map(({ buffer }) => buffer)));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

it("small frames do not take more than is to be kept", () => {
  const log = new FrameLog(0, KEEP_BYTES, 0);
  const written = write(new ChangeWriter(), 1);
  for (let position = 1; position <= 60_000; position++)
    log.keep({ position, after: position - 1 }, position, written);
  // And what is left of the first volume and the last one.
  expect(memoryOf(log)).toBeLessThan(KEEP_BYTES + 2 * 64 * 1024);
  expect(memoryOf(log)).toBeGreaterThan(KEEP_BYTES / 2);
});

it("large frames do not take more than is to be kept, though much of their slabs be left", () => {
  const log = new FrameLog(0, KEEP_BYTES, 0);
  const slabs = new Slabs();
  // Of two such rows each has a slab of its own.
  const written = write(new ChangeWriter(), 3, JSON.stringify("x".repeat(SLAB_BYTES * 0.52)));
  for (let position = 1; position <= 100; position++) {
    const frame = new Frame({ position, after: position - 1 }, position, 3, slabs);
    frame.add(written);
    frame.complete();
    log.push(frame);
  }
  expect(memoryOf(log)).toBeLessThanOrEqual(KEEP_BYTES);
  expect(memoryOf(log)).toBeGreaterThan(KEEP_BYTES / 2);
});
