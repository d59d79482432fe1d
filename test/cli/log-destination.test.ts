import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { logDestination } from "../../src/cli/log-destination.ts";

afterEach(() => vi.restoreAllMocks());

test("lines that cannot be written are kept up to a mebibyte, and the log goes on when they can", () => {
  const directory = fs.mkdtempSync(join(tmpdir(), "evert-log-"));
  const file = join(directory, "log");
  const fd = fs.openSync(file, "w");
  const lines = logDestination(fd);
  const full = vi.spyOn(fs, "writeSync").mockImplementation(() => {
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  });
  for (let i = 0; i < 3 * 1024; i++) lines.write(`${String(i).padStart(1023, ".")}\n`);
  expect(full).toHaveBeenCalled();
  full.mockRestore();
  lines.write(`${"dropped".padStart(1023, ".")}\n`);
  lines.write("and on\n");
  const written = fs.readFileSync(file, "utf8");
  expect(written.length).toBe(2 ** 20 + "and on\n".length);
  expect(written.endsWith(".1023\nand on\n")).toBe(true);
  fs.closeSync(fd);
  fs.rmSync(directory, { recursive: true });
});
