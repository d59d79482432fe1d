import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { decodeBatch } from "../../src/batch/codec.ts";
import { datumAt } from "../../src/batch/column.ts";
import {
  encodeFrame,
  encodeMeta,
  FRAME_ALIGNMENT,
  finishFrame,
  frameCrcSeed,
  HEADER_BYTES,
  readCommits,
  readDeletes,
  readDirectory,
  readHeader,
} from "../../src/log/frame.ts";
import type { CommitInfo, Group, TopicBatch } from "../../src/log/log.ts";
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "../../src/log/varint.ts";
import { schema } from "./harness.ts";

const LOG_ID = Number.MAX_SAFE_INTEGER;

function encode(group: Group): Uint8Array {
  const meta = encodeMeta(group);
  const frame = new Uint8Array(meta.frameBytes).fill(0xaa);
  encodeFrame(group, meta, LOG_ID, frame);
  finishFrame(frame, crc32c(frame, HEADER_BYTES, frame.length, frameCrcSeed(frame)));
  return frame;
}

const text = fc.oneof(
  fc.constant(null),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
  fc.constant("k".repeat(300)),
);

/** Commits, and for each topic how many rows each commit has. */
const group: fc.Arbitrary<Group> = fc
  .record({
    firstPosition: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(2 ** 52)),
    firstTimeUs: fc.oneof(fc.nat(), fc.integer({ min: 1.6e15, max: 1.8e15 })),
    commits: fc.array(fc.record({ gap: fc.oneof(fc.nat(2000), fc.nat()), key: text, digest: text }), {
      minLength: 1,
      maxLength: 12,
    }),
    topics: fc.array(
      fc.record({
        id: fc.oneof(fc.nat(300), fc.constant(2 ** 40)),
        version: fc.nat(200),
        base: fc.oneof(fc.nat(), fc.constant(2 ** 50)),
        seed: fc.nat(),
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ firstPosition, firstTimeUs, commits, topics }) => {
    let timeUs = firstTimeUs;
    const infos = commits.map(({ gap, key, digest }, i): CommitInfo => {
      if (i > 0) timeUs += gap;
      return {
        position: firstPosition + i,
        timeUs,
        idempotencyKey: key,
        requestDigest: key === null ? null : digest,
      };
    });
    return {
      commits: infos,
      firstPosition,
      lastPosition: firstPosition + infos.length - 1,
      // By topic, as the format has them.
      batches: topics.toSorted((a, b) => a.id - b.id).map((topic) => batchOf(topic, infos.length)),
    };
  });

function batchOf(
  { id, version, base, seed }: { id: number; version: number; base: number; seed: number },
  commits: number,
): TopicBatch {
  const builder = new BatchBuilder(schema);
  const commitIndexes: number[] = [];
  const commitEnds: number[] = [];
  for (let commit = 0; commit < commits; commit++) {
    const rows = (seed >> commit) % 4;
    for (let row = 0; row < rows; row++)
      builder.appendRow({ id: seed % 1000, note: row === 1 ? null : "é".repeat(commit) });
    if (rows === 0) continue;
    commitIndexes.push(commit);
    commitEnds.push(builder.length);
  }
  if (builder.length === 0) {
    builder.appendRow({ id: 1, note: null });
    commitIndexes.push(commits - 1);
    commitEnds.push(1);
  }
  const ops =
    seed % 3 === 0
      ? null
      : Uint8Array.from({ length: builder.length }, (_, row) => ((seed >> row) & 1) as number);
  return {
    topicId: id,
    schemaVersion: version,
    baseOffset: base,
    batch: builder.finish(),
    ops: ops?.includes(1) === true ? ops : null,
    commitIndexes: Uint32Array.from(commitIndexes),
    commitEnds: Uint32Array.from(commitEnds),
  };
}

test("a frame reads back as the group it was made of, wherever it stands", () => {
  fc.assert(
    fc.property(group, fc.nat(3), (original, place) => {
      const frame = encode(original);
      expect(frame.length % FRAME_ALIGNMENT).toBe(0);
      const at = place * FRAME_ALIGNMENT;
      const bytes = new Uint8Array(at + frame.length + 8).fill(0x55);
      bytes.set(frame, at);
      const header = readHeader(bytes, at)!;
      expect(header).toMatchObject({
        // Two where a topic has several batches.
        formatVersion: new Set(original.batches.map((b) => b.topicId)).size < original.batches.length ? 2 : 1,
        logId: LOG_ID,
        firstPosition: original.firstPosition,
        frameBytes: frame.length,
      });
      expect(readCommits(bytes, at, header)).toEqual(original.commits);
      const entries = readDirectory(bytes, at, header)!;
      expect(entries).toHaveLength(original.batches.length);
      entries.forEach((entry, i) => {
        const { batch, ops, ...rest } = original.batches[i]!;
        expect(entry).toMatchObject({ ...rest, rows: batch.length });
        const decoded = decodeBatch(bytes, at + entry.columnsAt, schema, entry.rows);
        expect(decoded.next).toBe(at + entry.columnsAt + entry.columnsBytes);
        for (let row = 0; row < batch.length; row++) {
          for (const k of [0, 1])
            expect(datumAt(decoded.batch.columns[k]!, row)).toBe(datumAt(batch.columns[k]!, row));
        }
        expect(entry.deletesAt < 0 ? null : readDeletes(bytes, at + entry.deletesAt, entry.rows)).toEqual(
          ops,
        );
      });
    }),
    { numRuns: 150 },
  );
});

test("any change of one bit is seen by one of the two checksums", () => {
  const [sample] = fc.sample(group, { seed: 5, numRuns: 1 });
  const frame = encode(sample!);
  for (let at = 0; at < frame.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      frame[at]! ^= 1 << bit;
      const header = readHeader(frame, 0);
      const sound =
        header !== null &&
        crc32c(frame, HEADER_BYTES, header.frameBytes, frameCrcSeed(frame)) === header.frameCrc;
      expect(sound).toBe(false);
      frame[at]! ^= 1 << bit;
    }
  }
});

