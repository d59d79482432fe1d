/** The rows of a log in pieces, for many threads to read: those that read() gives, in the order of each topic. */
import { mkdtemp, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Disk } from "../../src/base/disk.ts";
import { nodeDisk, openedFile } from "../../src/base/node-disk.ts";
import { datumAt } from "../../src/batch/column.ts";
import type { HistoryOptions, HistoryPiece, Log, SealedPiece } from "../../src/log/log.ts";
import { freshMemory } from "../../src/log/sealed/column-memory.ts";
import { readPiece } from "../../src/log/sealed/pieces.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { anyRow } from "../batch/fixtures.ts";
import type { OpenedLog } from "./harness.ts";
import { fillMixed, openMixed, WIDE } from "./sealed/support.ts";

const wideRows = fc.sample(anyRow, { numRuns: 12, seed: 5 });

let directory: string;
let log: OpenedLog;
/** Files that are open, by name. */
const open = new Map<string, number>();

/** Counts what is opened to be read. */
const counting: Disk = {
  ...nodeDisk,
  async open(path, mode) {
    const file = await nodeDisk.open(path, mode);
    if (mode !== "read") return file;
    open.set(path, (open.get(path) ?? 0) + 1);
    const close = file.close.bind(file);
    return Object.assign(file, {
      close: () => {
        open.set(path, open.get(path)! - 1);
        return close();
      },
    });
  },
};

const stillOpen = (): string[] => [...open].flatMap(([path, count]) => (count > 0 ? [path] : []));

beforeEach(async () => {
  open.clear();
  directory = await mkdtemp(join(tmpdir(), "evert-history-"));
  log = await openMixed(counting, { directory });
  await fillMixed(log, new SeededRandom(3), wideRows, { commits: 900 });
  log.startSealing();
  await log.sealed();
  expect(log.stats().sealing.segments).toBeGreaterThan(3);
});

afterEach(async () => {
  await log.close();
  await rm(directory, { recursive: true });
});

/** Of topics that are streams here: no row is a delete. */
const topics: HistoryOptions["columns"] = new Map([
  [3, () => [0, 1]],
  [WIDE, () => [0, 2, 3]],
]);

type Row = readonly unknown[];

async function rowsOfPiece(file: HistoryPiece["file"], piece: SealedPiece): Promise<Row[]> {
  const rows: Row[] = [];
  const never = () => null;
  for await (const batch of readPiece(openedFile(file.path, file.descriptor), piece, freshMemory, never)) {
    for (let row = 0; row < batch.length; row++)
      rows.push(piece.columns.map((c) => datumAt(batch.columns[c]!, row)));
  }
  expect(rows.length).toBe(piece.rows);
  return rows;
}

async function read(from: number, to: number, wanted = topics): Promise<Map<number, Row[]>> {
  const rows = new Map<number, Row[]>([...wanted.keys()].map((id) => [id, []]));
  const columns = (id: number): readonly number[] => wanted.get(id)!() ?? [];
  for await (const group of log.read({ from, to, topics: new Set(wanted.keys()) })) {
    for (const given of group.batches) {
      const { topicId, batch } = log.inNewestSchema(given);
      for (let row = 0; row < batch.length; row++)
        rows.get(topicId)!.push(columns(topicId).map((c) => datumAt(batch.columns[c]!, row)));
    }
  }
  return rows;
}

async function inPieces(of: Log, options: Partial<HistoryOptions>): Promise<[Map<number, Row[]>, number]> {
  const { columns = topics, from = 1, to = of.durablePosition, ranges = () => [] } = options;
  const rows = new Map<number, Row[]>([...columns.keys()].map((id) => [id, []]));
  let pieces = 0;
  let next = from;
  for await (const part of of.history({ from, to, columns, ranges })) {
    if (part.kind === "groups") {
      expect(part.from).toBeGreaterThanOrEqual(next);
      expect(part.to).toBeLessThanOrEqual(to);
      next = part.to + 1;
      for (const [id, some] of await read(part.from, part.to, columns)) rows.get(id)!.push(...some);
    } else {
      pieces++;
      expect(part.lastPosition).toBeLessThanOrEqual(to);
      rows.get(part.piece.topicId)!.push(...(await rowsOfPiece(part.file, part.piece)));
      part.release();
    }
  }
  return [rows, pieces];
}

