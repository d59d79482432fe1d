/**
 * Builds the page with Vite, once for each content: the output lies in node_modules/.cache under the hash of everything it
 * was made from, so starting the example again costs a few file reads and no build.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const page = import.meta.dirname;
const project = resolve(page, "../../..");
const cache = join(project, "node_modules/.cache/evert-flights");

/** What the bundle is made from, beside the packages that package-lock.json pins. */
const inputs = [
  page,
  join(project, "src/base"),
  join(project, "src/client"),
  join(project, "src/react"),
  join(project, "src/wire/http"),
  join(project, "package.json"),
  join(project, "package-lock.json"),
];

/** The directory of the built page: index.html and its assets. */
export async function buildPage(): Promise<string> {
  const built = join(cache, await contentHash());
  if (await exists(join(built, "index.html"))) return built;
  // Vite bundles React's slow development form wherever this says anything else, as it does under a test runner.
  process.env["NODE_ENV"] = "production";
  const { build, defaultClientConditions } = await import("vite");
  const { default: react } = await import("@vitejs/plugin-react");
  const unfinished = `${built}.${process.pid}.tmp`;
  await build({
    configFile: false,
    root: page,
    logLevel: "warn",
    plugins: [react()],
    // `evert/client` and `evert/react` are this package's own exports, from their sources.
    resolve: { conditions: ["evert-source", ...defaultClientConditions] },
    build: {
      outDir: unfinished,
      emptyOutDir: true,
      target: "es2023",
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  });
  // Whole or not at all: another process may be building the same.
  await rename(unfinished, built).catch(async (error: unknown) => {
    await rm(unfinished, { recursive: true, force: true });
    if (!(await exists(join(built, "index.html")))) throw error;
  });
  await removeOthers(built);
  return built;
}

async function contentHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const path of (await Promise.all(inputs.map(filesUnder))).flat()) {
    hash.update(`${relative(project, path)}\0`);
    hash.update(await readFile(path));
    hash.update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

async function filesUnder(path: string): Promise<string[]> {
  if ((await stat(path)).isFile()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Builds of other contents, but for unfinished ones, which may be another process's. */
async function removeOthers(built: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    if (path !== built && !name.endsWith(".tmp")) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(await buildPage());
