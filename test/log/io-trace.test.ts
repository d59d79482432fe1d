/** The list of writes and syncs behind a few operations, as a text one can read: rewritten by `vitest --update`. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, room, stage } from "./harness.ts";

/** Until the disk has been quiet for a while. */
async function quiet(disk: SimulatedDisk): Promise<void> {
  for (let idle = 0, seen = -1; idle < 20; idle++) {
    if (disk.trace.length !== seen) idle = 0;
    seen = disk.trace.length;
    await new Promise((done) => setImmediate(done));
  }
}

test("what reaches the disk, and in which order", async () => {
  let disk = new SimulatedDisk({ seed: 3 });
  const lines: string[] = [];
  let shown = 0;
  const tell = async (title: string): Promise<void> => {
    await quiet(disk);
    lines.push(`# ${title}`);
    // The owner's note holds a process id and a host name; where it is written is shown, what is not.
    const news = disk.trace.slice(shown).filter((line) => !/lock\.owner (at|to)/.test(line));
    lines.push(...news.map((line) => line.replaceAll("/data/", "")), "");
    shown = disk.trace.length;
  };
  const reopened = (next: SimulatedDisk): void => {
    disk = next;
    shown = 0;
  };

  let log = await openSmall(disk);
  await tell("open an empty directory: zeros are made ahead");
  await append(log, [{ topicId: 1, id: 1, note: "first" }]);
  await tell(
    "the first commit: the file gets its name, then one write and one sync; the next file is prepared",
  );
  await append(log, [{ topicId: 1, id: 2, note: "second" }]);
  await tell("a commit: one write and one sync");
  const together = [3, 4, 5].map((id) => stage(log, [{ topicId: 1, id, note: "together" }]));
  await Promise.all(together.map(({ durable }) => durable));
  await tell("three commits of one turn: one write and one sync");
  const sealed = [10, 11, 12, 13].map((id) => {
    const { durable } = stage(log, [{ topicId: 1, id, note: "sealed" }]);
    log.seal();
    return durable;
  });
  await Promise.all(sealed);
  await tell("four groups: a write and a sync of the first, and one of all that waited meanwhile");
  await room(log, 60_000);
  await stage(log, [{ topicId: 1, id: 6, note: "x".repeat(66_000) }]).durable.catch(() => {});
  await tell("a commit that does not fit the segment goes to the next one");
  await log.close();
  await tell("close: a closing mark");
  log = await openSmall(disk);
  await tell("open again: names are made sure of, what was prepared is thrown away and made anew");
  await append(log, [{ topicId: 1, id: 7, note: "left open" }]);
  await tell("a commit");
  reopened(disk.reboot("process"));
  log = await openSmall(disk);
  await tell("open after the process died: the last frame is written again and synced");
  await log.close();
  await tell("close");

  await expect(lines.join("\n")).toMatchFileSnapshot("./io-trace.txt");
});
