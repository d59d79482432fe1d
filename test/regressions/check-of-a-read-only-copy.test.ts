/**
 * A backup on a file system that is mounted read-only could not be checked: the note of who has it locked could not be written, which nobody needs there. Nor could one whose files
 * belong to somebody else and may only be read.
 */
import { expect, test } from "vitest";
import { diskError } from "../../src/base/disk.ts";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall } from "../log/harness.ts";

class ReadOnly extends SimulatedDisk {
  readonly #why: string;

  constructor(why: string) {
    super();
    this.#why = why;
  }

  override async open(...[path, mode]: Parameters<SimulatedDisk["open"]>) {
    if (this.isMounted && mode === "write")
      throw diskError(this.#why, "open", path, Object.assign(new Error(this.#why), { code: this.#why }));
    return super.open(path, mode);
  }

  isMounted = false;
}

test.each(["EROFS", "EACCES", "EPERM"])("it is checked, and no server opens it: %s", async (why) => {
  const disk = new ReadOnly(why);
  const log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "a" }]);
  await log.close();
  disk.isMounted = true;
  expect(await checkLog("/data", disk)).toMatchObject({ damages: [], lastPosition: 1 });
  await expect(openSmall(disk)).rejects.toMatchObject({ code: "io_error" });
});
