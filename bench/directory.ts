/** A data directory on the disk of this repository (a temporary directory may lie in memory), removed afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

export async function withDirectory<T>(run: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(import.meta.dirname, "data-"));
  try {
    return await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
