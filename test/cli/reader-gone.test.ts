/** A command whose output nobody reads ends, quietly and with 0, also where it has nothing to write. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Harness } from "../servers/http/harness.ts";
import { main } from "./run.ts";

let h: Harness;
beforeEach(async () => {
  h = await Harness.start({ heartbeatMs: 50 });
});
afterEach(() => h.stop());

/** Runs the command in a shell, into `reader`. */
async function pipe(args: string, reader: string): Promise<{ code: string; stderr: string }> {
  const line = `{ { "$NODE" "$MAIN" ${args}; echo "$?" >&3; } | ${reader} >/dev/null; } 3>&1`;
  const shell = spawn("/bin/sh", ["-c", line], {
    env: { ...process.env, NODE: process.execPath, MAIN: main, EVERT_URL: h.server.url, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(shell, "close");
  const [code, stderr] = await Promise.all([text(shell.stdout), text(shell.stderr)]);
  await ended;
  return { code: code.trim(), stderr };
}

describe.skipIf(process.platform !== "linux")("a reader that has left before anything comes", () => {
  test.each([
    ["tail songs --follow", "head -c0"],
    ["watch songs_view", "head -c0"],
    ["watch songs_view --format table", "head -c0"],
    ["watch songs_view 1", "head -c0"],
    ["watch songs_view 1 --format table", "head -c0"],
    ["tail songs --follow", "sleep 0.5"],
    ["topics", "true"],
    ["query 'BIG 200000' --format ndjson", "head -n 1"],
    ["--help", "head -c0"],
  ])("%s | %s", async (args, reader) => {
    expect(await pipe(args, reader)).toEqual({ code: "0", stderr: "" });
  });
});

test("nobody reads the error either: the exit code stands", async () => {
  const { code } = await pipe("query FAIL 2>&1", "head -c0");
  expect(code).toBe("1");
});
