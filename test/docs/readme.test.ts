/** The first program of the README runs, as printed, and prints what the README says. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");

it.each([
  ["program.ts", null],
  ["app.mts", "commonjs"],
])("runs the README's program as %s in a package of type %s", (name, type) => {
  const [, program, printed] = /^```ts\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/m.exec(
    readFileSync(join(root, "README.md"), "utf8"),
  )!;
  // Inside the repository, so that "evert" is this package.
  const folder = mkdtempSync(join(import.meta.dirname, ".program-"));
  try {
    if (type !== null) {
      writeFileSync(join(folder, "package.json"), JSON.stringify({ type }));
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(root, join(folder, "node_modules/evert"), "dir");
    }
    writeFileSync(join(folder, name), program!);
    const output = execFileSync(process.execPath, ["--conditions=evert-source", name], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(output).toBe(printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
