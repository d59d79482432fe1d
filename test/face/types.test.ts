import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";

const file = fileURLToPath(new URL("types.ts", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

it("gives programs the row types they expect", () => {
  const config = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const program = ts.createProgram([file], options);
  const source = program.getSourceFile(file);
  const problems = program.getSemanticDiagnostics(source).map((d) => {
    const { line } = ts.getLineAndCharacterOfPosition(d.file!, d.start!);
    return `types.ts:${line + 1} ${ts.flattenDiagnosticMessageText(d.messageText, "\n")}`;
  });
  expect(source).toBeDefined();
  expect(problems).toEqual([]);
});
