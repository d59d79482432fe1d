/** The sql`…` template: PostgreSQL's text with the names of topics and views, and values as parameters, put in. */
import { getCallSites } from "node:util";
import { inQuotes } from "../base/quoted-name.ts";
import type { Relation } from "./chain.ts";

export type SqlParameter = string | number | bigint | boolean | null;

/** A SELECT as text with $1, $2 …, and its values. The engine binds it when the view is opened. */
export interface SqlText<Row> {
  readonly kind: "sql";
  readonly text: string;
  readonly params: readonly SqlParameter[];
  /** Topics and views named by interpolation. */
  readonly relations: readonly Relation[];
  /** Where in the program the template begins: the row's type stands before it, see row-type.ts. */
  readonly at: ProgramPlace | null;
  /** Never there: carries the row's type. */
  readonly $row?: Row;
}

/** Lines and columns count from 1. */
export interface ProgramPlace {
  readonly url: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A view in SQL. `Row` is what the query gives, which is compared with its columns when the view is opened (row-type.ts).
 * A topic, table or view put in becomes its quoted name, anything else a parameter: no value is ever part of the text.
 */
export function sql<Row extends object>(
  strings: TemplateStringsArray,
  ...values: readonly (SqlParameter | Relation)[]
): SqlText<Row> {
  const params: SqlParameter[] = [];
  const relations: Relation[] = [];
  let text = strings[0]!;
  values.forEach((value, i) => {
    if (typeof value === "object" && value !== null) {
      relations.push(value);
      text += inQuotes(value.name);
    } else {
      params.push(value);
      text += `$${params.length}`;
    }
    text += strings[i + 1]!;
  });
  return Object.freeze({
    kind: "sql",
    text,
    params: Object.freeze(params),
    relations: Object.freeze(relations),
    at: placeOf(getCallSites(2, { sourceMap: true })[1]),
  });
}

function placeOf(caller: ReturnType<typeof getCallSites>[number] | undefined): ProgramPlace | null {
  if (caller === undefined) return null;
  const { scriptName: url, lineNumber: line, columnNumber: column } = caller;
  return Object.freeze({ url, line, column });
}
