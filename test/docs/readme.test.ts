/** The first program of the README runs, as printed, and prints what the README says. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");

it("runs the README's program", () => {
  const [, program, printed] = /^```ts\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/m.exec(
    readFileSync(join(root, "README.md"), "utf8"),
  )!;
  // Inside the repository, so that "evert" is this package.
  const folder = mkdtempSync(join(import.meta.dirname, ".program-"));
  try {
    writeFileSync(join(folder, "program.ts"), program!);
    const output = execFileSync(process.execPath, ["--conditions=evert-source", "program.ts"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(output).toBe(printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
