/** evert backup: a copy of a running server's log in a directory; run again, only what is new is copied. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { nodeDisk } from "../base/node-disk.ts";
import type { BackupAnswer } from "../client/protocol.ts";
import type { BackupSource } from "../engine/tools.ts";
import { dataDirectory } from "./data-directory.ts";
import { bytesText } from "./lists.ts";
import { write } from "./output.ts";
import { stages } from "./progress.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";

export function backupCommand(evert: Command): void {
  const command = evert
    .command("backup")
    .description("copy a running server's log, as of one position; into an earlier backup only what is new")
    .argument("<dir>", "where to: a new directory, or an earlier backup", dataDirectory);
  withRemote(command).action(backup);
}

async function backup(directory: string, options: RemoteOptions): Promise<void> {
  const { backupLog } = await import("../engine/tools.ts");
  const progress = stages({ bytes: "copying", rows: "" });
  try {
    const report = await backupLog({
      source: sourceOf(new Remote(options)),
      directory: resolve(directory),
      disk: nodeDisk,
      now: Date.now(),
      onProgress: (copied, total) => progress.at(copied, total, "bytes"),
    });
    progress.stop();
    const { position, files, bytes, copied } = report;
    await write(
      `position ${position}: ${files} ${files === 1 ? "file" : "files"}, ${bytesText(bytes)}, of which ${bytesText(copied)} are new\n`,
    );
  } finally {
    progress.stop();
  }
}

function sourceOf(remote: Remote): BackupSource {
  return {
    async files() {
      const { logId, position, files } = await remote.get<BackupAnswer>("/v1/backup");
      return {
        logId: Number(logId),
        position: Number(position),
        files: files.map(({ name, bytes }) => ({ name, bytes: Number(bytes) })),
      };
    },
    async *read(name, from, to) {
      const path = `/v1/backup/${encodeURIComponent(name)}?from=${from}&to=${to}`;
      yield* await remote.stream(path, "application/octet-stream");
    },
  };
}
