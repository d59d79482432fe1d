/**
 * Room for the collectors of worker threads.
 *
 * The collector of a thread begins its work whenever what the thread holds has grown by some 20 MB, state outside its heap included. State grows by
 * gigabytes, and the collector finds next to nothing of it to free: a third of what workers did was that (docs/decisions/0038-worker-threads.md). Told that a heap may be
 * larger to begin with, it waits for longer. The price is memory that nobody uses any more and that is found later, at most as much again in each thread, so it is a
 * small part of what state may take.
 *
 * This is a setting of the whole process, for threads that are started after it: `evert start` has a process of its own and makes it, the library does not.
 */
import { setFlagsFromString } from "node:v8";

const MIB = 2 ** 20;
/** With more than that there was nothing left to gain. */
const ROOM_MIB_MAX = 256;
/** About where the collector begins by itself. */
const ROOM_MIB_MIN = 32;
/** Of what state may take, all threads together. */
const SHARE = 1 / 8;

/** How large a heap of each worker may be before it is looked at; 0: let the collector decide. */
export function workerRoomMib(workers: number, memoryLimit: number): number {
  if (workers === 0) return 0;
  const room = Math.min(ROOM_MIB_MAX, Math.floor((memoryLimit * SHARE) / workers / MIB));
  return room < ROOM_MIB_MIN ? 0 : room;
}

/** Before the first worker is started. Whoever started the process may have said otherwise. */
export function giveWorkersRoom(workers: number, memoryLimit: number): void {
  const room = workerRoomMib(workers, memoryLimit);
  const isGiven = process.execArgv.some((argument) =>
    /^--initial[-_](old[-_]space|heap)[-_]size/.test(argument),
  );
  if (room > 0 && !isGiven) setFlagsFromString(`--initial-old-space-size=${room}`);
}
