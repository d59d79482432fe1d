/**
 * A row that comes alone is tried as bytes first. One that is not taken so, since it may be too long, had been converted by then, and was converted once more for the builder: of a topic of
 * documents every append took twice the time.
 */
import { afterEach, expect, test, vi } from "vitest";
import { EncodedBatch } from "../../src/batch/codec.ts";
import { RowWriters } from "../../src/batch/row-bytes.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4, jsonb } from "../../src/batch/types.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openSmall, room } from "../log/harness.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("a topic of long rows is seldom asked whether it has short ones", async () => {
  let asked = 0;
  const real = RowWriters.prototype.for;
  vi.spyOn(RowWriters.prototype, "for").mockImplementation(function counted(this: RowWriters, schema) {
    const writer = real.call(this, schema)!;
    return (row, target) => {
      asked++;
      return writer(row, target);
    };
  });
  const log = await openSmall(new SimulatedDisk({ seed: 1 }));
  const schema = schemaOf([
    { name: "id", type: int4, nullable: false },
    { name: "body", type: jsonb, nullable: false },
  ]);
  log.registerTopic({ topicId: 7, schemaVersion: 1, schema, keyColumns: [0] });
  const forms: string[] = [];
  log.onSealed((group) => {
    for (const { batch } of group.batches) forms.push(batch instanceof EncodedBatch ? "bytes" : "columns");
  });
  const append = async (id: number, words: number): Promise<void> => {
    await room(log, 16 * 1024);
    const draft = log.begin();
    draft.appendRow(7, { id, body: Array.from({ length: words }, (_, i) => `word ${i}`) });
    draft.commit();
    log.seal();
  };
  for (let id = 0; id < 64; id++) await append(id, 500);
  expect(asked).toBe(4);
  expect(forms).not.toContain("bytes");
  // Short ones are found out in a while.
  for (let id = 64; id < 84; id++) await append(id, 2);
  expect(forms.slice(-3)).toEqual(["bytes", "bytes", "bytes"]);
  await log.close();
});
