/** Files that are small enough to be written and read as a whole. */
import { type Disk, type DiskFile, joinPath, readFully, writeFully } from "./disk.ts";
import { EvertError } from "./errors.ts";

/** Writes the file anew and syncs it. Its name is on the disk when the directory is synced. */
export async function writeWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, "write");
  try {
    await file.truncate(0);
    await writeFully(file, bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** The file holds these bytes from now on, or, after a crash, what it held before. `temporary`: its name while it is written. */
export async function replaceWhole(
  disk: Disk,
  directory: string,
  { name, temporary }: { readonly name: string; readonly temporary: string },
  bytes: Uint8Array,
): Promise<void> {
  const path = joinPath(directory, temporary);
  await writeWhole(disk, path, bytes);
  await disk.rename(path, joinPath(directory, name));
  await disk.syncDirectory(directory);
}

/** All of the file; null: there is none. @throws EvertError log_damaged where it is larger than any that was written whole */
export async function readWhole(disk: Disk, path: string, bytesMax: number): Promise<Uint8Array | null> {
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (error instanceof EvertError && error.code === "not_found") return null;
    throw error;
  }
  try {
    const size = await file.size();
    if (size > bytesMax) throw new EvertError("log_damaged", `${path} has ${size} bytes, which is too many`);
    const bytes = new Uint8Array(size);
    await readFully(file, bytes, 0);
    return bytes;
  } finally {
    await file.close();
  }
}
