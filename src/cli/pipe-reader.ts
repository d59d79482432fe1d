/**
 * Whether somebody still reads the pipe that is standard output.
 *
 * A pipe tells its writer of that at the next write only, and a command that follows may have nothing to write for days. Node cannot poll
 * it either. Linux shows every process's open files:
 * 1. The reader is looked up in /proc once, before anything is written.
 * 2. Every second its entry is looked at again: one system call.
 * 3. Where it has changed, all processes are looked through. A reader that cannot be found twice in a row is gone.
 * Where there is no /proc, or the reader was never seen (it may be another user's), the next write has to tell.
 */
import { fstatSync, lstatSync, readdirSync, readlinkSync } from "node:fs";

const checkMs = 1000;

/** Calls `onGone` once, when the reader of standard output has been seen and is gone. Does not keep the process running. */
export function watchPipeReader(onGone: () => void): void {
  const output = fstatSync(1);
  if (process.platform !== "linux" || !output.isFIFO()) return;
  const pipe = `pipe:[${output.ino}]`;
  let reader = findReader(pipe);
  if (reader === null) return;
  let missed = 0;
  const timer = setInterval(() => {
    if (reader !== null && isOpenOn(reader, pipe)) return;
    reader = findReader(pipe);
    missed = reader === null ? missed + 1 : 0;
    if (missed < 2) return;
    clearInterval(timer);
    onGone();
  }, checkMs);
  timer.unref();
}

/** The path of an open file that reads the pipe. */
function findReader(pipe: string): string | null {
  for (const process of entries("/proc")) {
    if (!/^\d+$/.test(process)) continue;
    const files = `/proc/${process}/fd`;
    for (const file of entries(files)) if (isOpenOn(`${files}/${file}`, pipe)) return `${files}/${file}`;
  }
  return null;
}

/** The link's rights say how the file is open: 0400 for reading. */
function isOpenOn(path: string, pipe: string): boolean {
  try {
    return readlinkSync(path) === pipe && (lstatSync(path).mode & 0o400) !== 0;
  } catch {
    return false; // closed meanwhile, or not ours to look at
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // a process that has ended, or another user's
  }
}
