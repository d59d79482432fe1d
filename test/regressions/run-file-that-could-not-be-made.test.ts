/**
 * A file for rows on disk that could not be opened, or emptied, was counted among those in use for as long as the process lived: whatever was erased from then on ended, after a
 * minute, with the message that somebody still reads what is erased; and what had been opened stayed open.
 */
import { expect, it } from "vitest";
import { RunFiles } from "../../src/state/cold/run-files.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

it.each(["open", "truncate"] as const)("is in nobody's use (%s)", async (operation) => {
  const disk = new SimulatedDisk();
  const files = new RunFiles(disk, "/data/checkpoint", (message) => expect.fail(message));
  disk.fail({ operation, path: /run-/, code: operation === "open" ? "EMFILE" : "EIO" });
  await expect(files.create()).rejects.toThrow();
  const before = files.names;
  expect(before).toEqual([]);
  const next = await files.create();
  next.release();
  await files.published(new Set());
  expect(await files.swept([...before, next.name])).toBe(true);
  expect(disk.files()).toEqual([]);
});
