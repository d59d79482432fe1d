/** evert view build, versions, diff, promote, rollback: versions of a view side by side */
import { readFile } from "node:fs/promises";
import { text as textOf } from "node:stream/consumers";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BuiltAnswer, DiffAnswer, PromotedAnswer, VersionsAnswer } from "../client/protocol.ts";
import { plainText } from "./exact-json.ts";
import { Unequal, UsageError, unreadable } from "./exit.ts";
import { bytesText, columnsText, type ListOptions, listFormat } from "./lists.ts";
import { write } from "./output.ts";
import { startProgress } from "./progress.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";

/** Between two looks at how far a build is, on a terminal. */
const lookMs = 250;

export function versionCommands(view: Command): void {
  withRemote(
    view
      .command("build <view> [sql]")
      .description(
        "make another version of a view, VIEW or VIEW@NUMBER, beside those there are, from a SELECT",
      )
      .option("-f, --file <file>", "read the SELECT from a file, - for standard input"),
  ).action(build);
  withRemote(
    view.command("versions <view>").description("list the versions of a view").addOption(listFormat()),
  ).action(versions);
  withRemote(
    view
      .command("diff <view> <from> <to>")
      .description("how two versions differ at one position; exits with 1 where they do")
      .option("--limit <rows>", "rows to show", wholeNumber, 100)
      .addOption(
        new Option("--format <format>", "how to print").choices(["table", "ndjson"]).default("table"),
      ),
  ).action(diff);
  withRemote(
    view
      .command("promote <view>")
      .description("let the plain name mean the version VIEW@NUMBER, for new readers and for living ones"),
  ).action(promote);
  withRemote(
    view.command("rollback <view>").description("let the plain name mean the version before again"),
  ).action(rollback);
}

