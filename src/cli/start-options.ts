/** The options `evert start` and `evert dev` share. */
import type { Command } from "commander";
import { dataDirectory } from "./data-directory.ts";

export interface StartOptions {
  readonly data: string;
  readonly host: string;
  readonly port: string;
  readonly page?: string;
  readonly logLevel: string;
  readonly segmentMib: string;
  readonly memoryMib?: string;
  readonly workers: string;
  /** Of `start` alone. */
  readonly follow?: string;
  readonly rejoin?: boolean;
  readonly syncFollowers?: string;
  readonly syncTimeoutMs?: string;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"];

export function withStartOptions(command: Command): Command {
  return command
    .option(
      "--data <dir>",
      "where the log and everything derived from it lies",
      dataDirectory,
      "./evert-data",
    )
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <number>", "port to listen on; 0 = any", "7400")
    .option("--page <dir>", "a built page to serve at /")
    .option("--segment-mib <number>", "size of a segment of the log, 1 to 1024", "64")
    .option("--memory-mib <number>", "memory for state; half of the machine's unless said")
    .option("--workers <number>", "threads that keep views beside the first, 0 to 64", "0")
    .option("--log-level <level>", logLevels.join(", "), process.env["EVERT_LOG_LEVEL"] || "info");
}
