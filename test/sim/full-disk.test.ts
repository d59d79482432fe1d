/** A real file system that is full: appends are refused, all else goes on, and appends go on by themselves when there is room again. */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { Directories } from "../engine/support/directories.ts";

const program = fileURLToPath(new URL("full-disk.ts", import.meta.url));
const MOUNT = [
  "--mount",
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
  "--propagation",
  "private",
];
/** A file system in memory that only the process sees, and that is gone with it. */
const canMount =
  spawnSync("unshare", [...MOUNT, "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"]).status === 0;

if (!canMount) console.warn("not tried on a full disk: nothing may be mounted here");

const directories = new Directories();

function onSmallDisk(place: string, segmentBytes: number): Promise<string> {
  const script = `mount -t tmpfs -o size=6m none "${place}" && exec "${process.execPath}" "${program}" "${place}" ${segmentBytes}`;
  const child = spawn("unshare", [...MOUNT, "sh", "-c", script], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let wrong = "";
  child.stdout.on("data", (bytes) => {
    said += String(bytes);
  });
  child.stderr.on("data", (bytes) => {
    wrong += String(bytes);
  });
  return new Promise((resolve, reject) => {
    child.on("close", (code) => (code === 0 ? resolve(said) : reject(new Error(wrong))));
  });
}

async function seen(segmentBytes: number) {
  const said = JSON.parse(await onSmallDisk(await directories.make(), segmentBytes));
  expect(said.full.taken).toBeGreaterThan(20);
  return said;
}

// Mounting takes root, or a kernel that lets users have a namespace of their own.
it.skipIf(!canMount)(
  "refuses appends by name, reads and pushes on, and takes appends again when there is room",
  async () => {
    // One file only: nothing that is sealed makes room by itself between two appends.
    const { full, after, rows, restarted, steps, fatal } = await seen(64 << 20);
    const { taken } = full;
    expect(full).toEqual({
      taken,
      filled: "disk_full",
      again: "disk_full",
      rows: [{ c: taken, k: taken - 1 }],
      query: [`[${taken}]`],
      checkpoint: expect.toBeOneOf(["disk_full", null]),
    });
    expect(after).toEqual({ append: null, checkpoint: null });
    expect(rows).toEqual([{ c: taken + 1, k: taken }]);
    expect([restarted, steps, fatal]).toEqual([rows, true, []]);
  },
  60_000,
);

it.skipIf(!canMount)(
  "goes on by itself where sealing makes the room",
  async () => {
    const { full, after, rows, restarted, steps, fatal } = await seen(256 * 1024);
    const { taken } = full;
    // A segment that is sealed, or one whose sealing is given up for want of room, leaves room for the next append: whether in time for it is not said.
    const kept = taken + (full.again === null ? 1 : 0);
    expect(full).toEqual({
      taken,
      filled: "disk_full",
      again: expect.toBeOneOf(["disk_full", null]),
      rows: [{ c: kept, k: taken - 1 }],
      query: [`[${kept}]`],
      checkpoint: expect.toBeOneOf(["disk_full", null]),
    });
    expect(after).toEqual({ append: null, checkpoint: null });
    expect(rows).toEqual([{ c: kept + 1, k: taken }]);
    expect([restarted, steps, fatal]).toEqual([rows, true, []]);
  },
  60_000,
);
