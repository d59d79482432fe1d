/**
 * The interactive shell of `evert query`: statements over several lines until a semicolon, history kept between sessions,
 * completion of keywords, names of topics, views and columns.
 */
import { readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { toEvertError } from "../base/errors.ts";
import { errorColors, printError } from "./exit.ts";
import type { Remote } from "./remote.ts";
import { Names } from "./shell-names.ts";
import { runSql, type SqlFormat, sqlFormats } from "./sql-results.ts";
import { isComplete } from "./sql-text.ts";

const historyLinesMax = 1000;

const givenUp = "given up; what it was to change may have been changed";

const help = `\\d            topics and views
\\d NAME       columns of a topic or a view
\\format NAME  ${sqlFormats.join(", ")}
\\q            leave
A statement ends with a semicolon and may take several lines. Tab completes.
`;

interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

export async function runShell(
  remote: Remote,
  format: SqlFormat,
  terminal: Terminal = { input: process.stdin, output: process.stdout },
): Promise<void> {
  const names = new Names(remote);
  await names.refresh();
  const historyFile = process.env["EVERT_HISTORY"] ?? join(homedir(), ".evert_history");
  const input = createInterface({
    ...terminal,
    history: await readHistory(historyFile),
    historySize: historyLinesMax,
    removeHistoryDuplicates: true,
    completer: (line: string) => names.complete(line),
  });
  let history: readonly string[] = [];
  input.on("history", (lines: readonly string[]) => {
    history = lines;
  });
  process.stderr.write(`Connected to ${remote.url}. \\? for help, \\q to leave.\n`);

  // Its end may come while a statement runs, with lines that are still to be run.
  let isClosed = false;
  input.once("close", () => {
    isClosed = true;
  });
  let statement = "";
  const prompt = () => input.setPrompt(statement === "" ? "evert> " : "   ...> ");
  let running: AbortController | null = null;
  // Ctrl-C gives up the statement, run or written, on an empty line the shell.
  input.on("SIGINT", () => {
    if (running !== null) return running.abort();
    if (statement === "" && input.line === "") return input.close();
    statement = "";
    terminal.output.write("\n");
    prompt();
    input.write(null, { ctrl: true, name: "u" });
    input.prompt();
  });
  prompt();
  input.prompt();
  for await (const line of input) {
    try {
      if (statement === "" && line.trim().startsWith("\\")) {
        const command = line.trim();
        if (command === "\\q") break;
        format = await shellCommand(command, names, format);
      } else {
        statement += `${line}\n`;
        if (isComplete(statement)) {
          const sql = statement;
          statement = "";
          running = new AbortController();
          const { signal } = running;
          await runSql(remote, sql, format, signal).finally(() => {
            running = null;
          });
          if (signal.aborted) process.stderr.write(`\n${errorColors.dim(givenUp)}\n`);
          if (/\b(create|drop)\b/i.test(sql)) await names.refresh();
        } else if (statement.trim() === "") statement = "";
      }
    } catch (error) {
      printError(toEvertError(error));
    }
    prompt();
    if (!isClosed) input.prompt();
  }
  input.close();
  await writeHistory(historyFile, history);
}

async function shellCommand(command: string, names: Names, format: SqlFormat): Promise<SqlFormat> {
  const [name = "", argument] = command.split(/\s+/);
  switch (name) {
    case "\\?":
      process.stdout.write(help);
      return format;
    case "\\d":
      await names.refresh();
      process.stdout.write(`${names.describe(argument)}\n`);
      return format;
    case "\\format": {
      const wanted = sqlFormats.find((known) => known === argument);
      if (wanted !== undefined) return wanted;
      process.stdout.write(`formats: ${sqlFormats.join(", ")}\n`);
      return format;
    }
  }
  process.stdout.write(`${errorColors.red("error:")} no command ${name}; \\? for help\n`);
  return format;
}

async function readHistory(file: string): Promise<string[]> {
  try {
    return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") withoutHistory(error);
    return [];
  }
}

async function writeHistory(file: string, history: readonly string[]): Promise<void> {
  if (history.length === 0) return;
  try {
    await writeFile(file, `${history.slice(0, historyLinesMax).join("\n")}\n`, { mode: 0o600 });
  } catch (error) {
    withoutHistory(error);
  }
}

/** A home that is not there, or is read-only, is no reason to have no shell. */
function withoutHistory(error: unknown): void {
  process.stderr.write(`${errorColors.dim(`no history: ${(error as Error).message}`)}\n`);
}
