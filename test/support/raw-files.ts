/** All that lies in a directory, as one can find it there: bytes as they are, and those of sealed segments decompressed, too. */
import type { Page } from "../../src/log/sealed/page.ts";
import { openSealed, readPage, readRun } from "../../src/log/sealed/sealed-segment.ts";
import { parseSegmentName } from "../../src/log/segment.ts";
import type { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

/** Names of the files in which the bytes are. */
export async function filesWith(disk: SimulatedDisk, bytes: Uint8Array): Promise<string[]> {
  const found: string[] = [];
  for (const path of disk.files()) {
    for (const piece of await pieces(disk, path)) {
      if (Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).includes(Buffer.from(bytes))) {
        found.push(path);
        break;
      }
    }
  }
  return found;
}

async function pieces(disk: SimulatedDisk, path: string): Promise<Uint8Array[]> {
  const raw = [disk.contents(path)];
  const name = parseSegmentName(path.slice(path.lastIndexOf("/") + 1));
  if (name?.form !== "sealed") return raw;
  const segment = await openSealed(disk, path, name.firstPosition, name.generation);
  const file = await disk.open(path, "read");
  const add = async (page: Page): Promise<void> => {
    raw.push(await readPage(file, segment.name, page));
  };
  for (const { page } of segment.directory.commitPages) await add(page);
  for (const run of segment.directory.runs) {
    if (run.kept === 0) continue;
    await add(run.section);
    for (const { boundaries, deletes, columns, opaque } of (await readRun(file, segment, run)).blocks)
      for (const page of [boundaries, deletes, ...columns, opaque]) if (page !== null) await add(page);
  }
  await file.close();
  return raw;
}
