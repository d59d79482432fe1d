/**
 * A disk that kills its process: at the n-th call that changes something since it was armed, SIGKILL comes in the place of the call. Of a write that is to
 * be torn, the first half is written before.
 */
import type { Disk, DiskFile } from "../../src/base/disk.ts";

export interface KillingDisk extends Disk {
  /** From now on calls count. `tears`: in a write, in the middle of it. */
  arm(at: number, tears: boolean): void;
  /** What was called since, one line each. */
  readonly calls: readonly string[];
}

export function killingDisk(disk: Disk): KillingDisk {
  const calls: string[] = [];
  let deadly = Number.POSITIVE_INFINITY;
  let tearing = false;
  let isArmed = false;

  /** Before a call; `half` does half of it. */
  const count = async (call: string, half?: () => Promise<unknown>): Promise<void> => {
    if (!isArmed) return;
    calls.push(call);
    if (calls.length !== deadly) return;
    if (tearing && half !== undefined) await half();
    process.kill(process.pid, "SIGKILL");
    // It comes at once; nothing more is done until then.
    await new Promise(() => {});
  };

  const wrapped = (file: DiskFile): DiskFile => ({
    path: file.path,
    read: (target, at) => file.read(target, at),
    readNow: (target, at) => file.readNow(target, at),
    async write(source, at) {
      await count(`write ${file.path}`, () => file.write(source.subarray(0, source.length >> 1), at));
      return file.write(source, at);
    },
    async datasync() {
      await count(`datasync ${file.path}`);
      return file.datasync();
    },
    async truncate(size) {
      await count(`truncate ${file.path}`);
      return file.truncate(size);
    },
    size: () => file.size(),
    close: () => file.close(),
  });

  return {
    calls,
    arm(at, tears) {
      isArmed = true;
      deadly = at;
      tearing = tears;
      calls.length = 0;
    },
    async open(path, mode) {
      if (mode !== "read") await count(`open ${path}`);
      return wrapped(await disk.open(path, mode));
    },
    list: (directory) => disk.list(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    async rename(from, to) {
      await count(`rename ${from}`);
      return disk.rename(from, to);
    },
    async unlink(path) {
      await count(`unlink ${path}`);
      return disk.unlink(path);
    },
    async removeTree(path) {
      await count(`remove ${path}`);
      return disk.removeTree(path);
    },
    async syncDirectory(path) {
      await count(`sync ${path}`);
      return disk.syncDirectory(path);
    },
    async openDirectory(path) {
      const held = await disk.openDirectory(path);
      return {
        async sync() {
          await count(`sync ${path}`);
          return held.sync();
        },
        close: () => held.close(),
      };
    },
    lock: (path) => disk.lock(path),
  };
}