test("bytes that do not follow the grammar are refused, never read past their end", () => {
  fc.assert(
    fc.property(group, fc.nat(), fc.nat(255), (original, place, value) => {
      const frame = encode(original);
      const header = readHeader(frame, 0)!;
      const length = header.commitsBytes + header.directoryBytes;
      frame[HEADER_BYTES + (place % length)] = value;
      // Whatever comes out, it comes out, and lies inside the frame.
      readCommits(frame, 0, header);
      for (const entry of readDirectory(frame, 0, header) ?? []) {
        expect(entry.columnsAt + entry.columnsBytes).toBeLessThanOrEqual(frame.length);
        if (entry.commitIndexes.length > 0)
          expect(entry.commitIndexes.at(-1)).toBeLessThan(header.commitCount);
      }
      for (const field of ["commitsBytes", "directoryBytes", "commitCount", "batchCount"] as const) {
        const lying = { ...header, [field]: header[field] + 1 };
        const both = [readCommits(encode(original), 0, lying), readDirectory(encode(original), 0, lying)];
        expect(both).toContain(null);
      }
    }),
    { numRuns: 100 },
  );
});

describe("varint", () => {
  test("any number up to 2^53 - 1 comes back, in as few bytes as it takes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.nat(300),
          fc.nat(),
          fc.maxSafeNat(),
          fc.constantFrom(127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
        ),
        (value) => {
          const bytes = new Uint8Array(VARINT_BYTES_MAX);
          const end = writeVarint(bytes, 0, value);
          expect(end).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
          const reader = new VarintReader(bytes, 0, end);
          expect(reader.next()).toBe(value);
          expect([reader.at, reader.failed]).toEqual([end, false]);
          expect(reader.next()).toBe(0);
          expect(reader.failed).toBe(true);
        },
      ),
    );
  });

  test.each([
    ["cut off", [0x80]],
    ["longer than eight bytes", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ["beyond 2^53", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ])("%s fails", (_, bytes) => {
    const reader = new VarintReader(Uint8Array.from(bytes), 0, bytes.length);
    expect(reader.next()).toBe(0);
    expect(reader.failed).toBe(true);
  });
});
