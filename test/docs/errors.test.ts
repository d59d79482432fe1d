/** docs/ERRORS.md lists the closed list: every code once, with its facts, and what to do. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type ErrorCode, errorCodes } from "../../src/base/errors.ts";
import { files, page } from "./pages.ts";

const rows = [...page("docs/ERRORS.md").text.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, code, rest]) => ({
  code: code as ErrorCode,
  cells: rest!.split(" | "),
}));

it("names every code once, and no other", () => {
  expect(rows.map(({ code }) => code).sort()).toEqual(Object.keys(errorCodes).sort());
});

it.each(rows)("$code: SQLSTATE, status, again, meaning and what to do", ({ code, cells }) => {
  const { sqlstate, status, retryable } = errorCodes[code];
  expect(cells.slice(0, 3)).toEqual([sqlstate, String(status), retryable ? "yes" : "no"]);
  expect(cells.slice(3).map((cell) => cell.length > 5)).toEqual([true, true]);
});

it("each is said somewhere in the sources, beside the list", () => {
  const root = join(import.meta.dirname, "../..");
  const sources = [...files]
    .filter((file) => /^src\/.*\.ts$/.test(file) && file !== "src/base/errors.ts")
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join("\n");
  expect(rows.filter(({ code }) => !sources.includes(`"${code}"`))).toEqual([]);
});
