/**
 * Runs the records of one file in one of two modes.
 *
 * plain: one after the other, as written.
 *
 * views-first: the queries up to the first later change of data become materialized views of the still empty tables. Then the rows
 * come, go and come again: half of the INSERTs, a DELETE of everything, all INSERTs in another order, and a column negated twice. Each
 * view must then have the rows its record expects. Many views are made in rounds, each on a database of its own.
 *
 * What fails is put before PostgreSQL, which runs the same statements: a record it does not answer as expected is no failure of ours,
 * and is counted apart.
 */
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import type { LogicRecord, QueryRecord, StatementRecord } from "./records.ts";
import { openEvert, openPostgres, type Subject } from "./subject.ts";
import { difference, differenceInAnyOrder, hashOf, type Row, sameRows } from "./values.ts";

export type Mode = "plain" | "views-first";

export interface RunOptions {
  readonly mode: Mode;
  /** Whether PostgreSQL is asked about what failed. */
  readonly judge: boolean;
  /** Of a file's records, at most so many evenly spread queries. */
  readonly queriesMax: number;
  /** Views that exist at a time. */
  readonly viewsMax: number;
  readonly seed: number;
}

export interface Failure {
  readonly line: number;
  readonly sql: string;
  readonly why: string;
}

export interface Report {
  passed: number;
  /** Records on which PostgreSQL does not agree either. */
  disputed: number;
  readonly failures: Failure[];
}

export async function runFile(all: readonly LogicRecord[], options: RunOptions): Promise<Report> {
  const records = thinned(all, options.queriesMax);
  const report: Report = { passed: 0, disputed: 0, failures: [] };
  const judge = options.judge ? new Judge(records) : null;
  const fail = async (record: LogicRecord, why: string): Promise<void> => {
    if (judge !== null && !(await judge.agrees(record))) report.disputed++;
    else report.failures.push({ line: record.line, sql: record.sql, why });
  };
  const told = async (record: LogicRecord, why: string | null): Promise<void> => {
    if (why === null) report.passed++;
    else await fail(record, why);
  };
  try {
    if (options.mode === "plain") await runPlain(records, told);
    else await runViewsFirst(records, options, told);
  } finally {
    await judge?.close();
  }
  return report;
}

type Tell = (record: LogicRecord, why: string | null) => Promise<void>;

function thinned(records: readonly LogicRecord[], queriesMax: number): readonly LogicRecord[] {
  const queries = records.filter((r) => r.kind === "query").length;
  if (queries <= queriesMax) return records;
  const stride = Math.ceil(queries / queriesMax);
  let n = 0;
  return records.filter((r) => r.kind === "statement" || n++ % stride === 0);
}

// ---- as written -------------------------------------------------------------------------------------------------

async function runPlain(records: readonly LogicRecord[], tell: Tell): Promise<void> {
  const evert = await openEvert();
  const labels = new Map<string, string>();
  try {
    for (const record of records) await tell(record, await runRecord(evert, record, labels));
  } finally {
    await evert.close();
  }
}

/** What is wrong with the subject's answer to the record, or null. */
async function runRecord(
  subject: Subject,
  record: LogicRecord,
  labels: Map<string, string>,
): Promise<string | null> {
  const answer = await attempt(() => subject.run(record.sql));
  if (record.kind === "statement") {
    if ("refused" in answer) return record.fails ? null : answer.refused;
    return record.fails ? "an error was expected" : null;
  }
  if ("refused" in answer) return answer.refused;
  return difference(record, answer.rows) ?? labelDifference(record, answer.rows, labels);
}

/** Queries of one label have one answer. */
function labelDifference(
  record: QueryRecord,
  rows: readonly Row[],
  labels: Map<string, string>,
): string | null {
  if (record.label === null) return null;
  const hash = hashOf(record, rows);
  const known = labels.get(record.label);
  labels.set(record.label, known ?? hash);
  return known === undefined || known === hash ? null : `another answer than before under ${record.label}`;
}

async function attempt(
  work: () => Promise<Row[]>,
): Promise<{ readonly rows: Row[] } | { readonly refused: string }> {
  try {
    return { rows: await work() };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) };
  }
}

// ---- views first ------------------------------------------------------------------------------------------------

interface Scene {
  /** What makes tables and indexes. */
  readonly definitions: readonly StatementRecord[];
  readonly data: readonly StatementRecord[];
  readonly queries: readonly QueryRecord[];
}

async function runViewsFirst(
  records: readonly LogicRecord[],
  options: RunOptions,
  tell: Tell,
): Promise<void> {
  const scene = sceneOf(records);
  for (let i = 0; i < scene.queries.length; i += options.viewsMax) {
    const queries = scene.queries.slice(i, i + options.viewsMax);
    await runRound({ ...scene, queries }, options.seed, tell);
  }
}

