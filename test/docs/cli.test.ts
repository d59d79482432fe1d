/** docs/CLI.md has each command of `evert` with each of its options, and no other; neither has any page. */
import type { Command } from "commander";
import { expect, it } from "vitest";
import { program } from "../../src/cli/program.ts";
import { codeOf, page, pages } from "./pages.ts";

const cli = page("docs/CLI.md");

/** By name, "view build" too. */
const commands = new Map<string, Command>();
for (const command of program().commands) {
  if (command.commands.length === 0) commands.set(command.name(), command);
  for (const sub of command.commands) commands.set(`${command.name()} ${sub.name()}`, sub);
}

const optionsOf = (command: Command): string[] => command.options.map((option) => option.long!);

/** The rows of the table: the commands that each is of, and the options that it names. */
const rows = [...cli.text.matchAll(/^\| (`evert [^|]*(?:\\\|[^|]*)*) \| (.*) \|$/gm)].map(
  ([, names, text]) => ({
    names: [...names!.matchAll(/`evert ([^`]*)`/g)].map((m) => nameOf(m[1]!.split(" "))!),
    options: optionsIn(text!),
  }),
);

/** The table of what `start` takes, with what holds where nothing is said. */
const ofStart = [...cli.text.matchAll(/^\| `(--[a-z-]+)[^`]*` \|([^|]*)\|/gm)].map(
  ([, option, otherwise]) => ({
    option: option!,
    otherwise: otherwise!.trim(),
  }),
);

/** What the list below the tables says of all. */
const ofAll = ["--url"];

it("has every command once, and no other", () => {
  expect(rows.flatMap(({ names }) => names).sort()).toEqual([...commands.keys()].sort());
});

it.each(rows)("$names: the options that there are", ({ names, options }) => {
  const there = new Set(names.flatMap((name) => optionsOf(commands.get(name)!)));
  for (const option of ofAll) there.delete(option);
  if (names[0] === "start") for (const { option } of ofStart) options.push(option);
  // It has those of `start`, and its row says which not.
  const said =
    names[0] === "dev"
      ? ofStart.map(({ option }) => option).filter((option) => !options.includes(option))
      : options;
  expect([...new Set(said)].sort()).toEqual([...there].sort());
});

it.each(ofStart.filter(({ otherwise }) => otherwise.startsWith("`")))(
  "start $option: $otherwise",
  ({ option, otherwise }) => {
    const { defaultValue } = commands.get("start")!.options.find(({ long }) => long === option)!;
    const expected: unknown =
      option === "--log-level" ? (process.env["EVERT_LOG_LEVEL"] ?? "info") : otherwise.slice(1, -1);
    expect(defaultValue).toBe(expected);
  },
);

it.each(pages)("$path says commands and options that there are", (page) => {
  for (const line of codeOf(page)) {
    for (const piece of line.split(/[|&;#]/)) {
      const [, said] = /(?:^|[\s/])evert ([a-z][^"]*)/.exec(piece) ?? [];
      if (said === undefined || /^(?:listening|command)\b/.test(said)) continue;
      const name = nameOf(said.split(" "));
      if (name === "view") continue; // The commands of it in general.
      expect(name, piece).toBeDefined();
      const command = commands.get(name!)!;
      for (const option of optionsIn(said))
        expect(["--help", ...optionsOf(command)], piece).toContain(option);
    }
  }
});

function nameOf([first = "", second = ""]: string[]): string | undefined {
  if (first === "view" && !commands.has(`view ${second}`)) return second === "" ? "view" : undefined;
  return [`${first} ${second}`, first].find((name) => commands.has(name));
}

function optionsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map((m) => m[0]);
}
