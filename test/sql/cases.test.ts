/**
 * Text cases: what a statement binds to, or why it is refused. A file of cases/ is a list of blocks with an empty line between
 * them: SQL, a line `----`, the answer. CREATE statements stay in force for the rest of their file. EVERT_REWRITE=1 writes
 * the answers as they are now; read the diff.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { bindStatement, loadParser, paramFromJson, parseStatements } from "../../src/sql/statement.ts";
import { TestCatalog } from "./catalog.ts";
import { renderError, renderStatement } from "./render.ts";

const folder = new URL("./cases/", import.meta.url);
const rewrite = process.env["EVERT_REWRITE"] === "1";

/** Values of $1, $2 ... in the cases. */
const params = [5, "abc", null, "2024-05-06 07:08:09+00"].map(paramFromJson);

interface Block {
  readonly comment: string;
  readonly sql: string;
  readonly expected: string;
}

function blocksOf(text: string): Block[] {
  return text
    .trim()
    .split(/\n{2,}/)
    .map((block) => {
      const lines = block.split("\n");
      const comment = lines.filter((l) => l.startsWith("#"));
      const body = lines.filter((l) => !l.startsWith("#"));
      const cut = body.indexOf("----");
      const sql = body.slice(0, cut < 0 ? undefined : cut).join("\n");
      return { comment: comment.join("\n"), sql, expected: cut < 0 ? "" : body.slice(cut + 1).join("\n") };
    });
}

function answerOf(sql: string, catalog: TestCatalog): string {
  const lines: string[] = [];
  try {
    for (const parsed of parseStatements(sql)) {
      const statement = bindStatement(parsed, catalog, params);
      catalog.define(statement);
      lines.push(...renderStatement(statement));
    }
  } catch (error) {
    lines.push(...renderError(error));
  }
  return lines.join("\n");
}

beforeAll(loadParser);

describe.each(readdirSync(folder).filter((f) => f.endsWith(".txt")))("%s", (file) => {
  const path = new URL(file, folder);
  const blocks = blocksOf(readFileSync(path, "utf8"));

  if (rewrite) {
    it("is written anew", () => {
      const catalog = new TestCatalog();
      const written = blocks.map(({ comment, sql }) => {
        if (sql === "") return comment;
        return `${comment === "" ? "" : `${comment}\n`}${sql}\n----\n${answerOf(sql, catalog)}`;
      });
      writeFileSync(path, `${written.join("\n\n")}\n`);
    });
    return;
  }

  // Cases of a file follow one another: each sees what those before it created.
  const catalog = new TestCatalog();
  it.each(blocks.filter((b) => b.sql !== ""))("$sql", ({ sql, expected }) => {
    expect(answerOf(sql, catalog)).toBe(expected);
  });
});
