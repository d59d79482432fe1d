/**
 * What the package offers: its entries, the files behind them, and every public name. A name that is missing here breaks
 * somebody's program; a name that is new here is promised from now on.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));

const entries = Object.entries(manifest.exports as Record<string, string | Record<string, string>>).flatMap(
  ([name, target]) => (typeof target === "string" ? [] : [[name, target] as const]),
);

describe("the export map", () => {
  it("has these entries, each compiled from the source beside it", () => {
    expect(entries.map(([name]) => name)).toEqual([".", "./client", "./react", "./server", "./testing"]);
    for (const [, target] of entries) {
      expect(Object.keys(target)).toEqual(["evert-source", "types", "default"]);
      const path = target["evert-source"]!.slice("./src/".length, -".ts".length);
      expect(target).toEqual({
        "evert-source": `./src/${path}.ts`,
        types: `./dist/${path}.d.ts`,
        default: `./dist/${path}.js`,
      });
      expect(existsSync(`${root}/${target["evert-source"]}`)).toBe(true);
    }
  });

  it("brings the command", () => {
    expect(manifest.bin).toEqual({ evert: "bin/evert.js" });
    expect(existsSync(`${root}/bin/evert.js`)).toBe(true);
  });

  it("pins every dependency to one version", () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version as string))).toEqual([]);
  });
});

describe("the public names", () => {
  const program = ts.createProgram(
    entries.map(([, target]) => `${root}/${target["evert-source"]}`),
    {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      allowImportingTsExtensions: true,
      noEmit: true,
    },
  );
  const checker = program.getTypeChecker();

  it.each(entries)("of %s", (_name, target) => {
    const source = program.getSourceFile(`${root}/${target["evert-source"]}`)!;
    const names = checker.getExportsOfModule(checker.getSymbolAtLocation(source)!).map((symbol) => {
      const { flags } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const isValue =
        (flags & ts.SymbolFlags.Value) !== 0 && !symbol.declarations?.some(ts.isTypeOnlyExportDeclaration);
      return `${isValue ? "" : "type "}${symbol.name}`;
    });
    expect(`${names.sort().join("\n")}\n`).toMatchSnapshot();
  });
});
