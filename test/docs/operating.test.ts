/** The metrics and tables of Evert's own that pages name are there, under these names. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { files, page, pages } from "./pages.ts";

const root = join(import.meta.dirname, "../..");

/** What sources call so: `"evert_steps_total"`. */
const names = new Set(
  [...files]
    .filter((file) => /^src\/.*\.ts$/.test(file))
    .flatMap((file) => [...readFileSync(join(root, file), "utf8").matchAll(/\bevert_[a-z_]*[a-z]\b/g)])
    .map((m) => m[0]),
);

it.each(pages)("$path", ({ text }) => {
  const said = [...text.matchAll(/`[^`\n]*`/g)].flatMap(([code]) => [
    ...code.matchAll(/(?<![\w/.-])evert_[a-z_]*[a-z]\b/g),
  ]);
  for (const [name] of said) expect(names, name).toContain(name);
});

it("there are alarms, and names that are not there are seen", () => {
  expect(page("docs/OPERATING.md").text.match(/\bevert_[a-z_]+/g)!.length).toBeGreaterThan(15);
  expect(names).not.toContain("evert_log_sealing_broken");
});
