/** A backup on a file system that is mounted read-only could not be checked: the note of who has it locked could not be written, which nobody needs there. */
import { expect, test } from "vitest";
import { diskError } from "../../src/base/disk.ts";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall } from "../log/harness.ts";

class ReadOnly extends SimulatedDisk {
  override async open(...[path, mode]: Parameters<SimulatedDisk["open"]>) {
    if (this.isMounted && mode === "write")
      throw diskError("EROFS", "open", path, Object.assign(new Error("EROFS"), { code: "EROFS" }));
    return super.open(path, mode);
  }

  isMounted = false;
}

test("it is checked, and no server opens it", async () => {
  const disk = new ReadOnly();
  const log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "a" }]);
  await log.close();
  disk.isMounted = true;
  expect(await checkLog("/data", disk)).toMatchObject({ damages: [], lastPosition: 1 });
  await expect(openSmall(disk)).rejects.toMatchObject({ code: "io_error" });
});
