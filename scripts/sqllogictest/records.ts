/**
 * The records of a sqllogictest file, as SQLite writes them.
 *
 *   file      = record, separated by blank lines; a line that begins with # is a comment
 *   record    = {condition} (statement | query | control)
 *   condition = "skipif" database | "onlyif" database
 *   statement = "statement" ("ok" | "error") newline, lines of SQL
 *   query     = "query" types [sort [label]] newline, lines of SQL, ["----" newline, result]
 *   types     = one letter per column: I integer, R three decimals, T text
 *   sort      = "nosort" | "rowsort" | "valuesort"
 *   result    = one value per line | count "values hashing to" MD5
 *   control   = "halt" | "hash-threshold" n
 *
 * Records of other databases are left out, and nothing is read behind a halt.
 */

export type Sort = "nosort" | "rowsort" | "valuesort";

export interface StatementRecord {
  readonly kind: "statement";
  readonly line: number;
  readonly sql: string;
  readonly fails: boolean;
}

export interface QueryRecord {
  readonly kind: "query";
  readonly line: number;
  readonly sql: string;
  readonly types: string;
  readonly sort: Sort;
  readonly label: string | null;
  readonly expected: Expected;
}

export type Expected =
  | { readonly kind: "values"; readonly values: readonly string[] }
  | { readonly kind: "hash"; readonly count: number; readonly md5: string }
  | { readonly kind: "any" };

export type LogicRecord = StatementRecord | QueryRecord;

/** @throws Error where the file is not of this format, with its line. */
export function readRecords(text: string, database: string): LogicRecord[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const records: LogicRecord[] = [];
  let at = 0;
  let wanted = true;
  const until = (ends: (line: string) => boolean): string[] => {
    const start = at;
    while (at < lines.length && !ends(lines[at]!)) at++;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = at + 1;
    const words = lines[at++]!.replace(/\s#.*$/, "")
      .trim()
      .split(/\s+/);
    const [word, second, third, fourth] = words;
    if (word === "" || word!.startsWith("#") || word === "hash-threshold") continue;
    if (word === "skipif" || word === "onlyif") {
      wanted &&= (second === database) === (word === "onlyif");
      continue;
    }
    if (word === "halt") {
      if (wanted) break;
      wanted = true;
      continue;
    }
    if (word !== "statement" && word !== "query") throw new Error(`line ${line}: unknown record "${word}"`);
    const sql = until((l) => l.trim() === "" || l === "----").join("\n");
    const hasResult = lines[at] === "----";
    if (hasResult) at++;
    const result = hasResult ? until((l) => l === "") : null;
    const kept = wanted;
    wanted = true;
    if (!kept) continue;
    if (word === "statement") {
      if (second !== "ok" && second !== "error") throw new Error(`line ${line}: ok or error is expected`);
      records.push({ kind: "statement", line, sql, fails: second === "error" });
    } else {
      const sort = sortOf(third, line);
      const expected = expectedOf(result);
      records.push({ kind: "query", line, sql, types: second ?? "", sort, label: fourth ?? null, expected });
    }
  }
  return records;
}

function sortOf(word: string | undefined, line: number): Sort {
  if (word === undefined) return "nosort";
  if (word === "nosort" || word === "rowsort" || word === "valuesort") return word;
  throw new Error(`line ${line}: unknown order "${word}"`);
}

function expectedOf(lines: readonly string[] | null): Expected {
  if (lines === null) return { kind: "any" };
  const hash = lines.length === 1 ? /^(\d+) values hashing to ([0-9a-f]{32})$/.exec(lines[0]!) : null;
  if (hash === null) return { kind: "values", values: lines };
  return { kind: "hash", count: Number(hash[1]), md5: hash[2]! };
}
