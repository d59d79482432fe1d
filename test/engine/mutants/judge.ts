/**
 * Mutants of statements, and what must hold of each, whatever it is.
 *
 * One seed is one world: a database of Evert and one of PostgreSQL with the same tables (world.ts), or Evert's alone for definitions. In it some dozens of mutants (mutate.ts) are run, one after another:
 *
 * 1. Any statement: it is answered or refused; the refusal has a code other than `internal`, with a message; nothing rejects, and nothing is reported behind its back.
 * 2. A query that both take has the same rows (in the order that its ORDER BY says), and columns of the same names. Where rows differ, PostgreSQL is asked again with the same rows in other orders and with other
 *    plans: one who contradicts himself has left the answer open (docs/decisions/0006-ties.md). What the documents say is otherwise is passed over by name (passed-over.ts).
 * 3. A query that PostgreSQL takes is not refused with an error about its text (class 42) but as not supported; one that it does not take, by such an error, is not answered. Where both refuse it so, with the same SQLSTATE, a position is
 *    told where PostgreSQL tells one.
 * 4. Some of those that both take become views. After each of some small commits they have the rows that PostgreSQL's view gives, and at the end those that the query gives when everything is computed anew from the log
 *    (support/anew.ts), and when the database is opened again.
 * 5. A change (INSERT, UPDATE, DELETE) that both take returns the same rows and leaves the same tables; one that is refused leaves them as they were.
 * 6. A query with its numbers given as parameters (with-parameters.ts) has the rows that it has with them in its text.
 * 7. After definitions the database opens again, with the same topics and views.
 *
 * The same seed makes the same world and the same mutants, for as long as the corpus, which is the tests' and documents' SQL, is the same; so a finding prints the statement, made smaller (shrink.ts), and its
 * world's seed. It becomes a test of its own.
 */

import type { ErrorBody } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { recomputed } from "../support/anew.ts";
import { openInMemory, told } from "../support/memory.ts";
import type { Asked, Postgres } from "../support/postgres.ts";
import { difference, maintained, type TextRow } from "../support/views.ts";
import { type Corpus, readCorpus } from "./corpus.ts";
import { Mutator } from "./mutate.ts";
import { asksForTheTime, leavesOrderOpen, passedOver, refusedHere, takenHere } from "./passed-over.ts";
import { hashOf, type Ring } from "./ring.ts";
import { shrink } from "./shrink.ts";
import { type Part, textOf, treeOf } from "./tree.ts";
import { withParameters } from "./with-parameters.ts";
import { changes, definitions, filling, forPostgres, tableNames } from "./world.ts";

/** What is wrong, by the rule that it breaks. */
export type Kind =
  | "internal"
  | "silent"
  | "reported"
  | "thrown"
  | "rows"
  | "order"
  | "columns"
  | "refused"
  | "accepted"
  | "place"
  | "view"
  | "anew"
  | "restart"
  | "tables"
  | "parameters"
  | "held";

export interface Finding {
  readonly kind: Kind;
  readonly seed: number;
  readonly sql: string;
  readonly what: string;
}

export interface Options {
  /** Statements of a seed. */
  readonly statements: number;
  /** Called before each statement: somebody else sees what runs, should it never end. */
  readonly begins?: (sql: string, by: "evert" | "postgres") => void;
  /** Milliseconds for which no statement may hold the event loop. */
  readonly heldMs?: number;
  /** Findings are made smaller. */
  readonly shrinks?: boolean;
}

export interface Outcome {
  readonly findings: readonly Finding[];
  readonly statements: number;
  /** Queries whose rows were compared. */
  readonly compared: number;
  readonly views: number;
}

/** A mutant that makes more is refused, rather than waited for. */
const limits = { rowsMax: 20_000, bytesMax: 2 ** 26, stepRowsMax: 50_000 };
const recursion = { rowsMax: 2000, iterationsMax: 200 };
const VIEWS_MAX = 8;
const COMMITS = 5;
/** Deeper and longer ones are Evert's alone: PostgreSQL in WebAssembly has little stack. */
const JUDGED_CHARACTERS_MAX = 4000;

