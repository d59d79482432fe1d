/** Frames, small and large, beside the naive way: every change by JSON.stringify, in one list. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeUtf8, encodeUtf8 } from "../../src/base/bytes.ts";
import { ChangeWriter, hashOf, KEY_AT } from "../../src/views/change-writer.ts";
import { FrameLog } from "../../src/views/frame-log.ts";
import { Frame } from "../../src/views/frames.ts";
import { SLAB_BYTES, Slabs } from "../../src/views/slabs.ts";

interface Change {
  readonly op: "insert" | "update" | "delete";
  readonly key: string;
  readonly row: string;
}

const textOf = ({ op, key, row }: Change): string => `{"op":"${op}","key":${key},"row":${row}}`;

/** Writes as ChangeWriter.changed() does, rows that are there already. */
function write(written: ChangeWriter, changes: readonly Change[]): ChangeWriter {
  const { out, index } = written;
  out.clear();
  index.clear();
  for (const change of changes) {
    if (index.length > 0) out.string(",");
    const text = encodeUtf8(textOf(change));
    index.push(hashOf(text, KEY_AT, KEY_AT + encodeUtf8(change.key).length));
    index.push(out.at);
    out.raw(text);
  }
  return written;
}

const change = fc.record({
  op: fc.constantFrom("insert" as const, "update" as const, "delete" as const),
  key: fc.oneof(fc.nat({ max: 9 }), fc.string({ maxLength: 3 })).map((key) => JSON.stringify(key)),
  row: fc
    .oneof(fc.constantFrom(0, 10, 1_000, 40_000, SLAB_BYTES, 2 * SLAB_BYTES), fc.nat({ max: 300 }))
    .map((length) => JSON.stringify("é".repeat(length))),
});

const said = (pieces: readonly Uint8Array[]): string => pieces.map((piece) => decodeUtf8(piece)).join(",");

function expectFrame(frame: Frame, changes: readonly Change[]): void {
  expect(said(frame.pieces)).toBe(changes.map(textOf).join(","));
  expect(frame.changes).toBe(changes.length);
  for (const key of new Set([...changes.map((c) => c.key), '"absent"', "1"]))
    expect(said(frame.piecesOf([key]))).toBe(
      changes
        .filter((c) => c.key === key)
        .map(textOf)
        .join(","),
    );
  expect([...frame.hashes()]).toEqual(changes.map(({ key }) => hashOf(encodeUtf8(key))));
}

it("a frame made in turns says what was written, all of it or of some keys", () => {
  const slabs = new Slabs();
  const written = new ChangeWriter();
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 120 }), { maxLength: 4 }), (turns) => {
      const frame = new Frame({ position: 2, after: 1 }, 0, 0, slabs);
      for (const turn of turns) frame.add(write(written, turn));
      frame.complete();
      expectFrame(frame, turns.flat());
      // What it leaves is the next one's.
      frame.letGo();
      expect(frame.state).toBe("lost");
    }),
    { numRuns: 60 },
  );
});

it("small frames are kept, and found from any position", () => {
  const written = new ChangeWriter();
  fc.assert(
    fc.property(
      fc.array(
        fc.array(
          change.filter(({ row }) => row.length < 3_000),
          { minLength: 1, maxLength: 90 },
        ),
        { minLength: 1, maxLength: 40 },
      ),
      (steps) => {
        const log = new FrameLog(0, 1 << 20, 1_000);
        let bytes = 0;
        for (const [i, changes] of steps.entries()) {
          // Each third has memory of its own.
          const step = { position: (i + 1) * 10, after: i * 10 };
          if (i % 3 === 1) {
            const frame = new Frame(step, i, 0, new Slabs());
            frame.add(write(written, changes));
            frame.complete();
            log.push(frame);
            bytes += frame.room;
          } else {
            const frame = log.keep(step, i, write(written, changes));
            bytes += frame.room;
            expectFrame(frame, changes);
          }
        }
        expect(log.bytes).toBe(bytes);
        for (let from = 0; from <= steps.length; from++) {
          const frames = log.after(from * 10);
          expect(frames.map(({ position, after, at }) => [position, after, at])).toEqual(
            steps.map((_, i) => [(i + 1) * 10, i * 10, i]).slice(from),
          );
          for (const [i, frame] of frames.entries()) expectFrame(frame, steps[from + i]!);
          expect(log.splits(from * 10)).toBe(false);
          expect(log.splits(from * 10 + 5)).toBe(from < steps.length);
        }
      },
    ),
    { numRuns: 40 },
  );
});

it("what is older than kept goes, one frame after the other, and the newest stays", () => {
  const written = new ChangeWriter();
  const changes = [{ op: "insert", key: "1", row: JSON.stringify("x".repeat(500)) } as const];
  const log = new FrameLog(0, 10_000, 100);
  for (let position = 1; position <= 500; position++) {
    log.keep({ position, after: position - 1 }, position, write(written, changes));
    const kept = log.after(0);
    expect(log.bytes).toBe(kept.reduce((sum, { room }) => sum + room, 0));
    expect(log.floor).toBe(kept[0]!.after);
    expect(kept.at(-1)!.position).toBe(position);
    // All of the last 100 ms are some 53,000 bytes, which is more than twice what is kept.
    if (position > 100)
      expect(Math.floor(log.bytes / kept[0]!.room)).toBe(Math.floor(20_000 / kept[0]!.room));
  }
});

it("a slab is not used again while somebody reads it", () => {
  const slabs = new Slabs();
  const written = new ChangeWriter();
  const large = (letter: string): Change[] =>
    Array.from({ length: 3 }, (_, i) => ({
      op: "insert",
      key: String(i),
      row: JSON.stringify(letter.repeat(100_000)),
    }));
  const frameOf = (position: number, changes: readonly Change[]): Frame => {
    const frame = new Frame({ position, after: position - 1 }, position, 0, slabs);
    frame.add(write(written, changes));
    frame.complete();
    return frame;
  };
  const log = new FrameLog(0, 1, 0);
  const read = frameOf(1, large("a"));
  log.push(read);
  read.borrow();
  const unread = frameOf(2, large("b"));
  const shown = read.pieces;
  log.push(unread);
  log.push(frameOf(3, large("c")));
  expect([read.state, unread.state]).toEqual(["ready", "lost"]);
  const next = frameOf(4, large("d"));
  expectFrame(read, large("a"));
  expectFrame(next, large("d"));
  expect(said(shown)).toBe(large("a").map(textOf).join(","));
  read.giveBack();
  expect(read.state).toBe("lost");
  const last = frameOf(5, large("e"));
  expect(new Set(shown.map(({ buffer }) => buffer))).toEqual(
    new Set(last.pieces.map(({ buffer }) => buffer)),
  );
});
