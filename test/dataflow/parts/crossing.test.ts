/** Rows that cross from one thread to another: what is packed there is what is unpacked here, and each is one shard's. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { datumAt } from "../../../src/batch/column.ts";
import { schemaOf } from "../../../src/batch/schema.ts";
import { text } from "../../../src/batch/types.ts";
import { createChunk } from "../../../src/dataflow/chunk.ts";
import { fillChunk } from "../../../src/dataflow/fill-chunk.ts";
import { addRows } from "../../../src/dataflow/parts/chunk-batch.ts";
import { Parcel, sharedParcel, unpack } from "../../../src/dataflow/parts/parcel.ts";
import { rowsOfShard } from "../../../src/dataflow/parts/shard.ts";
import { SharedParcels } from "../../../src/dataflow/parts/shared-parcels.ts";
import { Dictionary } from "../../../src/state/dictionary.ts";
import { batchFrom, dataOf, rowsOfEveryType, schema } from "./every-type.ts";

const rows = rowsOfEveryType(40);

it("gives each row of a chunk back as it was, in the dictionary of whoever takes it", () => {
  fc.assert(
    fc.property(
      rows,
      fc.array(
        fc.integer({ min: -3, max: 3 }).filter((w) => w !== 0),
        { minLength: 40, maxLength: 40 },
      ),
      (all, weights) => {
        const [here, there] = [new Dictionary(), new Dictionary()];
        // Ids differ.
        there.internString("a text that only this one knows");
        const batch = batchFrom(all);
        const chunk = createChunk(schema.fields);
        fillChunk(chunk, batch, 0, batch.length, here, () => true);
        chunk.length = batch.length;
        chunk.weights.set(weights);
        const odd = Int32Array.from(all.keys()).filter((row) => row % 2 === 1);
        const even = Int32Array.from(all.keys()).filter((row) => row % 2 === 0);
        const parcel = new Parcel(new SharedParcels());
        for (const picked of [odd, even]) addRows(parcel, schema, chunk, picked, picked.length, here);
        const expected = [...odd, ...even].map((row) => [weights[row], dataOf(batch)[row]]);
        const got = parcel.take().flatMap((bytes) =>
          [...unpack(bytes, schema)].flatMap((crossed) => {
            const taken = createChunk(schema.fields);
            fillChunk(taken, crossed, 0, crossed.length, there, () => true);
            taken.length = crossed.length;
            taken.weights.set(crossed.weights!);
            const back = new Parcel(null);
            const every = Int32Array.from(Array(crossed.length).keys());
            addRows(back, schema, taken, every, crossed.length, there);
            const [again] = unpack(back.take()[0]!, schema);
            return dataOf(again as never).map((row, i) => [again!.weights![i], row]);
          }),
        );
        expect(got).toEqual(expected);
      },
    ),
  );
});

it("tells every row to one shard, and equal keys to the same, whatever batch they come in", () => {
  fc.assert(
    fc.property(
      rows,
      fc.integer({ min: 1, max: 5 }),
      fc.subarray([0, 1, 2, 3, 6, 7, 8], { minLength: 1 }),
      (all, count, keys) => {
        const shardOf = new Map<string, number>();
        const twice = [
          batchFrom(all),
          [...unpack(sharedParcel(batchFrom(all.toReversed()), new SharedParcels()), schema)][0]!,
        ];
        for (const batch of twice) {
          const seen = new Set<number>();
          for (let index = 0; index < count; index++) {
            const found = new Int32Array(batch.length);
            const n = rowsOfShard(
              batch,
              keys,
              { index, count },
              0,
              batch.length,
              found,
              new Int32Array(batch.length),
            );
            for (const row of found.subarray(0, n)) {
              expect(seen.has(row)).toBe(false);
              seen.add(row);
              const key = keys.map((c) => String(datumAt(batch.columns[c]!, row))).join("|");
              expect(shardOf.get(key) ?? index).toBe(index);
              shardOf.set(key, index);
            }
          }
          expect(seen.size).toBe(batch.length);
        }
      },
    ),
  );
});

it("closes a parcel that is full", () => {
  const parcel = new Parcel(null);
  const batch = batchFrom(
    Array.from({ length: 4000 }, (_, i) => [
      true,
      i,
      BigInt(i),
      i,
      i,
      "1",
      "x".repeat(300),
      0n,
      "6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b",
    ]),
  );
  for (let i = 0; i < 8; i++) parcel.add(batch);
  const parcels = parcel.take();
  expect(parcels.length).toBeGreaterThan(1);
  expect(parcels.flatMap((bytes) => [...unpack(bytes, schema)]).map(({ length }) => length)).toEqual(
    Array(8).fill(4000),
  );
  expect(parcel.take()).toEqual([]);
});

it("gives large texts batches of their own", () => {
  const dictionary = new Dictionary();
  const long = schemaOf([{ name: "t", type: text, nullable: false }]);
  const chunk = createChunk(long.fields);
  const rowCount = 12;
  const large = (i: number): string => String.fromCharCode(97 + i).repeat(3 << 20);
  for (let i = 0; i < rowCount; i++) {
    chunk.columns[0]![i] = dictionary.internString(large(i));
    chunk.weights[i] = i + 1;
  }
  const parcel = new Parcel(null);
  addRows(
    parcel,
    long,
    chunk,
    Int32Array.from({ length: rowCount }, (_, i) => i),
    rowCount,
    dictionary,
  );
  const batches = parcel.take().flatMap((bytes) => [...unpack(bytes, long)]);
  expect(batches.length).toBeGreaterThan(1);
  const got = batches.flatMap((batch) => dataOf(batch as never).map(([t], i) => [t, batch.weights![i]]));
  expect(got.map(([, weight]) => weight)).toEqual(Array.from({ length: rowCount }, (_, i) => i + 1));
  expect(got.every(([t], i) => String(t) === large(i))).toBe(true);
});