type Refusal = ErrorBody;
type Answer =
  | { readonly rows: TextRow[]; readonly names: readonly string[]; readonly command: string }
  | Refusal;
const isRefusal = (answer: Answer): answer is Refusal => "sqlstate" in answer;

export async function runSeed(seed: number, postgres: Postgres, options: Options): Promise<Outcome> {
  const world = new World(seed, await readCorpus(), postgres, options);
  try {
    await world.run();
  } finally {
    await world.close();
  }
  return world;
}

class World implements Outcome {
  readonly findings: Finding[] = [];
  statements = 0;
  compared = 0;
  views = 0;
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #corpus: Corpus;
  readonly #postgres: Postgres;
  readonly #options: Options;
  readonly #disk = new SimulatedDisk();
  #db!: Database;
  #running = "";

  constructor(seed: number, corpus: Corpus, postgres: Postgres, options: Options) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#corpus = corpus;
    this.#postgres = postgres;
    this.#options = options;
  }

  async close(): Promise<void> {
    await this.#db?.close();
  }

  async run(): Promise<void> {
    this.#db = await this.#open();
    const fill = filling(this.#random);
    for (const sql of [...definitions, ...fill]) await this.#must(sql);
    if (this.#random.oneIn(5)) return this.#definitions();
    await this.#postgres.reset();
    await this.#postgres.define([...definitions.map(forPostgres), ...fill].join(";\n"));
    await (this.#random.oneIn(4) ? this.#changes() : this.#queries());
  }

  #open(): Promise<Database> {
    return openInMemory(this.#disk, {
      limits,
      recursion,
      report: (message) => this.#find("reported", this.#running, message),
    });
  }

  #find(kind: Kind, sql: string, what: string): void {
    this.findings.push({ kind, seed: this.#seed, sql, what });
  }

  async #must(sql: string): Promise<void> {
    const { error } = await this.#db.sql(sql);
    if (error !== undefined) throw new Error(`${error.sqlstate} ${error.message}\n${sql}`);
  }

  /** Evert's answer. What breaks rule 1 is a finding. */
  async #ask(sql: string): Promise<Answer> {
    this.#options.begins?.(sql, "evert");
    this.#running = sql;
    const began = performance.now();
    try {
      const { results, error } = await this.#db.sql(sql);
      if (error !== undefined) {
        if (error.code === "internal") this.#find("internal", sql, `${error.message} ${error.detail ?? ""}`);
        else if (error.message === "" || !/^[0-9A-Z]{5}$/.test(error.sqlstate))
          this.#find("silent", sql, JSON.stringify(error));
        return error;
      }
      const last = results.at(-1);
      return {
        rows: last?.rowsText() ?? [],
        names: last?.columns.map((c) => c.name) ?? [],
        command: last?.command ?? "",
      };
    } catch (thrown) {
      this.#find("thrown", sql, String((thrown as Error).stack));
      return { code: "internal", sqlstate: "XX000", message: String(thrown) };
    } finally {
      const took = performance.now() - began;
      if (this.#options.heldMs !== undefined && took > this.#options.heldMs)
        this.#find("held", sql, `${Math.round(took)} ms`);
    }
  }

  /** Refusals may differ: what is grouped by is told from other expressions by its text in PostgreSQL. */
  async #compareParameters(sql: string): Promise<void> {
    const given = withParameters(sql);
    if (given === null || asksForTheTime(sql)) return;
    this.#options.begins?.(given.text, "evert");
    const written = await this.#db.sql(sql);
    const { results, error } = await this.#db.sql(given.text, { params: given.params });
    const rows = written.results.at(-1)?.rowsText();
    if (rows === undefined || written.error !== undefined || error?.code === "statement_too_complex") return;
    const what =
      error === undefined
        ? difference(results.at(-1)?.rowsText() ?? [], rows)
        : `${error.sqlstate} ${error.message}`;
    if (what !== null) this.#find("parameters", given.text, `${JSON.stringify(given.params)}: ${what}`);
  }

  /** The n-th of this seed, whatever the others are. */
  #mutantOf(n: number, choose: (random: SeededRandom) => Ring<Part>): string {
    const random = new SeededRandom(hashOf(`${this.#seed}.${n}`));
    const base = choose(random).at(random.u32());
    return new Mutator(random, this.#corpus).mutant(base);
  }

  async #queries(): Promise<void> {
    const { queries, athome } = this.#corpus;
    const kept: string[] = [];
    for (let i = 0; i < this.#options.statements; i++) {
      const sql = this.#mutantOf(i, (random) => (random.oneIn(3) ? queries : athome));
      this.statements++;
      // What changes something would change it for those that follow.
      if (!isQuery(sql)) continue;
      const wrong = await this.#judgeQuery(sql);
      if (wrong === "same") {
        this.compared++;
        await this.#compareParameters(sql);
        if (kept.length < VIEWS_MAX && this.#random.oneIn(3)) kept.push(sql);
      } else if (typeof wrong === "object") await this.#tell(wrong, sql);
    }
    await this.#keep(kept);
  }

  /** Said once it is as small as it goes. */
  async #tell({ kind, what }: Pick<Finding, "kind" | "what">, sql: string): Promise<void> {
    if (this.#options.shrinks !== true) return this.#find(kind, sql, what);
    let said = what;
    const known = this.findings.length;
    const small = await shrink(treeOf(sql), async (candidate) => {
      const text = textOf(candidate).trim();
      if (!isQuery(text)) return false;
      const again = await this.#judgeQuery(text);
      if (typeof again !== "object" || again.kind !== kind || !alikeInShort(again.what, what)) return false;
      said = again.what;
      return true;
    });
    // What candidates break is no finding of its own.
    this.findings.length = known;
    this.#find(kind, textOf(small).trim(), said);
  }

  async #judgeQuery(sql: string): Promise<Pick<Finding, "kind" | "what"> | "same" | "left"> {
    const known = this.findings.length;
    const ours = await this.#ask(sql);
    if (this.findings.length > known) {
      const { kind, what } = this.findings.pop()!;
      return { kind, what };
    }
    if (sql.length > JUDGED_CHARACTERS_MAX || depthOf(sql) > 40) return "left";
    const stopped = isRefusal(ours) && !/^(?:42|0A|22|21)/.test(ours.sqlstate);
    if (stopped || asksForTheTime(sql)) return "left";
    this.#options.begins?.(sql, "postgres");
    // One that Evert has not run may be endless: PostgreSQL says only whether it takes it.
    const theirs = await this.#postgres.ask(isRefusal(ours) ? `EXPLAIN ${sql}` : sql);
    if (isRefusal(ours)) {
      if (ours.code === "feature_not_supported" || !ours.sqlstate.startsWith("42")) return "left";
      if (theirs.refused === null)
        return (await this.#isRefusedWhenRun(sql, ours.message))
          ? "left"
          : { kind: "refused", what: `${ours.sqlstate} ${ours.message}` };
      if (theirs.refused === ours.sqlstate && theirs.position !== undefined && ours.position === undefined)
        return { kind: "place", what: `${ours.sqlstate} ${ours.message}` };
      return "left";
    }
    if (theirs.refused !== null)
      return isTaken(sql, theirs)
        ? { kind: "accepted", what: `${theirs.refused} ${theirs.message}` }
        : "left";
    if (ours.names.join("|") !== theirs.names.join("|"))
      return {
        kind: "columns",
        what: `${ours.names.join(", ")} where there should be ${theirs.names.join(", ")}`,
      };
    return this.#compared(sql, ours.rows, theirs);
  }

  /** Some errors about a text are found when a row comes: formats of to_char, rows that cannot be compared. What may be endless is not asked. */
  async #isRefusedWhenRun(sql: string, refusal: string): Promise<boolean> {
    if (
      refusedHere.some(({ holds }) => holds(sql, refusal)) ||
      /\b(?:generate_series|recursive|repeat)\b/i.test(sql)
    )
      return true;
    const { refused } = await this.#postgres.ask(sql);
    return refused !== null;
  }

  async #compared(
    sql: string,
    ours: readonly TextRow[],
    theirs: Asked,
  ): Promise<Pick<Finding, "kind" | "what"> | "same" | "left"> {
    const { floats } = theirs;
    const wrong = difference(ours, theirs.rows, floats);
    if (wrong === null) {
      if (
        !/\bORDER BY\b(?!.*\))/is.test(sql) ||
        JSON.stringify(ours) === JSON.stringify(theirs.rows) ||
        floats.size > 0
      )
        return "same";
      if (leavesOrderOpen(sql)) return "same";
      for (const rows of await this.#postgres.inOtherOrders(sql, tableNames))
        if (JSON.stringify(rows) !== JSON.stringify(theirs.rows)) return "same";
      return {
        kind: "order",
        what: `${JSON.stringify(ours)} where there should be ${JSON.stringify(theirs.rows)}`,
      };
    }
    if (passedOver.some(({ holds }) => holds(sql, ...apart(ours, theirs.rows)))) return "left";
    for (const rows of await this.#postgres.inOtherOrders(sql, tableNames))
      if (rows === null || difference(rows, theirs.rows, floats) !== null) return "left";
    return { kind: "rows", what: wrong };
  }

  /** Views of the queries, through some commits. */
  async #keep(kept: readonly string[]): Promise<void> {
    const made: { name: string; sql: string }[] = [];
    for (const [i, sql] of kept.entries()) {
      const name = `view${i}`;
      const ours = await this.#ask(`CREATE MATERIALIZED VIEW ${name} AS ${sql}`);
      // A view may be refused where a query is not: columns of one name, now() in the wrong place.
      if (isRefusal(ours)) continue;
      const theirs = await this.#postgres.ask(`CREATE VIEW ${name} AS ${sql}`);
      if (theirs.refused !== null) {
        const said = `CREATE MATERIALIZED VIEW ${name} AS ${sql}`;
        if (isTaken(sql, theirs)) this.#find("accepted", said, `${theirs.refused} ${theirs.message}`);
        await this.#must(`DROP MATERIALIZED VIEW ${name}`);
        continue;
      }
      made.push({ name, sql });
    }
    await this.#db.built();
    this.views += made.length;
    const wrong = new Set<string>();
    await this.#compareViews(made, wrong, "when it is made");
    for (const commit of changes(this.#random, COMMITS)) {
      const said = commit.join("; ");
      this.#options.begins?.(said, "postgres");
      const theirs = await this.#postgres.transaction(commit);
      const { error } = await this.#db.sql(["BEGIN", ...commit, "COMMIT"].join("; "));
      if ((error?.sqlstate ?? null) !== theirs.refused)
        throw new Error(
          `a commit of the history: ${error?.sqlstate} ${error?.message}, ${theirs.refused}\n${said}`,
        );
      await this.#compareViews(made, wrong, `after ${said}`);
    }
    const asked = made.filter(({ name, sql }) => !wrong.has(name) && !asksForTheTime(sql));
    const anew = await recomputed(
      this.#db,
      asked.map(({ sql }) => sql),
    );
    const held: (TextRow[] | { sqlstate: string })[] = [];
    for (const { name } of asked) held.push(await maintained(this.#db, name));
    for (const [i, { sql }] of asked.entries()) this.#same("anew", sql, held[i]!, anew[i]!, "computed anew");
    await this.#db.close();
    this.#running = asked.map(({ sql }) => sql).join(";\n");
    this.#db = await this.#open();
    await this.#db.built();
    for (const [i, { name, sql }] of asked.entries())
      this.#same("restart", sql, await maintained(this.#db, name), held[i]!, "opened again");
  }

  #same(
    kind: Kind,
    sql: string,
    ours: TextRow[] | { sqlstate: string },
    theirs: TextRow[] | { sqlstate: string },
    when: string,
  ): void {
    const [a, b] = [ours, theirs].map((answer) => ("sqlstate" in answer ? answer.sqlstate : null));
    // Of several rows that fail any may be told.
    const wrong =
      a !== null || b !== null
        ? a !== null && b !== null
          ? null
          : `fails with ${a}, not ${b}`
        : difference(ours as TextRow[], theirs as TextRow[]);
    // What is first of equal rows that print differently is whichever was there.
    if (
      wrong === null ||
      (a === null &&
        b === null &&
        passedOver[1]!.holds(sql, ...apart(ours as TextRow[], theirs as TextRow[])))
    )
      return;
    this.#find(kind, sql, `${when}: ${wrong}`);
  }

  async #compareViews(
    made: readonly { name: string; sql: string }[],
    wrong: Set<string>,
    when: string,
  ): Promise<void> {
    for (const { name, sql } of made) {
      if (wrong.has(name)) continue;
      this.#options.begins?.(`${sql} -- ${when}`, "postgres");
      const ours = await maintained(this.#db, name);
      const theirs = await this.#postgres.ask(`SELECT * FROM ${name}`);
      if ("sqlstate" in ours) {
        // What could fail is computed as it is written; PostgreSQL's plans may leave it out. So another error is judged by what is computed anew.
        if (ours.sqlstate !== "XX000") continue;
        this.#find("internal", sql, `as a view, ${when}: ${this.#db.viewFailure(name)?.message}`);
        wrong.add(name);
        continue;
      }
      // PostgreSQL computes more, and earlier, than rows ask for.
      if (theirs.refused !== null) continue;
      const found = await this.#compared(sql, ours, theirs);
      if (typeof found !== "object" || found.kind === "order") continue;
      this.#find("view", sql, `as a view, ${when}: ${found.what}`);
      wrong.add(name);
    }
  }

  async #changes(): Promise<void> {
    for (let i = 0; i < this.#options.statements; i++) {
      const sql = this.#mutantOf(i, () => this.#corpus.changes);
      this.statements++;
      if (
        sql.length > JUDGED_CHARACTERS_MAX ||
        depthOf(sql) > 40 ||
        !/^\s*(?:INSERT|UPDATE|DELETE|WITH|TRUNCATE)/i.test(sql) ||
        /;/.test(sql) ||
        asksForTheTime(sql)
      ) {
        await this.#ask(`BEGIN; ${sql}; ROLLBACK`);
        continue;
      }
      this.#options.begins?.(sql, "postgres");
      await this.#postgres.define("BEGIN");
      const theirs = await this.#postgres.ask(sql);
      const ours = await this.#ask(sql);
      await this.#postgres.define(isRefusal(ours) ? "ROLLBACK" : "COMMIT");
      if (isRefusal(ours)) {
        const isRefusedHere = refusedHere.some(({ holds }) => holds(sql, ours.message));
        if (theirs.refused === null && ours.sqlstate.startsWith("42") && !isRefusedHere)
          this.#find("refused", sql, `${ours.sqlstate} ${ours.message}`);
        continue;
      }
      if (theirs.refused !== null) {
        if (isTaken(sql, theirs) && !/\bs\b/.test(sql))
          this.#find("accepted", sql, `${theirs.refused} ${theirs.message}`);
        // They have parted.
        return;
      }
      this.compared++;
      const returned = await this.#differs(sql, ours.rows, theirs);
      if (returned !== null) {
        if (returned !== "left open") this.#find("rows", sql, returned);
        return;
      }
      // Many rows are stored before they are stepped.
      await told(this.#db);
      for (const table of tableNames) {
        const [mine, right] = [
          await this.#ask(`SELECT * FROM ${table}`),
          await this.#postgres.ask(`SELECT * FROM ${table}`),
        ];
        if (isRefusal(mine) || right.refused !== null) return;
        const wrong = await this.#differs(sql, mine.rows, right);
        if (wrong === null) continue;
        if (wrong !== "left open") this.#find("tables", sql, `${table}: ${wrong}`);
        return;
      }
    }
  }

  async #differs(sql: string, ours: readonly TextRow[], theirs: Asked): Promise<string | null> {
    const wrong = difference(ours, theirs.rows, theirs.floats);
    if (wrong === null) return null;
    // Of several rows that meet one PostgreSQL takes any, and so it does of rows in no order.
    const open =
      /\b(?:from|using|limit|conflict)\b.*\b(?:from|using|limit)\b|update.*\bfrom\b|delete.*\busing\b/is.test(
        sql,
      );
    return open || passedOver.some(({ holds }) => holds(sql, ...apart(ours, theirs.rows)))
      ? "left open"
      : wrong;
  }

  async #definitions(): Promise<void> {
    const { others, changes, queries } = this.#corpus;
    for (let i = 0; i < this.#options.statements; i++) {
      const sql = this.#mutantOf(i, (random) => [others, others, changes, queries][random.below(4)]!);
      this.statements++;
      await this.#ask(sql);
    }
    await this.#db.built().catch((error: unknown) => this.#find("thrown", "built()", String(error)));
    const names = (db: Database): string =>
      JSON.stringify([db.topics().map((t) => t.name), db.views().map((v) => v.name)]);
    const before = names(this.#db);
    await this.#db.close();
    this.#running = "open()";
    this.#db = await this.#open();
    await this.#db.built();
    const after = names(this.#db);
    if (after !== before) this.#find("restart", "open()", `${after} where there was ${before}`);
  }
}

/** Whether it is taken though its text is wrong, and nothing says that it may be. */
function isTaken(sql: string, { refused, message }: Asked): boolean {
  return refused!.startsWith("42") && !takenHere.some(({ holds }) => holds(sql, message));
}

/** The rows that only one of both has. */
function apart(ours: readonly TextRow[], theirs: readonly TextRow[]): [TextRow[], TextRow[]] {
  const without = (rows: readonly TextRow[], others: readonly TextRow[]): TextRow[] => {
    const counts = new Map<string, number>();
    for (const row of others) counts.set(JSON.stringify(row), (counts.get(JSON.stringify(row)) ?? 0) + 1);
    return rows.filter((row) => {
      const left = counts.get(JSON.stringify(row)) ?? 0;
      counts.set(JSON.stringify(row), left - 1);
      return left <= 0;
    });
  };
  return [without(ours, theirs), without(theirs, ours)];
}

function depthOf(sql: string): number {
  let [depth, most] = [0, 0];
  for (const c of sql) {
    if (c === "(" || c === "[") most = Math.max(most, ++depth);
    else if (c === ")" || c === "]") depth--;
  }
  return most;
}

function isQuery(sql: string): boolean {
  return (
    /^\s*(?:SELECT|WITH|VALUES|TABLE|\()/i.test(sql) &&
    !/;|\b(?:INSERT|UPDATE|DELETE|TRUNCATE|CREATE|DROP|ALTER|COMMIT)\b/i.test(sql)
  );
}

/** Whether two texts say the same of other names and values. */
function alikeInShort(a: string, b: string): boolean {
  const short = (text: string): string =>
    text
      .split("\n")[0]!
      .replace(/["'].*?["']|\d+|[a-z_.]*\d[a-z_.]*/g, "_")
      .slice(0, 25);
  return short(a) === short(b);
}