function wholeNumber(text: string): number {
  if (/^[0-9]{1,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is no whole number from 0 to 99999.");
}

function versionText(text: string): string {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return text;
  throw new UsageError(`${JSON.stringify(text)} is no version: a whole number from 1`);
}

/** `charts@2` is version 2 of `charts`. */
function named(text: string): { readonly path: string; readonly version: string | undefined } {
  const at = text.lastIndexOf("@");
  const view = at <= 0 ? text : text.slice(0, at);
  const version = at <= 0 ? undefined : versionText(text.slice(at + 1));
  return { path: `/v1/views/${encodeURIComponent(view)}`, version };
}

async function build(
  view: string,
  sql: string | undefined,
  options: RemoteOptions & { readonly file?: string },
): Promise<void> {
  const { path, version } = named(view);
  const remote = new Remote(options);
  if ((sql === undefined) === (options.file === undefined)) {
    throw new UsageError("give the SELECT, or a file that has it: evert view build charts@2 -f charts.sql");
  }
  if (options.file !== undefined && /\.[cm]?[jt]s$/.test(options.file)) {
    throw new UsageError(
      'a version in TypeScript is a view of the app: export view("charts@2", …) and start the server with it',
    );
  }
  const text = sql ?? (await selectIn(options.file as string));
  const body = { sql: text.trim().replace(/;\s*$/, ""), ...(version && { version: Number(version) }) };
  const stop = showProgress(remote, path);
  try {
    const built = await remote.send<BuiltAnswer>("POST", `${path}/versions`, body);
    await write(`${built.name}\n`);
  } finally {
    stop();
  }
}

async function selectIn(file: string): Promise<string> {
  if (file === "-") return textOf(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** A bar on a terminal, while some version is being built. */
function showProgress(remote: Remote, path: string): () => void {
  if (!process.stdout.isTTY || !process.stderr.isTTY) return () => {};
  const bar = startProgress("build", 100, "bytes");
  let shown = 0;
  const look = async (): Promise<void> => {
    const { versions: all } = await remote.get<VersionsAnswer>(`${path}/versions`);
    const percent = Math.floor(100 * Math.min(...all.map((v) => Number(v.view.progress))));
    bar.advance(Math.max(0, percent - shown), 0);
    shown = Math.max(shown, percent);
  };
  // What is wrong is said by the build's own request.
  const timer = setInterval(() => look().catch(() => {}), lookMs);
  return () => {
    clearInterval(timer);
    bar.stop();
  };
}

async function versions(view: string, options: ListOptions): Promise<void> {
  const { versions: list } = await new Remote(options).get<VersionsAnswer>(`${named(view).path}/versions`);
  if (options.format === "json") return write(`${JSON.stringify(list)}\n`);
  const columns = [
    { name: "version", type: "number" },
    { name: "means", type: "text" },
    { name: "status", type: "text" },
    { name: "columns", type: "text" },
    { name: "rows", type: "number" },
    { name: "bytes", type: "number" },
    { name: "progress", type: "number" },
  ];
  const rows = list.map((v) => [
    String(v.version),
    v.isCurrent ? "current" : v.isPrevious ? "previous" : null,
    v.view.error === undefined ? v.view.status : `${v.view.status}: ${v.view.error.message}`,
    columnsText(v.view),
    String(v.view.rows),
    bytesText(v.view.stateBytes),
    `${Math.floor(v.view.progress * 100)} %`,
  ]);
  await write(`${tableText(columns, rows)}\n`);
}

async function diff(
  view: string,
  from: string,
  to: string,
  options: RemoteOptions & { readonly limit: number; readonly format: "table" | "ndjson" },
): Promise<void> {
  const query = `from=${versionText(from)}&to=${versionText(to)}&limit=${options.limit}`;
  const found = await new Remote(options).get<DiffAnswer>(`${named(view).path}/diff?${query}`);
  const { onlyFrom, onlyTo, differing, rows, columnsOnlyFrom, columnsOnlyTo } = found;
  const isSame = [onlyFrom, onlyTo, differing].every((n) => Number(n) === 0);
  const hasColumns = columnsOnlyFrom.length + columnsOnlyTo.length > 0;
  if (options.format === "ndjson") {
    for (const row of rows) await write(`${JSON.stringify(row)}\n`);
  } else await printDiff([from, to], found, isSame);
  if (!isSame || hasColumns) throw new Unequal();
}

async function printDiff(
  [from, to]: readonly [string, string],
  { onlyFrom, onlyTo, differing, rows, columnsOnlyFrom, columnsOnlyTo, position }: DiffAnswer,
  isSame: boolean,
): Promise<void> {
  const names = Object.keys(rows[0]?.from ?? rows[0]?.to ?? {});
  const columns = [{ name: "in", type: "text" }, ...names.map((name) => ({ name, type: "text" }))];
  const lines = rows.flatMap((row) =>
    (["from", "to"] as const).flatMap((side) => {
      const values = row[side];
      if (values === null) return [];
      const shown = names.map((name) => (values[name] === null ? null : plainText(values[name])));
      return [[side === "from" ? from : to, ...shown]];
    }),
  );
  if (lines.length > 0) await write(`${tableText(columns, lines)}\n`);
  for (const [version, missing] of [
    [from, columnsOnlyFrom],
    [to, columnsOnlyTo],
  ] as const)
    if (missing.length > 0) await write(`columns only in version ${version}: ${missing.join(", ")}\n`);
  await write(
    isSame
      ? `the rows are the same at position ${position}\n`
      : `${onlyFrom} only in version ${from}, ${onlyTo} only in version ${to}, ${differing} differ, at position ${position}\n`,
  );
}

async function promote(view: string, options: RemoteOptions): Promise<void> {
  const { path, version } = named(view);
  if (version === undefined) throw new UsageError("which version? evert view promote charts@2");
  const answer = await new Remote(options).send<PromotedAnswer>(
    "POST",
    `${path}/versions/${version}/promote`,
    undefined,
  );
  await write(`${answer.position}\n`);
}

async function rollback(view: string, options: RemoteOptions): Promise<void> {
  const answer = await new Remote(options).send<PromotedAnswer>(
    "POST",
    `${named(view).path}/rollback`,
    undefined,
  );
  await write(`version ${answer.version}\n`);
}
