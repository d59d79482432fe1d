/** What the pages name is there: files and folders, linked or said, headings, and the decisions that sources refer to. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { anchorsOf, files, page, pages, targetOf } from "./pages.ts";

const root = join(import.meta.dirname, "../..");

it.each(pages)("$path links to what exists", (from) => {
  const links = [...from.text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map((m) => m[1]!);
  for (const link of links) {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? from.path : targetOf(from, path);
    expect(files.has(target), link).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(page(target)), link).toContain(anchor);
  }
});

it.each(pages)("$path names files that exist", ({ text }) => {
  // From the root of the repository; what is made by a program, as `dist/`, is not among them.
  const named = [
    ...text.matchAll(/(?<![\w./@-])(?:src|test|bench|scripts|examples|docs|bin)\/[\w./*-]*[\w*]/g),
  ].map((m) => m[0]);
  for (const path of named) expect(exists(path), path).toBe(true);
  // Within some folder, as `engine/stepper.ts`: a source file of that end. (`db.sql` is no file.)
  const sources = [...text.matchAll(/(?<![\w./@*-])[\w@-]+(?:\/[\w.@-]+)*\.tsx?\b/g)].map((m) => m[0]);
  for (const path of sources.filter((path) => !ofReaders.has(path))) {
    expect(
      [...files].some((file) => file === path || file.endsWith(`/${path}`)),
      path,
    ).toBe(true);
  }
});

/** Files that a reader's own project has. */
const ofReaders = new Set(["app.ts", "program.ts"]);

/** A path of the repository, or a pattern that fits some of its paths. */
function exists(path: string): boolean {
  if (!path.includes("*")) return files.has(path);
  const pattern = new RegExp(`^${path.replace(/[.]/g, "\\.").replaceAll("*", "[^/]*")}$`);
  return [...files].some((file) => pattern.test(file));
}

it("sources name pages that exist", () => {
  const sources = [...files].filter((file) =>
    /^(?:src|test|bench|scripts|examples)\/.*\.(?:ts|tsx)$/.test(file),
  );
  const missing = sources.flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(/\bdocs\/(?:decisions\/\d{4}|[A-Z-]+\.md)/g)]
      .map((m) => m[0])
      .filter((name) => ![...files].some((path) => path.startsWith(name)))
      .map((name) => `${file}: ${name}`),
  );
  expect(missing).toEqual([]);
});

it("sees what is not there", () => {
  expect(exists("src/engine/api.ts")).toBe(true);
  expect(exists("src/engine/nowhere.ts")).toBe(false);
  expect(exists("test/sim/seeds-*.test.ts")).toBe(true);
  expect(exists("test/sim/nothing-*.test.ts")).toBe(false);
});
