/** PostgreSQL itself, in process: PGlite, every value as the text PostgreSQL prints. */
import { PGlite } from "@electric-sql/pglite";
import type { ErrorBody } from "../../../src/base/errors.ts";

export interface Answer {
  readonly rows: readonly (readonly (string | null)[])[];
  /** SQLSTATE, when it was refused. */
  readonly refused: string | null;
  readonly affected: number;
}

/** What is to be said of an answer beside its rows. */
export interface Asked extends Answer {
  readonly names: readonly string[];
  /** Columns whose values are floats. */
  readonly floats: ReadonlySet<number>;
  readonly message: string;
  readonly position: number | undefined;
}

/** Settings under which PostgreSQL makes other plans. */
const otherPlans = [
  "SET LOCAL enable_hashagg = off; SET LOCAL enable_hashjoin = off",
  "SET LOCAL enable_sort = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off",
  "SET LOCAL enable_seqscan = off; SET LOCAL enable_material = off",
];
const ORDERS = 9;
const floatTypes = new Set([700, 701, 1021, 1022]);

/** What PGlite would parse: numbers, booleans, bytes, JSON, times, and arrays of all of them. */
const parsed = [
  16, 17, 20, 21, 23, 25, 114, 700, 701, 1082, 1083, 1114, 1184, 1186, 1700, 3802, 199, 1000, 1001, 1005,
  1007, 1009, 1014, 1015, 1016, 1021, 1022, 1115, 1182, 1183, 1185, 1187, 1231, 2951, 3807,
];
const asText: Record<number, (value: string) => string> = Object.fromEntries(
  parsed.map((oid) => [oid, (value: string) => value]),
);

export class Postgres {
  readonly #lite: PGlite;

  private constructor(lite: PGlite) {
    this.#lite = lite;
  }

  static async open(): Promise<Postgres> {
    const lite = await PGlite.create();
    await lite.exec("SET timezone = 'UTC'; SET client_min_messages = error");
    return new Postgres(lite);
  }

  /** Forgets everything. */
  async reset(): Promise<void> {
    await this.#lite.exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
  }

  /** @throws what PostgreSQL says. */
  async define(sql: string): Promise<void> {
    await this.#lite.exec(sql);
  }

  async query(sql: string): Promise<Answer> {
    try {
      const { rows, affectedRows } = await this.#lite.query<(string | null)[]>(sql, [], {
        rowMode: "array",
        parsers: asText,
      });
      return { rows, refused: null, affected: affectedRows ?? 0 };
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      return { rows: [], refused: code, affected: 0 };
    }
  }

  /** As query(), and more is told. */
  async ask(sql: string): Promise<Asked> {
    try {
      const { rows, affectedRows, fields } = await this.#lite.query<(string | null)[]>(sql, [], {
        rowMode: "array",
        parsers: asText,
      });
      const floats = new Set(fields.flatMap(({ dataTypeID }, i) => (floatTypes.has(dataTypeID) ? [i] : [])));
      const names = fields.map(({ name }) => name);
      return {
        rows,
        refused: null,
        affected: affectedRows ?? 0,
        names,
        floats,
        message: "",
        position: undefined,
      };
    } catch (error) {
      const { code, message, position } = error as { code?: string; message: string; position?: string };
      if (code === undefined) throw error;
      const at = position === undefined ? undefined : Number(position);
      return { rows: [], refused: code, affected: 0, names: [], floats: new Set(), message, position: at };
    }
  }

  /** The query's rows where those of the tables lie in other orders, and it is planned in other ways; null where it fails then. */
  async inOtherOrders(sql: string, tables: readonly string[]): Promise<(Answer["rows"] | null)[]> {
    const answers: (Answer["rows"] | null)[] = [];
    for (let i = 0; i < ORDERS; i++) {
      await this.#lite.exec("BEGIN");
      try {
        for (const table of tables) {
          await this.#lite.exec(
            `CREATE TEMP TABLE moved ON COMMIT DROP AS SELECT * FROM ${table}; DELETE FROM ${table};
             INSERT INTO ${table} SELECT * FROM moved ORDER BY md5('${i}' || moved::text); DROP TABLE moved`,
          );
        }
        await this.#lite.exec(otherPlans[i % otherPlans.length]!);
        const { rows, refused } = await this.query(sql);
        answers.push(refused === null ? rows : null);
      } finally {
        await this.#lite.exec("ROLLBACK");
      }
    }
    return answers;
  }

  /** What PostgreSQL says to it; null: it was done. */
  async refusal(sql: string): Promise<Partial<ErrorBody> | null> {
    try {
      await this.#lite.exec(sql);
      return null;
    } catch (error) {
      const { code, message, detail, hint } = error as Partial<ErrorBody> & { code: string };
      return { sqlstate: code, message: message as string, detail: detail as string, hint: hint as string };
    }
  }

  /** All or nothing; with ROLLBACK at the end nothing. */
  async transaction(statements: readonly string[], end: "COMMIT" | "ROLLBACK" = "COMMIT"): Promise<Answer> {
    await this.#lite.exec("BEGIN");
    let affected = 0;
    for (const sql of statements) {
      const answer = await this.query(sql);
      if (answer.refused !== null) {
        await this.#lite.exec("ROLLBACK");
        return answer;
      }
      affected += answer.affected;
    }
    await this.#lite.exec(end);
    return { rows: [], refused: null, affected };
  }

  /** What the question answers behind the statements of a transaction that is then rolled back. */
  async within(statements: readonly string[], question: string): Promise<Answer> {
    await this.#lite.exec("BEGIN");
    try {
      for (const sql of statements) {
        const answer = await this.query(sql);
        if (answer.refused !== null) return answer;
      }
      return await this.query(question);
    } finally {
      await this.#lite.exec("ROLLBACK");
    }
  }

  async close(): Promise<void> {
    await this.#lite.close();
  }
}
