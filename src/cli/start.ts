/** evert start [app.ts]: log, views and HTTP in one process, until it is told to stop. */
import type { Command } from "commander";
import { type StartOptions, withStartOptions } from "./start-options.ts";

export function startCommand(evert: Command): void {
  withStartOptions(
    evert.command("start [app]").description("run the server; app.ts exports topics and views"),
  )
    .option("--follow <url>", "be a replica of the server at this address")
    .option(
      "--rejoin",
      "where this log and the leader's have parted, keep this one's aside and begin with a copy",
    )
    .option("--sync-followers <number>", "replicas that are to have a commit before it is acknowledged", "0")
    .option("--sync-timeout-ms <number>", "how long an append waits for them", "10000")
    .action(start);
}

async function start(app: string | undefined, options: StartOptions): Promise<void> {
  // Only this command needs the engine, and it takes longest to load.
  const { serve } = await import("./serve.ts");
  await serve(app, options);
}
