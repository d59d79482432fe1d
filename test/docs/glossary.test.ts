/** The words of docs/GLOSSARY.md are those of the code: each is said in the sources. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { files, page } from "./pages.ts";

const root = join(import.meta.dirname, "../..");

const sources = [...files]
  .filter((file) => /^src\/.*\.ts$/.test(file))
  .map((file) => readFileSync(join(root, file), "utf8"))
  .join("\n")
  .toLowerCase();

/** What stands bold in the first column, or is explained on the way. */
const words = [
  ...new Set([...page("docs/GLOSSARY.md").text.matchAll(/\*\*([a-zA-Z' ]+)\*\*/g)].map((m) => m[1]!)),
].map((word) => ({ word }));

it.each(words)("$word", ({ word }) => {
  expect(isSaid(word)).toBe(true);
});

it("finds words, and misses those that nobody says", () => {
  expect(words.length).toBeGreaterThan(80);
  expect(isSaid("high tide")).toBe(false);
});

/** `catching_up`, `catchingUp` and `Catching up` are one word. */
function isSaid(word: string): boolean {
  return ["", " ", "_"].some((between) => sources.includes(word.toLowerCase().replaceAll(" ", between)));
}
