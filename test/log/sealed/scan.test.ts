/** What a reader of sealed segments costs: little more than the bytes it asked for. Counted on the disk. */
import { beforeAll, describe, expect, test } from "vitest";
import { encodeUtf8 } from "../../../src/base/bytes.ts";
import type { Column } from "../../../src/batch/batch.ts";
import { datumAt } from "../../../src/batch/column.ts";
import { schemaOf } from "../../../src/batch/schema.ts";
import { float8, int4, int8, text, timestamptz } from "../../../src/batch/types.ts";
import type { ColumnRange, Group, Log } from "../../../src/log/log.ts";
import { openLog } from "../../../src/log/open-log.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { room } from "../harness.ts";

const WIDE = 1;
const SMALL = 2;
const fields = [
  ["id", int4],
  ["user", int8],
  ["price", float8],
  ["at", timestamptz],
  ["country", text],
  ["note", text],
] as const;
const wide = schemaOf(fields.map(([name, type]) => ({ name, type, nullable: false })));
const small = schemaOf([{ name: "id", type: int4, nullable: false }]);

const ROWS = 120_000;
let log: Log;
const disk = new SimulatedDisk({ seed: 1 });

beforeAll(async () => {
  const random = new SeededRandom(1);
  log = await openLog({
    directory: "/data",
    disk,
    clock: new SimulatedClock(),
    random,
    segmentBytes: 2 << 20,
    groupBytesMax: 1 << 20,
  });
  log.registerTopic({ topicId: WIDE, schemaVersion: 1, schema: wide });
  log.registerTopic({ topicId: SMALL, schemaVersion: 1, schema: small });
  for (let from = 0; from < ROWS; from += 500) {
    await room(log, 200_000);
    const draft = log.begin();
    const rows = Array.from({ length: 500 }, (_, i) => ({
      id: from + i,
      user: random.below(1e9) * 1000,
      price: random.below(1e9) / 7,
      at: new Date(1.7e12 + 10 * (from + i)),
      country: ["AT", "CH", "DE"][Math.floor((3 * from) / ROWS)],
      note: `note ${random.below(1e9)} ${random.below(1e9)}`,
    }));
    draft.appendRows(WIDE, rows);
    if (from % 10_000 === 0) draft.appendRow(SMALL, { id: from });
    await draft.commit().durable;
  }
  log.startSealing();
  await log.sealed();
  expect(log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
  expect(log.stats().sealing.segments).toBeGreaterThanOrEqual(3);
});

/** Bytes read while a reader of the sealed segments is run to its end. */
async function cost(groups: () => AsyncIterable<Group>): Promise<{ bytes: number; rows: number }> {
  const before = disk.bytesRead;
  let rows = 0;
  for await (const group of groups()) for (const { batch } of group.batches) rows += batch.length;
  return { bytes: disk.bytesRead - before, rows };
}

/** Where the column's numbers are, or the bytes of its texts. */
function bufferOf(column: Column): ArrayBufferLike {
  return column.kind === "utf8" ? column.data.buffer : column.values.buffer;
}

const sealedEnd = async (): Promise<number> => {
  const last = disk
    .files()
    .filter((path) => path.endsWith(".log"))
    .at(-1)!;
  return Number(/(\d{20})\.log$/.exec(last)![1]) - 1;
};

describe("what is read", () => {
  test("of one small topic among much other data: about its own bytes", async () => {
    const to = await sealedEnd();
    const all = await cost(() => log.read({ from: 1, to }));
    const own = await cost(() => log.read({ from: 1, to, topics: new Set([SMALL]) }));
    expect(own.rows).toBeGreaterThanOrEqual(10);
    expect(all.bytes).toBeGreaterThan(2_000_000);
    // Four pages and a section of some dozens of bytes in each segment.
    expect(own.bytes).toBeLessThan(300 * log.stats().sealing.segments);
    const byOffset = await cost(() => log.readTopic(SMALL, 0));
    // Behind the sealed ones the active segment is read as it lies.
    expect(byOffset.bytes).toBeLessThan(300 * log.stats().sealing.segments + (2 << 20));
  });

  test("page by page, and before each the reader asks whether others should have their turn", async () => {
    const topics = new Set([WIDE]);
    let asked = 0;
    let groups = 0;
    const pause = (): null => {
      asked++;
      return null;
    };
    for await (const _ of log.read({ from: 1, to: await sealedEnd(), topics, pause })) groups++;
    // Each block has a page for its commits and one for each column.
    expect(asked).toBe(groups * (fields.length + 1));
  });

  test("into the same memory again and again, for a reader who is done with each group before the next", async () => {
    const options = { from: 1, to: await sealedEnd(), topics: new Set([WIDE]) };
    const texts = (group: Group): string => {
      const { batch } = group.batches[0]!;
      const columns = batch.columns.map((column) => {
        const values: unknown[] = [];
        for (let row = 0; row < batch.length; row += 997) values.push(datumAt(column, row));
        return values.join();
      });
      return [
        ...columns,
        group.firstPosition,
        group.commits.at(-1)!.timeUs,
        ...group.batches[0]!.commitEnds,
      ].join();
    };
    const expected: string[] = [];
    for await (const group of log.read(options)) expected.push(texts(group));
    expect(expected.length).toBeGreaterThan(6);
    const found: string[] = [];
    const groups: Group[] = [];
    for await (const group of log.read({ ...options, reuse: true })) {
      found.push(texts(group));
      groups.push(group);
    }
    expect(found).toEqual(expected);
    const buffers = groups.map(({ batches }) => batches[0]!.batch.columns.map(bufferOf));
    // Integers share two buffers a column; what was decompressed has been given back, but for the last two blocks.
    expect(new Set(buffers.map(([id]) => id)).size).toBe(2);
    expect(new Set(buffers.map(([, , , at]) => at)).size).toBe(2);
    for (const [, , , , , note] of buffers.slice(0, -2)) expect(note!.byteLength).toBe(0);
  });

  test("of unneeded columns: nothing, neither of their bytes nor of their values", async () => {
    const to = await sealedEnd();
    const topics = new Set([WIDE]);
    const all = await cost(() => log.read({ from: 1, to, topics }));
    const costs: number[] = [];
    for (let k = 0; k < fields.length; k++) {
      const columns = (): ReadonlySet<number> => new Set([k]);
      const one = await cost(() => log.read({ from: 1, to, topics, columns }));
      expect(one.rows).toBe(all.rows);
      costs.push(one.bytes);
    }
    const none = (await cost(() => log.read({ from: 1, to, topics, columns: () => new Set() }))).bytes;
    // Sequences take next to nothing; random numbers and texts what they are.
    expect(none).toBeLessThan(0.02 * all.bytes);
    expect(costs[0]! - none).toBeLessThan(4000);
    expect(costs[5]!).toBeLessThan(0.75 * all.bytes);
    const sum = costs.reduce((a, b) => a + b - none, none);
    expect(sum).toBe(all.bytes);
    for await (const { batches } of log.read({ from: 1, to, topics, columns: () => new Set([0]) })) {
      const { batch, baseOffset } = batches[0]!;
      expect(datumAt(batch.columns[0]!, 0)).toBe(baseOffset);
      expect(datumAt(batch.columns[5]!, 0)).toBeNull();
      break;
    }
  });

  test("where a range rules blocks out: not of them", async () => {
    const to = await sealedEnd();
    const read = (ranges: readonly ColumnRange[]): Promise<{ bytes: number; rows: number }> =>
      cost(() => log.read({ from: 1, to, topics: new Set([WIDE]), ranges: () => ranges }));
    const all = await read([]);
    const some = await read([{ column: 0, min: 50_000, max: 50_100 }]);
    expect(some.rows).toBeGreaterThanOrEqual(101);
    expect(some.rows).toBeLessThanOrEqual(2 * 16_384);
    expect(some.bytes).toBeLessThan(0.4 * all.bytes);
    const text = await read([{ column: 4, min: encodeUtf8("DE"), max: encodeUtf8("DE") }]);
    expect(text.rows).toBeLessThan(0.5 * all.rows);
    expect(await read([{ column: 0, min: 1e9 }])).toMatchObject({ rows: 0 });
    expect(
      (
        await read([
          { column: 0, min: -5 },
          { column: 4, min: encodeUtf8("AT") },
        ])
      ).rows,
    ).toBe(all.rows);
  });
});

test("no row that a range allows is left out", async () => {
  const to = await sealedEnd();
  const random = new SeededRandom(2);
  for (let i = 0; i < 20; i++) {
    const min = random.below(ROWS);
    const max = min + random.below(5000);
    const ids = new Set<number>();
    const topics = new Set([WIDE]);
    for await (const { batches } of log.read({
      from: 1,
      to,
      topics,
      columns: () => new Set([0]),
      ranges: () => [{ column: 0, min, max }],
    })) {
      for (const { batch } of batches) {
        for (let row = 0; row < batch.length; row++) {
          const id = datumAt(batch.columns[0]!, row) as number;
          if (id >= min && id <= max) ids.add(id);
        }
      }
    }
    const sealedRows = await rowsUpTo(to);
    expect(ids.size).toBe(Math.max(0, Math.min(max, sealedRows - 1) - min + 1));
  }
});

/** Rows of the wide topic in commits up to the position: each has 500. */
async function rowsUpTo(position: number): Promise<number> {
  return position * 500;
}