function sceneOf(records: readonly LogicRecord[]): Scene {
  const isDefinition = (sql: string): boolean => /^\s*(create|drop|reindex)\b/i.test(sql);
  const statement = (r: LogicRecord): r is StatementRecord => r.kind === "statement" && !r.fails;
  const first = records.findIndex((r) => r.kind === "query");
  const setup = records.slice(0, Math.max(first, 0)).filter(statement);
  const rest = first < 0 ? [] : records.slice(first);
  // An index changes no answer; anything else that is no query ends the scene.
  const end = rest.findIndex((r) => statement(r) && !/^\s*(create(\s+unique)?|drop)\s+index\b/i.test(r.sql));
  return {
    definitions: setup.filter((r) => isDefinition(r.sql)),
    data: setup.filter((r) => !isDefinition(r.sql)),
    queries: rest.slice(0, end < 0 ? rest.length : end).filter((r) => r.kind === "query"),
  };
}

async function runRound({ definitions, data, queries }: Scene, seed: number, tell: Tell): Promise<void> {
  const evert = await openEvert();
  try {
    for (const { sql } of definitions) await evert.run(sql);
    const made: [string, QueryRecord][] = [];
    for (const record of queries) {
      const name = `view_of_line_${record.line}`;
      const columns = Array.from(record.types, (_, i) => `c${i}`).join(", ");
      const text = record.sql.replace(/;\s*$/, "");
      const answer = await attempt(() =>
        evert.run(`CREATE MATERIALIZED VIEW ${name} (${columns}) AS ${text}`),
      );
      if ("refused" in answer) await tell(record, `no view: ${answer.refused}`);
      else made.push([name, record]);
    }
    for (const sql of comeAndGo(definitions, data, seed)) await evert.run(sql);
    await evert.settled();
    for (const [name, record] of made) await tell(record, await viewDifference(evert, name, record));
  } finally {
    await evert.close();
  }
}

/** The statements that bring the data, with detours where there are only INSERTs. */
function comeAndGo(
  definitions: readonly StatementRecord[],
  data: readonly StatementRecord[],
  seed: number,
): string[] {
  const inserts = data.map((r) => r.sql);
  const into = inserts.map(
    (sql) => /^\s*insert\s+into\s+("[^"]+"|\w+)\s*(\([^)]*\)\s*)?values/i.exec(sql)?.[1],
  );
  if (into.includes(undefined)) return inserts;
  const random = new SeededRandom(seed);
  const tables = [...new Set(into as string[])];
  const half = inserts.filter(() => random.below(2) === 0);
  return [
    ...half,
    ...tables.map((table) => `DELETE FROM ${table}`),
    ...shuffled(inserts, (below) => random.below(below)),
    ...tables.flatMap((table) => negations(table, definitions)),
  ];
}

function shuffled<T>(items: readonly T[], below: (n: number) => number): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}

/** A column of integers that is no key, negated and back. */
function negations(table: string, definitions: readonly StatementRecord[]): string[] {
  for (const { sql } of definitions) {
    const columns = new RegExp(`^\\s*create\\s+table\\s+${table}\\s*\\(([^]*)\\)`, "i").exec(sql)?.[1];
    const column = columns
      ?.split(",")
      .flatMap((c) => /^\s*(\w+)\s+(?:int|integer|bigint)\s*$/i.exec(c)?.[1] ?? []);
    if (column?.[0] === undefined) continue;
    const update = `UPDATE ${table} SET ${column[0]} = - ${column[0]}`;
    return [update, update];
  }
  return [];
}

async function viewDifference(subject: Subject, name: string, record: QueryRecord): Promise<string | null> {
  const view = await attempt(() => subject.run(`SELECT * FROM ${name}`));
  if ("refused" in view) return view.refused;
  const known = differenceInAnyOrder(record, view.rows);
  if (known !== undefined) return known;
  // Of ordered rows only the hash is known: the query itself must have it, and the view the query's rows.
  const direct = await attempt(() => subject.run(record.sql));
  if ("refused" in direct) return direct.refused;
  const wrong = difference(record, direct.rows);
  if (wrong !== null) return wrong;
  return sameRows(view.rows, direct.rows, record.types) ? null : "the view has other rows than its query";
}

// ---- the judge --------------------------------------------------------------------------------------------------

/** PostgreSQL, opened when it is first asked, and led through the statements up to the record asked about. */
class Judge {
  readonly #records: readonly LogicRecord[];
  #postgres: Promise<Subject> | null = null;
  #next = 0;

  constructor(records: readonly LogicRecord[]) {
    this.#records = records;
  }

  /** Whether PostgreSQL answers the record as the file says. Records are asked about in the order of the file, round by round. */
  async agrees(record: LogicRecord): Promise<boolean> {
    this.#postgres ??= openPostgres();
    const postgres = await this.#postgres;
    const at = this.#records.indexOf(record);
    for (; this.#next < at; this.#next++) {
      const before = this.#records[this.#next]!;
      if (before.kind === "statement") await attempt(() => postgres.run(before.sql));
    }
    if (record.kind === "statement") this.#next = Math.max(this.#next, at + 1);
    return (await runRecord(postgres, record, new Map())) === null;
  }

  async close(): Promise<void> {
    await (await this.#postgres)?.close();
  }
}
