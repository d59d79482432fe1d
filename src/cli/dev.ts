/** evert dev [app.ts]: `start` in a child process, started again whenever a source file beside the app changes. */
import { type ChildProcess, spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { errorColors, exitCodes } from "./exit.ts";
import { type StartOptions, withStartOptions } from "./start-options.ts";
import { stopSignal } from "./stop-signal.ts";
import { watchSources } from "./watch-sources.ts";

/** Editors write a file in several steps. */
const settleMs = 100;

export function devCommand(evert: Command): void {
  withStartOptions(
    evert.command("dev [app]").description("as start, and start again when a source file changes"),
  ).action(dev);
}

async function dev(app: string | undefined, options: StartOptions): Promise<void> {
  // Not main.ts: only the command itself knows what a clone's `import "evert"` means.
  const program = fileURLToPath(new URL("../../bin/evert.js", import.meta.url));
  const args = ["start", ...(app === undefined ? [] : [app]), "--data", options.data, "--host", options.host];
  if (options.memoryMib !== undefined) args.push("--memory-mib", options.memoryMib);
  args.push("--port", options.port, "--log-level", options.logLevel, "--segment-mib", options.segmentMib);
  args.push("--workers", options.workers);
  if (options.page !== undefined) args.push("--page", options.page);

  const root = app === undefined ? process.cwd() : dirname(resolve(app));
  let child: ChildProcess | undefined;
  let stopping = false;
  let starts = 0;
  let settle: NodeJS.Timeout | undefined;

  const startChild = () => {
    const isFirst = starts++ === 0;
    child = spawn(process.execPath, [...process.execArgv, program, ...args], { stdio: "inherit" });
    child.once("exit", (code) => {
      child = undefined;
      if (stopping || code === 0) return;
      // No change of a source mends a wrong option. The child has said which.
      if (isFirst && code === exitCodes.usage) process.exit(code);
      process.stderr.write(`${errorColors.dim("waiting for a change")}\n`);
    });
  };
  // A change during a restart is in what is started, unless the child has been started already.
  let restarting = false;
  const restart = async () => {
    if (restarting) return;
    restarting = true;
    process.stderr.write(`${errorColors.dim("changed; starting again")}\n`);
    await stopChild(child);
    restarting = false;
    if (!stopping) startChild();
  };

  const watcher = watchSources(root, resolve(options.data), () => {
    clearTimeout(settle);
    settle = setTimeout(() => void restart(), settleMs);
  });
  startChild();
  // The child says why it ends.
  await stopSignal(() => undefined);
  stopping = true;
  watcher.close();
  clearTimeout(settle);
  await stopChild(child);
}

function stopChild(child: ChildProcess | undefined): Promise<void> {
  return new Promise((done) => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return done();
    child.once("exit", () => done());
    child.kill("SIGTERM");
  });
}
