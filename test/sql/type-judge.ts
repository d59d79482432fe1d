/** Constant expressions, bound and evaluated here, against what PostgreSQL (PGlite) says of the same text. */
import { PGlite } from "@electric-sql/pglite";
import { EvertError } from "../../src/base/errors.ts";
import { valueToText } from "../../src/batch/text-form.ts";
import { bindStatement, parseStatements } from "../../src/sql/statement.ts";
import { answer, type Facts } from "../dataflow/oracle.ts";
import { TestCatalog } from "./catalog.ts";

/** "is VALUE" as the output function prints it, "error SQLSTATE", or null. */
export type Said = string | null;

export interface TypeJudge {
  ask(expressions: readonly string[]): Promise<Said[]>;
  /** For what is asked otherwise. */
  readonly lite: PGlite;
}

export async function openTypeJudge(setup = ""): Promise<TypeJudge> {
  const lite = await PGlite.create();
  await lite.exec(`SET timezone = 'UTC'; ${setup};
    CREATE FUNCTION try(expression text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE result text;
    BEGIN
      EXECUTE 'SELECT (SELECT CASE WHEN x IS NULL THEN NULL ELSE format(''%s'', x) END FROM (SELECT ' || expression || ') AS t(x))' INTO result;
      RETURN 'is ' || result;
    EXCEPTION WHEN OTHERS THEN RETURN 'error ' || SQLSTATE;
    END $$`);
  return {
    lite,
    async ask(expressions) {
      const { rows } = await lite.query<{ said: Said }>(
        "SELECT try(e) AS said FROM unnest($1::text[]) WITH ORDINALITY AS t(e, n) ORDER BY n",
        [expressions],
      );
      return rows.map((r) => r.said);
    },
  };
}

const nothing: Facts = {
  now: 0,
  stream: () => [],
  table: () => [],
  view: () => {
    throw new Error("there are no views");
  },
};

export function ours(expression: string, catalog = new TestCatalog()): Said {
  try {
    const [parsed] = parseStatements(`select ${expression}`);
    const statement = bindStatement(parsed!, catalog);
    if (statement.kind !== "select") throw new Error(`not a query: ${expression}`);
    const { plan } = statement.query;
    const { rows, errors } = answer(plan, nothing);
    const failed = errors[0];
    if (failed !== undefined) return `error ${failed.slice(0, 5)}`;
    const text = valueToText(plan.schema.fields[0]!.type, rows[0]![0]!);
    return text === null ? null : `is ${text}`;
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
    return `error ${error.sqlstate}`;
  }
}

/** Where the two differ; what we refuse as not supported yet is left out unless `all`. */
export async function differences(
  judge: TypeJudge,
  expressions: readonly string[],
  all = false,
  catalog?: TestCatalog,
): Promise<string[]> {
  const theirs = await judge.ask(expressions);
  return expressions.flatMap((expression, i) => {
    const mine = ours(expression, catalog);
    if (mine === theirs[i] || (!all && mine === "error 0A000")) return [];
    return [`${expression}: ours ${mine}, PostgreSQL ${theirs[i]}`];
  });
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
