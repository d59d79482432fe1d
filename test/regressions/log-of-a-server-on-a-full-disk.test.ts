/** A server whose standard error was a file on the disk that was full ended at its next line, where reads were to go on. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../cli/run.ts";
import { removeChecked } from "../support/left-behind.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-full-log-"));
});
afterEach(() => removeChecked(directory));

test.runIf(existsSync("/dev/full"))("a line that cannot be written ends nothing", async () => {
  const full = openSync("/dev/full", "w");
  const server = spawn(process.execPath, [main, "start", "--port", "0", "--data", join(directory, "data")], {
    stdio: ["ignore", "pipe", full],
  });
  closeSync(full);
  const ended = once(server, "close");
  await Promise.race([once(server.stdout!, "data"), ended]);
  // Which it says on standard error.
  server.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
