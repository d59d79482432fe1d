/** The code blocks of docs/VIEWS.md, one after the other, are a program: it must compile, and its views must have plans. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, expect, it } from "vitest";
import type { Schema } from "../../src/batch/schema.ts";
import { int8, text } from "../../src/batch/types.ts";
import { toQuery } from "../../src/face/compile.ts";
import { loadApp } from "../../src/face/load-app.ts";
import { bindView, loadParser } from "../../src/sql/statement.ts";
import { catalogOf } from "../face/catalog.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(import.meta.dirname, "views-"));
const file = join(folder, "app.ts");
const blocks = [
  ...readFileSync(join(root, "docs/VIEWS.md"), "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm),
].map((m) => m[1]!);
writeFileSync(file, blocks.join("\n"));
afterAll(() => rmSync(folder, { recursive: true }));

it("compiles", { timeout: 60_000 }, () => {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const program = ts.createProgram([file], options);
  const problems = program.getSemanticDiagnostics(program.getSourceFile(file));
  expect(problems.map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"))).toEqual([]);
});

it("declares views that have a plan", async () => {
  await loadParser();
  const { topics, views } = loadApp(await import(file));
  expect(topics.map((t) => t.name)).toEqual(expect.arrayContaining(["plays", "songs", "prices", "events"]));
  expect(views.length).toBeGreaterThan(15);
  const counted = (name: string, count: string): Schema => ({
    fields: [
      { name, type: text, nullable: false },
      { name: count, type: int8, nullable: false },
    ],
  });
  const catalog = catalogOf([...topics, ...views], {
    charts: counted("name", "plays"),
    last_hour: counted("page", "visits"),
  });
  for (const view of views) {
    const { definition } = view;
    const query =
      definition.kind === "chain"
        ? toQuery(view, catalog)
        : bindView(definition.text, null, catalog, definition.params);
    expect(query.visible).toBeGreaterThan(0);
  }
});
