/** The list of writes and syncs behind a compaction, as a text one can read: rewritten by `vitest --update`. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { append, room, stage } from "../harness.ts";
import { openKept, rules, STREAM, sealAll, TABLE, WHOLE } from "./support.ts";

async function twoSegments(disk: SimulatedDisk) {
  const log = await openKept(disk);
  await append(log, [
    { topicId: TABLE, id: 1, note: "first" },
    { topicId: STREAM, id: 1, note: "event" },
    { topicId: WHOLE, id: 1, note: "kept" },
  ]);
  for (const id of [2, 3]) {
    await room(log, 66_000);
    await stage(log, [{ topicId: TABLE, id: 1, note: `${id}`.repeat(65_500) }]).durable;
  }
  await sealAll(log);
  log.keep(rules({ [TABLE]: { tombstonesForUs: 0 }, [STREAM]: { retainBytes: 0 } }));
  return log;
}

test("what reaches the disk when rows are taken out, and in which order", async () => {
  const lines: string[] = [];
  let shown = 0;
  const tell = (disk: SimulatedDisk, title: string): void => {
    const news = disk.trace.slice(shown).filter((line) => !/lock\.owner|next-/.test(line));
    lines.push(`# ${title}`, ...news.map((line) => line.replaceAll("/data/", "")), "");
    shown = disk.trace.length;
  };
  let disk = new SimulatedDisk({ seed: 3 });
  let log = await twoSegments(disk);
  shown = disk.trace.length;
  await log.compact();
  tell(disk, "what is left is written and synced, gets its name, and the form it was made of goes");
  await log.compact();
  tell(disk, "once more: there is nothing to do");
  await log.close();

  disk = new SimulatedDisk({ seed: 3 });
  log = await twoSegments(disk);
  disk.fail({ operation: "unlink", path: /\.sealed$/, code: "EIO" });
  await log.compact();
  await log.close();
  shown = disk.trace.length;
  log = await openKept(disk);
  tell(disk, "open where two generations are there: the newer one is read, the older one goes");
  await log.close();

  await expect(lines.join("\n")).toMatchFileSnapshot("./io-trace.txt");
});
