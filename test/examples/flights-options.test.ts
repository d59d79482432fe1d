/** `npm start` with options it cannot read: says what is wrong and what there is, ends with 2. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

function start(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const node = ["--conditions=evert-source", "examples/flights/start.ts", ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

test.each([
  ["an unknown option", ["--wat"], /^error: Unknown option '--wat'/],
  ["a port that is no number", ["--port", "abc"], /^error: --port must be a whole number up to 65535: abc\n/],
  ["rows that are no number", ["--rows", "-1"], /^error: /],
])("%s", async (_name, args, message) => {
  const { code, stderr } = await start(...args);
  expect(stderr).toMatch(message);
  expect(stderr).toContain("npm start -- [--data DIR]");
  expect(code).toBe(2);
});

test("says what options there are", async () => {
  expect(await start("--help")).toEqual({
    code: 0,
    stdout: expect.stringContaining("npm start -- [--data DIR]"),
    stderr: "",
  });
});
