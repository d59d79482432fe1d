/** A file of cold rows that was left while a sweep had listed the directory was removed twice, and the second time reported. */
import { expect, it } from "vitest";
import { RunFiles } from "../../src/state/cold/run-files.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

it("a file that a sweep has removed is not missed", async () => {
  const disk = new SimulatedDisk();
  const said: string[] = [];
  const files = new RunFiles(disk, "/data/checkpoint", (message) => said.push(message));
  const left = await files.create();
  const swept = files.published(new Set());
  left.release();
  await swept;
  await files.published(new Set());
  expect(disk.files()).toEqual([]);
  expect(said).toEqual([]);
});
