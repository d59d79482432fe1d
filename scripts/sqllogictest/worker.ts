/** A process that runs the files it is sent, one at a time. */
import { readFile } from "node:fs/promises";
import { readRecords } from "./records.ts";
import { type Report, type RunOptions, runFile } from "./run-file.ts";

export interface Task {
  readonly file: string;
  readonly options: RunOptions;
}

export type Outcome = { readonly report: Report } | { readonly crashed: string };

process.on("message", async ({ file, options }: Task) => {
  process.send!(await outcomeOf(file, options));
});

async function outcomeOf(file: string, options: RunOptions): Promise<Outcome> {
  try {
    return { report: await runFile(readRecords(await readFile(file, "utf8"), "postgresql"), options) };
  } catch (error) {
    return { crashed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
