/**
 * Whether somebody still reads the pipe that is standard output.
 *
 * A pipe tells its writer of that at the next write only, and a command that follows may have nothing to write for days. Node cannot poll it either, and Linux tells nobody
 * how many readers a pipe without a name has; but it shows every process's open files:
 * 1. The reader is looked up in /proc once, before anything is written.
 * 2. Now and then its entry is looked at again: one system call.
 * 3. Where it has changed, all processes are looked through. A reader that cannot be found twice in a row is gone.
 * 4. One that was never seen may have left already (`| head -c0`), or be out of sight: another user's, or outside of a container. Who made the pipe tells the two apart.
 *    Our ancestors up to there have it open; a shell between its two ends has not, and what it has started it shows. So the reader has left if the first ancestor
 *    without the pipe, and all that descends from it, lets its files be seen.
 * Where there is no /proc, or the reader is out of sight, the next write has to tell.
 */
import { fstatSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

const checkMs = 250;

/** Calls `onGone` once, when the reader of standard output is gone. Does not keep the process running. */
export function watchPipeReader(onGone: () => void): void {
  const output = fstatSync(1);
  if (process.platform !== "linux" || !output.isFIFO()) return;
  const pipe = `pipe:[${output.ino}]`;
  let reader = findReader(pipe);
  if (reader === null && !wouldBeSeen(pipe)) return;
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
  for (const process of processes()) {
    const files = `/proc/${process}/fd`;
    for (const file of entries(files) ?? [])
      if (isOpenOn(`${files}/${file}`, pipe)) return `${files}/${file}`;
  }
  return null;
}

/** The link's rights say how the file is open: 0400 for reading. */
function isOpenOn(path: string, pipe: string, right = 0o400): boolean {
  try {
    return readlinkSync(path) === pipe && (lstatSync(path).mode & right) !== 0;
  } catch {
    return false; // closed meanwhile, or not ours to look at
  }
}

/** Whether a reader that is there could be found. */
function wouldBeSeen(pipe: string): boolean {
  const parents = new Map(processes().map((pid) => [pid, parentOf(pid)]));
  let maker = String(process.ppid);
  while (holds(maker, pipe)) {
    const above = parents.get(maker);
    if (above === undefined) return false;
    maker = above;
  }
  if (!parents.has(maker)) return false;
  for (const pid of parents.keys()) if (descends(pid, maker, parents) && isHidden(pid)) return false;
  return true;
}

function holds(pid: string, pipe: string): boolean {
  const files = `/proc/${pid}/fd`;
  return (entries(files) ?? []).some((file) => isOpenOn(`${files}/${file}`, pipe, 0o200));
}

/** Whether it is `ancestor`, or was started below it. */
function descends(pid: string, ancestor: string, parents: ReadonlyMap<string, string>): boolean {
  for (let at: string | undefined = pid; at !== undefined; at = parents.get(at))
    if (at === ancestor) return true;
  return false;
}

/** There, and its files are not ours to look at. */
function isHidden(pid: string): boolean {
  return entries(`/proc/${pid}/fd`) === null && entries(`/proc/${pid}`) !== null;
}

/** In /proc/PID/stat it stands behind the name, which is in brackets and may have any in it, and the state. */
function parentOf(pid: string): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? "";
  } catch {
    return ""; // it has ended
  }
}

function processes(): string[] {
  return (entries("/proc") ?? []).filter((name) => /^\d+$/.test(name));
}

/** Null: not there, or another user's. */
function entries(directory: string): string[] | null {
  try {
    return readdirSync(directory);
  } catch {
    return null;
  }
}
