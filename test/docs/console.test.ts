/** The sessions at a prompt, in the README and in docs/CLI.md, run as printed and print what stands there. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const evert = join(root, "bin/evert.js");

const hasJq = spawnSync("sh", ["-c", "command -v jq"]).status === 0;
if (!hasJq) console.warn("no jq on this machine: the steps with it are SKIPPED");

let folder: string;
let server: ChildProcess;
let url: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "evert-console-"));
  const args = [evert, "start", "--data", join(folder, "data"), "--port", "0"];
  server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: server.stdout! }), "line");
  url = /^evert listening on (.*)$/.exec(line)![1]!;
});
afterEach(async () => {
  server.kill("SIGTERM");
  await once(server, "exit");
  rmSync(folder, { recursive: true });
});

/** The commands of a page's sessions, each with what it prints. */
function sessions(file: string): { command: string; printed: string }[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, session]) =>
    session!
      .split(/^\$ /m)
      .slice(1)
      .map((step) => {
        const [command = "", ...printed] = step.split("\n");
        return { command, printed: printed.join("\n") };
      }),
  );
}

it.each(["README.md", "docs/CLI.md"])("%s", async (file) => {
  const steps = sessions(file);
  expect(steps.length).toBeGreaterThan(3);
  const run = promisify(execFile);
  for (const { command, printed } of steps) {
    if (command.includes("evert start")) continue;
    if (command.includes("| jq ") && !hasJq) continue;
    const script = `evert() { "${process.execPath}" "${evert}" "$@"; }\n${command.replaceAll("npx evert", "evert")}`;
    const options = { cwd: folder, env: { ...process.env, EVERT_URL: url } };
    const { stdout, stderr } = await run("bash", ["-c", script], options).catch(
      (failed: { stdout: string; stderr: string }) => failed,
    );
    const times = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;
    expect(`${command}\n${(stdout + stderr).replace(times, "TIME")}`).toBe(
      `${command}\n${printed.replace(times, "TIME")}`,
    );
  }
});
