/** The list of writes and syncs behind sealing, as a text one can read: rewritten by `vitest --update`. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { append, openSmall, room, stage } from "../harness.ts";

test("what reaches the disk when a segment is sealed, and in which order", async () => {
  let disk = new SimulatedDisk({ seed: 3 });
  const lines: string[] = [];
  let shown = disk.trace.length;
  const tell = (title: string): void => {
    const news = disk.trace.slice(shown).filter((line) => !/lock\.owner|next-/.test(line));
    lines.push(`# ${title}`, ...news.map((line) => line.replaceAll("/data/", "")), "");
    shown = disk.trace.length;
  };
  let log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "first" }]);
  await room(log, 66_000);
  await stage(log, [{ topicId: 1, id: 2, note: "x".repeat(65_500) }]).durable;
  shown = disk.trace.length;
  log.startSealing();
  await log.sealed();
  tell("the first segment is full: the sealed form is written and synced, gets its name, and the frames go");
  await log.close();

  disk = new SimulatedDisk({ seed: 3 });
  log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "first" }]);
  await room(log, 66_000);
  await stage(log, [{ topicId: 1, id: 2, note: "x".repeat(65_500) }]).durable;
  disk.fail({ operation: "unlink", path: /\.log$/, code: "EIO" });
  log.startSealing();
  await log.sealed();
  await log.close();
  shown = disk.trace.length;
  log = await openSmall(disk);
  tell("open where both forms are there: the sealed one is read, the frames go");
  await log.close();

  await expect(lines.join("\n")).toMatchFileSnapshot("./io-trace.txt");
});
