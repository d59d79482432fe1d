/** evert restore: a data directory from a backup, whole or as it was earlier. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { nodeDisk } from "../base/node-disk.ts";
import type { RestoreTo } from "../engine/tools.ts";
import { dataDirectory } from "./data-directory.ts";
import { UsageError } from "./exit.ts";
import { bytesText } from "./lists.ts";
import { write } from "./output.ts";
import { stages } from "./progress.ts";

interface RestoreCommandOptions {
  readonly data: string;
  readonly to?: string;
}

export function restoreCommand(evert: Command): void {
  evert
    .command("restore")
    .description("make a data directory from a backup; it must not have a log yet")
    .argument("<dir>", "the backup", dataDirectory)
    .option("--data <dir>", "the data directory to make", dataDirectory, "./evert-data")
    .option("--to <when>", "leave out what came later: a position, or a time such as 2026-11-21T09:00:00Z")
    .action(restore);
}

async function restore(directory: string, options: RestoreCommandOptions): Promise<void> {
  const { restoreBackup, timeUsOf } = await import("../engine/tools.ts");
  const to = options.to === undefined ? undefined : endOf(options.to, timeUsOf);
  const progress = stages({ bytes: "copying", rows: "appending" });
  try {
    const { position, bytes } = await restoreBackup({
      backup: resolve(directory),
      directory: resolve(options.data),
      disk: nodeDisk,
      to,
      onProgress: progress.at,
    });
    progress.stop();
    await write(
      `position ${position}: ${bytesText(bytes)} restored into ${options.data}, every byte verified\n`,
    );
  } finally {
    progress.stop();
  }
}

function endOf(text: string, timeUsOf: (text: string) => number): RestoreTo {
  if (/^[0-9]{1,15}$/.test(text)) return { position: Number(text) };
  try {
    return { timeUs: timeUsOf(text) };
  } catch {
    throw new UsageError(`--to is neither a position nor a time: ${text}`);
  }
}
