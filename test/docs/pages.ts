/** The pages that people read: every Markdown file of the repository. */
import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** Beside the sources there may be what npm, builds and servers leave. */
const passedOver = new Set(["node_modules", "dist", ".git", "evert-data", "coverage"]);

/** Where tests beside this one run the programs of a page: it may go while it is looked at. */
const programs = /^\.program-/;

/** Every file of the repository and every folder, from its root. */
export const files: ReadonlySet<string> = new Set(walk(root).map((path) => relative(root, path)));

export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

export const pages: readonly Page[] = [...files]
  .filter((path) => path.endsWith(".md"))
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

export function page(path: string): Page {
  const found = pages.find((page) => page.path === path);
  if (found === undefined) throw new Error(`there is no ${path}`);
  return found;
}

/** Where a link of a page leads, from the root of the repository. */
export function targetOf(from: Page, link: string): string {
  return relative(root, resolve(root, dirname(from.path), link));
}

/** What stands as code in a page: its spans, and the lines of its blocks. */
export function codeOf({ text }: Page): string[] {
  const blocks = [...text.matchAll(/^[ \t]*```[\s\S]*?^[ \t]*```$/gm)].flatMap(([block]) =>
    block.split("\n").slice(1, -1),
  );
  const rest = text.replace(/^[ \t]*```[\s\S]*?^[ \t]*```$/gm, "");
  return [...blocks, ...[...rest.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!.replaceAll("\\|", "|"))];
}

/** The anchors that a page's headings have, as GitHub makes them. */
export function anchorsOf({ text }: Page): Set<string> {
  const headings = text.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      heading!
        .trim()
        .toLowerCase()
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function walk(folder: string): string[] {
  return entriesOf(folder)
    .filter(({ name }) => !passedOver.has(name) && !programs.test(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? [path, ...walk(path)] : [path];
    });
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    // A folder of a test that runs beside this one, and has ended.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
