/** The command line: every command's arguments, and the one place where an outcome becomes an exit code. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { appendCommand } from "./append.ts";
import { backupCommand } from "./backup.ts";
import { checkCommand } from "./check.ts";
import { consumersCommand } from "./consumers.ts";
import { devCommand } from "./dev.ts";
import { eraseCommand } from "./erase.ts";
import { exitCodeOf, exitCodes } from "./exit.ts";
import { outputEnded, prepareOutput } from "./output.ts";
import { queryCommand } from "./query.ts";
import { promoteCommand, replicasCommand } from "./replicas.ts";
import { restoreCommand } from "./restore.ts";
import { schemaCommand } from "./schema.ts";
import { startCommand } from "./start.ts";
import { tailCommand } from "./tail.ts";
import { topicsCommand } from "./topics.ts";
import { viewCommand, viewsCommand } from "./views.ts";
import { watchCommand } from "./watch.ts";

/** Runs one command. Resolves with its exit code; never rejects. */
export async function run(args: readonly string[]): Promise<number> {
  prepareOutput();
  try {
    await program().parseAsync(args, { from: "user" });
    await outputEnded();
    return exitCodes.done;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** All commands there are, and their options. */
export function program(): Command {
  const evert = new Command("evert")
    .description("The database turned inside out: append facts, and every view follows.")
    .version(version())
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  for (const add of [
    startCommand,
    devCommand,
    appendCommand,
    tailCommand,
    queryCommand,
    watchCommand,
    topicsCommand,
    consumersCommand,
    schemaCommand,
    viewsCommand,
    viewCommand,
    eraseCommand,
    checkCommand,
    backupCommand,
    restoreCommand,
    replicasCommand,
    promoteCommand,
  ]) {
    add(evert);
  }
  pointToHelp(evert, "evert");
  return evert;
}

/** Whose usage is wrong is told where it is written: the command's own. */
function pointToHelp(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help says what there is)`);
  for (const part of command.commands) pointToHelp(part, `${path} ${part.name()}`);
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
