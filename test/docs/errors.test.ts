/** docs/ERRORS.md lists the closed list: every code once, with its facts, and what to do. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type ErrorCode, errorCodes } from "../../src/base/errors.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/ERRORS.md"), "utf8");
const rows = [...page.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, code, rest]) => ({
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
