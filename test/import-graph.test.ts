/**
 * Who may import whom. Think hard before you touch the table: a new edge is a decision about the architecture
 * (docs/ARCHITECTURE.md), not a way to make a test pass. Type imports count, and no file may reach itself.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

/** Station -> stations it may import beside itself and base, which everyone may. */
const mayImport: Record<string, readonly string[]> = {
  base: [],
  batch: [],
  log: ["batch"],
  state: ["batch"],
  plan: ["batch"],
  wire: ["batch"],
  sql: ["plan", "batch"],
  face: ["plan", "batch"],
  dataflow: ["batch", "plan", "state"],
  views: ["batch", "state"],
  engine: ["log", "sql", "plan", "dataflow", "views", "state", "face", "batch"],
  servers: ["engine", "wire"],
  connect: ["engine", "wire"],
  client: ["wire", "batch"],
  react: ["client"],
  cli: ["engine", "servers", "connect", "client"],
};

/** Free to import any station, and imported by none: the package's door, and what users test with. */
const doors = ["index.ts", "testing"];

/** What runs in a browser: these folders and everything they reach. */
const browserSafe = ["batch/", "wire/http/", "client/", "react/"];

const root = join(import.meta.dirname, "../src");
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((f) => /\.tsx?$/.test(f))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));
const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** Paths below src for relative imports (`../test/x.ts` for what is outside), bare names for packages. */
function importsOf(file: string): string[] {
  const found = ts.preProcessFile(texts.get(file)!, true, true).importedFiles.map((i) => i.fileName);
  return found.map((name) => (name.startsWith(".") ? normalize(join(dirname(file), name)) : name));
}

const station = (file: string) => file.split("/")[0]!;
const inside = (name: string) => texts.has(name);

it("knows every station", () => {
  expect([...new Set(files.map(station))].filter((s) => !(s in mayImport) && !doors.includes(s))).toEqual([]);
});

it("lets no station import one it must not know", () => {
  const wrong = files.flatMap((file) => {
    const from = station(file);
    if (doors.includes(from)) return [];
    const allowed = [from, "base", ...mayImport[from]!];
    return imports
      .get(file)!
      .filter((to) => inside(to) && !allowed.includes(station(to)))
      .map((to) => `${file} -> ${to}`);
  });
  expect(wrong).toEqual([]);
});

it("finds every relative import below src", () => {
  const lost = files.flatMap((file) =>
    imports
      .get(file)!
      .filter((to) => /^\.|\.tsx?$/.test(to) && !inside(to))
      .map((to) => `${file} -> ${to}`),
  );
  expect(lost).toEqual([]);
});

it("has no cycle", () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (done.has(file) || path.includes(file)) return;
    for (const to of imports.get(file)!.filter(inside)) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});

it("keeps Node out of what runs in a browser", () => {
  const reached = new Set<string>();
  const visit = (file: string) => {
    if (reached.has(file)) return;
    reached.add(file);
    imports.get(file)!.filter(inside).forEach(visit);
  };
  files.filter((file) => browserSafe.some((folder) => file.startsWith(folder))).forEach(visit);
  const wrong = [...reached].flatMap((file) => {
    const code = texts.get(file)!.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    const globals = /\b(Buffer|process|__dirname)\b\s*[.([]/.exec(code);
    const modules = imports.get(file)!.filter((name) => name.startsWith("node:"));
    return [...modules, ...(globals ? [globals[0]] : [])].map((what) => `${file}: ${what}`);
  });
  expect(wrong).toEqual([]);
});
