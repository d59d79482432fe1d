import { expect, test } from "vitest";
import { LogIndex } from "../../../src/log/log-index.ts";
import { Sealer } from "../../../src/log/sealed/sealer.ts";
import { SegmentThread } from "../../../src/log/thread/segment-thread.ts";
import { TopicRegistry } from "../../../src/log/topics.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";

/** Frames left to those who append for each piece of work. */
const FRAMES = 16;

function sealerBeside(log: { isAppending: boolean }): Sealer {
  const parts = {
    disk: new SimulatedDisk(),
    directory: "log",
    registry: new TopicRegistry(),
    logId: 1,
    report: () => {},
  };
  return new Sealer({
    ...parts,
    thread: new SegmentThread({ ...parts, leaveRoom: () => null }),
    index: new LogIndex(),
    retryMs: 1000,
    isAppending: () => log.isAppending,
    sealed: () => {},
  });
}

/** Who asked first to go on is first in the list that is filled. */
function wait(sealer: Sealer, names: readonly string[], gone: string[]): void {
  for (const name of names) void sealer.room()?.then(() => gone.push(name));
}

async function frames(sealer: Sealer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) sealer.progressed();
  await Promise.resolve();
}

test("of those who work in the background one does a piece for each sixteen frames, not each of them", async () => {
  const sealer = sealerBeside({ isAppending: true });
  const gone: string[] = [];
  wait(sealer, ["sealing", "compaction"], gone);
  await frames(sealer, FRAMES - 1);
  expect(gone).toEqual([]);
  await frames(sealer, 1);
  expect(gone).toEqual(["sealing"]);
  wait(sealer, ["sealing"], gone);
  await frames(sealer, FRAMES);
  expect(gone).toEqual(["sealing", "compaction"]);
  await frames(sealer, FRAMES);
  expect(gone).toEqual(["sealing", "compaction", "sealing"]);
});

test("at rest all of them go on, and who comes later waits no longer for it", async () => {
  const log = { isAppending: true };
  const sealer = sealerBeside(log);
  const gone: string[] = [];
  wait(sealer, ["sealing", "compaction", "erasure"], gone);
  log.isAppending = false;
  await frames(sealer, 1);
  expect(gone).toEqual(["sealing", "compaction", "erasure"]);
  expect(sealer.room()).toBeNull();
  log.isAppending = true;
  wait(sealer, ["later"], gone);
  await frames(sealer, FRAMES);
  expect(gone.at(-1)).toBe("later");
});
