/**
 * A process of its own that appends to the log in the directory given, seals what is full, and prints each position once it is
 * acknowledged.
 */
import { systemClock } from "../../src/base/clock.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { openLog } from "../../src/log/open-log.ts";
import { register, room, stage } from "./harness.ts";

const log = await openLog({
  directory: process.argv[2]!,
  disk: nodeDisk,
  clock: systemClock,
  segmentBytes: 64 * 1024,
});
register(log);
log.startSealing();
process.stdout.write("open\n");
await Promise.all(
  Array.from({ length: 8 }, async (_, client) => {
    for (let id = 0; ; id++) {
      const note = "x".repeat((id * 37) % 500);
      await room(log, 600);
      const row = { topicId: 1 + (client % 3), id: log.lastPosition + 1, note };
      const { position, durable } = stage(log, [row], `${process.pid}/${client}/${id}`);
      await durable;
      process.stdout.write(`${position}\n`);
    }
  }),
);
