/** evert start [app.ts]: log, views and HTTP in one process, until it is told to stop. */
import type { Command } from "commander";
import { type StartOptions, withStartOptions } from "./start-options.ts";

export function startCommand(evert: Command): void {
  withStartOptions(
    evert.command("start [app]").description("run the server; app.ts exports topics and views"),
  ).action(start);
}

async function start(app: string | undefined, options: StartOptions): Promise<void> {
  // Only this command needs the engine, and it takes longest to load.
  const { serve } = await import("./serve.ts");
  await serve(app, options);
}
