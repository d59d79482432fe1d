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

const help = `\\d            topics and views
\\d NAME       columns of a topic or a view
\\format NAME  ${sqlFormats.join(", ")}
\\q            leave
A statement ends with a semicolon and may take several lines. Tab completes.
`;

export async function runShell(remote: Remote, format: SqlFormat): Promise<void> {
  const names = new Names(remote);
  await names.refresh();
  const historyFile = process.env["EVERT_HISTORY"] ?? join(homedir(), ".evert_history");
  const input = createInterface({
    input: process.stdin,
    output: process.stdout,
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

  let statement = "";
  const prompt = () => input.setPrompt(statement === "" ? "evert> " : "   ...> ");
  // Ctrl-C gives up the statement, on an empty line the shell.
  input.on("SIGINT", () => {
    if (statement === "" && input.line === "") return input.close();
    statement = "";
    process.stdout.write("\n");
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
          await runSql(remote, sql, format);
          if (/\b(create|drop)\b/i.test(sql)) await names.refresh();
        } else if (statement.trim() === "") statement = "";
      }
    } catch (error) {
      printError(toEvertError(error));
    }
    prompt();
    input.prompt();
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
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function writeHistory(file: string, history: readonly string[]): Promise<void> {
  if (history.length === 0) return;
  await writeFile(file, `${history.slice(0, historyLinesMax).join("\n")}\n`, { mode: 0o600 });
}
