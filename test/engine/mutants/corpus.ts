/**
 * What mutants are made of: the SQL of the tests, of the documents and of the README, as trees.
 *
 * Files of SQL are read statement by statement, files of expressions line by line; of programs and pages whatever stands in quotes or backticks and begins like a statement. PostgreSQL's parser says which of it
 * is SQL. Parts of all of it, by sort, are the stock from which parts are exchanged.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadParser, parseStatements } from "../../../src/sql/statement.ts";
import { Ring } from "./ring.ts";
import { type Part, placesOf, type Sort, textOf, tokensOf, treeOf } from "./tree.ts";
import { tableNames } from "./world.ts";

export interface Corpus {
  /** SELECT, VALUES, WITH. */
  readonly queries: Ring<Part>;
  /** Those of them that read tables which there are in the judged worlds. */
  readonly athome: Ring<Part>;
  /** INSERT, UPDATE, DELETE, TRUNCATE. */
  readonly changes: Ring<Part>;
  /** Everything else. */
  readonly others: Ring<Part>;
  readonly stock: Readonly<Record<Sort, Ring<Part>>>;
  readonly operators: Ring<string>;
  readonly functions: Ring<string>;
  readonly names: Ring<string>;
  readonly types: Ring<string>;
  readonly literals: Ring<string>;
}

const root = join(import.meta.dirname, "../../..");
/** Longer ones make mutants that nobody reads, and are slow to parse. */
const CHARACTERS_MAX = 2000;

const begins =
  /^\s*(?:SELECT|WITH|VALUES|INSERT|UPDATE|DELETE|TRUNCATE|CREATE|ALTER|DROP|EXPLAIN|SHOW|COPY|TABLE|BEGIN|REFRESH)\b/i;

function filesBelow(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && ending.test(entry.name) && !/^\.|node_modules/.test(entry.parentPath),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function* texts(): Generator<string> {
  const read = (path: string): string => readFileSync(path, "utf8");
  for (const folder of ["test/engine/queries", "test/engine/statements", "test/engine/random-cases"])
    for (const file of filesBelow(folder, /\.sql$/)) yield* read(file).split(/;[ \t]*$/m);
  for (const file of filesBelow("test/sql/cases", /\.txt$/))
    yield* read(file)
      .split(/\n\n/)
      .map((block) => block.split("\n----")[0]!);
  for (const file of filesBelow("test/sql/functions", /\.txt$/)) {
    const lines = read(file)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    // Some files have thousands that differ in a letter.
    const step = Math.ceil(lines.length / 200);
    for (let i = 0; i < lines.length; i += step) yield `SELECT ${lines[i]}`;
  }
  for (const file of [...filesBelow("docs", /\.md$/), join(root, "README.md")]) {
    const text = read(file);
    for (const [, span] of text.matchAll(/`([^`\n]+)`/g)) yield span!.replaceAll("\\|", "|");
    for (const [, said] of text.matchAll(/"((?:CREATE|SELECT|INSERT)[^"]+)"/g)) yield said!;
  }
  for (const file of filesBelow("test", /\.test\.ts$/)) {
    for (const [, , said] of read(file).matchAll(
      /(["`])((?:SELECT|WITH|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|EXPLAIN|SHOW|COPY|select|create|insert)\b(?:(?!\1)[^\\])*)\1/g,
    ))
      if (!said!.includes("${")) yield said!;
  }
}

let made: Corpus | null = null;

export async function readCorpus(): Promise<Corpus> {
  await loadParser();
  made ??= corpusOf(texts());
  return made;
}

function corpusOf(found: Iterable<string>): Corpus {
  const queries: Part[] = [];
  const athome: Part[] = [];
  const changes: Part[] = [];
  const others: Part[] = [];
  const stock: Record<Sort, Part[]> = {
    query: [],
    clause: [],
    element: [],
    source: [],
    expression: [],
    type: [],
    group: [],
  };
  const words = { operators: new Set<string>(), functions: new Set<string>(), names: new Set<string>() };
  const literals = new Set<string>();
  const types = new Set<string>();
  const seen = new Set<string>();
  for (const text of found) {
    const trimmed = text.trim().replace(/;$/, "");
    if (trimmed.length > CHARACTERS_MAX || seen.has(trimmed)) continue;
    seen.add(trimmed);
    if (!begins.test(trimmed.replace(/^(?:\s*--.*\n)+/, ""))) continue;
    for (const one of statementsOf(trimmed)) {
      const tree = treeOf(one);
      const first = tokensOf(one)[0]!.toUpperCase();
      if (
        /^(?:SELECT|VALUES|TABLE|\()$/.test(first) ||
        (first === "WITH" && !/\b(?:INSERT|UPDATE|DELETE)\b/i.test(one))
      ) {
        queries.push(tree);
        const read = [...one.matchAll(/\b(?:FROM|JOIN)\s+([a-z_]\w*)/gi)].map(([, name]) =>
          name!.toLowerCase(),
        );
        if (read.length > 0 && read.every((name) => tableNames.includes(name))) athome.push(tree);
      } else (/^(?:INSERT|UPDATE|DELETE|TRUNCATE|WITH)$/.test(first) ? changes : others).push(tree);
      for (const { parent, at } of placesOf(tree)) {
        const node = parent.nodes[at]!;
        if (typeof node !== "string") {
          stock[node.sort].push(node);
          if (node.sort === "type" && node.nodes.length > 0)
            types.add(node.nodes.filter((n) => typeof n === "string").join(" "));
        } else if (/^[+\-*/<>=~!@#%^&|?]+$/.test(node) && node !== "*") words.operators.add(node);
        else if (/^[a-z_]\w*$/.test(node)) {
          const next = parent.nodes[at + 1];
          const called = typeof next === "object" && next.sort === "group" && next.nodes[0] === "(";
          (called ? words.functions : words.names).add(node);
        } else if (/^(?:'|\d|E')/.test(node) && node.length < 80) literals.add(node);
      }
    }
  }
  const parts = (found: readonly Part[]): Ring<Part> => new Ring(found, textOf);
  const texts = (found: Iterable<string>): Ring<string> => new Ring(found, (text) => text);
  return {
    queries: parts(queries),
    athome: parts(athome),
    changes: parts(changes),
    others: parts(others),
    stock: {
      query: parts(stock.query),
      clause: parts(stock.clause),
      element: parts(stock.element),
      source: parts(stock.source),
      expression: parts(stock.expression),
      type: parts(stock.type),
      group: parts(stock.group),
    },
    operators: texts(words.operators),
    functions: texts(words.functions),
    names: texts(words.names),
    types: texts(types),
    literals: texts(literals),
  };
}

/** Its statements; none where it is no SQL. */
function statementsOf(text: string): string[] {
  try {
    return parseStatements(text).map((statement) => statement.text);
  } catch {
    return [];
  }
}
