/** Rows in memory that all threads see: what is put there is what lies there, and each row is on the list of the shard that it would be told to anyhow. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { int8 } from "../../../src/batch/types.ts";
import { listShards, rowsOfShard } from "../../../src/dataflow/parts/shard.ts";
import { SharedWriter, sharedBatches } from "../../../src/dataflow/parts/shared-rows.ts";
import { batchFrom, dataOf, rowsOfEveryType, schema, types } from "./every-type.ts";

/** All but floats, whose equality is their own. */
const keys = [[1], [2, 6], [0, 3, 5, 7, 8]];
const rows = rowsOfEveryType(60);

it("lie as they were, in the memory given and in more where that is used up, and are listed for their shards", () => {
  fc.assert(
    fc.property(
      fc.array(rows, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 0, max: 4096 }),
      fc.integer({ min: 1, max: 5 }),
      (all, given, shards) => {
        const batches = all.map(batchFrom);
        const writer = new SharedWriter([new Uint8Array(new SharedArrayBuffer(given))]);
        const places = types.map((_, c) => c);
        for (const batch of batches) writer.add(batch, places, keys, shards);
        // As in another thread, which shares nothing but the memory.
        const there = structuredClone(writer.written);
        expect(there.rows).toBe(batches.reduce((sum, { length }) => sum + length, 0));
        const lying = [...sharedBatches(there, schema, places)];
        expect(lying.map(({ batch }) => dataOf(batch))).toEqual(batches.map(dataOf));
        for (const [i, { batch, rows: rowsOf }] of lying.entries()) {
          expect(rowsOf(null, 0)).toBeNull();
          for (const [list, key] of keys.entries()) {
            for (let index = 0; index < shards; index++) {
              const room = new Int32Array(batch.length);
              const n = rowsOfShard(
                batches[i]!,
                key,
                { index, count: shards },
                0,
                batch.length,
                room,
                new Int32Array(batch.length),
              );
              expect([...rowsOf(list, index)!]).toEqual([...room.subarray(0, n)]);
            }
          }
        }
      },
    ),
    { numRuns: 150 },
  );
});

it("tells integers that come as doubles to the shards that their words tell them to", () => {
  const safe = fc.maxSafeInteger();
  fc.assert(
    fc.property(fc.array(safe, { minLength: 1 }), fc.integer({ min: 1, max: 7 }), (values, shards) => {
      const { length } = values;
      const of = { kind: "fixed", type: int8, length, validity: null } as const;
      const [doubles, words] = [new Int32Array(length), new Int32Array(length)];
      const ends = listShards([{ ...of, values: Float64Array.from(values) }], length, shards, doubles);
      const big = BigInt64Array.from(values, BigInt);
      expect(ends).toEqual(listShards([{ ...of, values: big }], length, shards, words));
      expect(doubles).toEqual(words);
    }),
  );
});