describe("history in pieces", () => {
  it("has the rows that are read otherwise, from anywhere to anywhere", async () => {
    const { durablePosition: last } = log;
    for (const [from, to] of [
      [1, last],
      [17, last - 3],
      [Math.floor(last / 3), Math.floor((2 * last) / 3)],
      [last - 5, last],
    ] as const) {
      const [rows, pieces] = await inPieces(log, { from, to });
      expect(pieces > 0).toBe(to - from > last / 4);
      expect(rows).toEqual(await read(from, to));
    }
    expect(stillOpen()).toEqual([]);
  });

  it("leaves out what cannot lie within the ranges, and nothing that may", async () => {
    // Its ids are 0 to 49, in each segment.
    const columns = new Map([[1, () => [0]]]);
    const within = (min: number) => inPieces(log, { columns, ranges: () => [{ column: 0, min }] });
    const [[all], [some, pieces], [, none]] = [
      await inPieces(log, { columns }),
      await within(40),
      await within(50),
    ];
    const idsOf = (rows: Map<number, Row[]>): number[] => rows.get(1)!.map(([id]) => id as number);
    expect(idsOf(some).filter((id) => id >= 40)).toEqual(idsOf(all).filter((id) => id >= 40));
    expect([pieces > 0, none]).toEqual([true, 0]);
  });

  it("can be read when the file has gone, until it is given back", async () => {
    const history = log.history({ from: 1, to: log.durablePosition, columns: topics, ranges: () => [] });
    const held: HistoryPiece[] = [];
    for await (const part of history) {
      if (part.kind === "groups") break;
      held.push(part);
    }
    const [first] = held;
    const there = await rowsOfPiece(first!.file, first!.piece);
    expect(there.length).toBeGreaterThan(0);
    const { path } = first!.file;
    const copy = `${path}.copy`;
    await nodeDisk.rename(path, copy);
    expect(await rowsOfPiece(first!.file, first!.piece)).toEqual(there);
    expect(stillOpen()).toContain(path);
    for (const { release } of held) release();
    expect(stillOpen()).toEqual([]);
    await nodeDisk.rename(copy, path);
    await unlink(copy).catch(() => {});
  });

  it("is told by its positions from where a column that is wanted is gone", async () => {
    const [all] = await inPieces(log, {});
    let asked = 0;
    const columns = new Map([...topics, [WIDE, () => (++asked > 2 ? null : [0, 2, 3])]]);
    const to = log.durablePosition;
    let [pieces, next] = [0, 0];
    for await (const part of log.history({ from: 1, to, columns, ranges: () => [] })) {
      if (part.kind === "groups") next = part.from;
      else {
        pieces++;
        expect(asked).toBeLessThanOrEqual(2);
        part.release();
      }
    }
    expect(pieces).toBeGreaterThan(0);
    expect(next).toBeGreaterThan(1);
    asked = 0;
    const [some] = await inPieces(log, { columns });
    // What is read by its positions is asked for here, too.
    expect(some.get(3)).toEqual(all.get(3));
    expect(stillOpen()).toEqual([]);
  });

  it("is not in pieces where no other thread finds the files", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const simulated = await openMixed(disk);
    await fillMixed(simulated, new SeededRandom(3), wideRows, { commits: 300 });
    simulated.startSealing();
    await simulated.sealed();
    const parts: unknown[] = [];
    const { durablePosition: to } = simulated;
    for await (const part of simulated.history({ from: 2, to, columns: topics, ranges: () => [] }))
      parts.push(part);
    expect(parts).toEqual([{ kind: "groups", from: 2, to }]);
    await simulated.close();
  });
});
