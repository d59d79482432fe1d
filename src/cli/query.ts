/** evert query [SQL]: one statement or several; without SQL a shell, or what comes in by a pipe; COPY with its rows in or out. */
import { text } from "node:stream/consumers";
import { type Command, Option } from "commander";
import { copyDirection, runCopy } from "./copy.ts";
import { UsageError } from "./exit.ts";
import { whenOutputCloses } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";
import { runSql, type SqlFormat, sqlFormats } from "./sql-results.ts";

interface QueryOptions extends RemoteOptions {
  readonly format: SqlFormat;
}

export function queryCommand(evert: Command): void {
  withRemote(
    evert
      .command("query [sql]")
      .allowExcessArguments()
      .description("run SQL; without SQL, a shell")
      .addOption(new Option("--format <format>", "how to print rows").choices(sqlFormats).default("table")),
  ).action(query);
}

async function query(sql: string | undefined, options: QueryOptions, command: Command): Promise<void> {
  if (command.args.length > 1) {
    throw new UsageError('the SQL is one argument: put it in quotes, as in evert query "SELECT 1"');
  }
  if (sql?.trimStart().startsWith("\\")) {
    throw new UsageError(
      `${sql.trim()} is no SQL: evert topics and evert views list what there is; the shell, evert query alone, has \\d and \\?`,
    );
  }
  const remote = new Remote(options);
  if (sql === undefined && process.stdin.isTTY) {
    const { runShell } = await import("./shell.ts");
    return runShell(remote, options.format);
  }
  const statements = sql ?? (await text(process.stdin));
  const direction = copyDirection(statements);
  // Rows that are to come in do so by standard input: a statement that came by it is all that came.
  if (direction === "out" || (direction === "in" && sql !== undefined))
    return runCopy(remote, statements, direction);
  const left = new AbortController();
  if (onlyReads(statements)) whenOutputCloses(() => left.abort());
  return runSql(remote, statements, options.format, left.signal);
}

/** Whether nothing is lost with the answer. Where a text may do more than read, it is run to its end, whoever still looks: so it says no where it is not sure. */
function onlyReads(sql: string): boolean {
  return (
    /^\s*(select|values|table|with)\b/i.test(sql) &&
    !/;\s*\S/.test(sql) &&
    !/\b(insert|update|delete|merge|nextval|setval)\b/i.test(sql)
  );
}
