/** `npm start` with options it cannot read: says what is wrong and what there is, ends with 2. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
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

test("says of fewer rows that their last sixth is replayed: they end long before the last month", async () => {
  const directory = await mkdtemp(join(tmpdir(), "evert-flights-"));
  const node = [
    "--conditions=evert-source",
    "examples/flights/main.ts",
    "--port",
    "0",
    "--rows",
    "600",
    "--data",
    directory,
  ];
  const child = spawn(process.execPath, node, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  try {
    let said = "";
    for await (const text of child.stdout.setEncoding("utf8")) {
      said += text;
      if (said.includes("history is in")) break;
    }
    expect(said).toMatch(/^history is in: 500 departures, .* the last sixth of them is being replayed$/m);
  } finally {
    child.kill("SIGTERM");
    await ended;
    await rm(directory, { recursive: true, force: true });
  }
});
