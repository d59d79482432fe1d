/** Statements, bound: what the engine is to do, with plans and expressions where there are any. */
import type { CopyFormat } from "../batch/copy/format.ts";
import type { Field, Schema } from "../batch/schema.ts";
import type { SqlType } from "../batch/types.ts";
import type { CatalogRelation, CheckConstraint, UniqueKey } from "../plan/catalog.ts";
import type { Datum, Expr } from "../plan/expression.ts";
import type { Keeping } from "../plan/keeping.ts";
import type { OptimizedQuery, OrderItem, Plan, Query } from "../plan/plan.ts";

interface StatementText {
  /** The statement's own text. */
  readonly text: string;
}

export interface SelectStatement extends StatementText {
  readonly kind: "select";
  readonly query: Query;
}

export interface CreateTableStatement extends StatementText {
  readonly kind: "createTable";
  readonly name: string;
  readonly ifNotExists: boolean;
  readonly schema: Schema;
  /** Primary key; null: none was declared. */
  readonly key: readonly number[] | null;
  /** WITH (append_only): a stream. */
  readonly appendOnly: boolean;
  /** What may be taken out of its history; undefined: nothing. */
  readonly keeping: Keeping | undefined;
  /** The stream that takes what cannot be decoded; undefined: none. */
  readonly deadLetters: string | undefined;
  /** Per column; null for none. */
  readonly defaults: readonly Datum[];
  /** Per column, the text of a default that is no constant, or null. */
  readonly defaultTexts: readonly (string | null)[];
  readonly constraints: TableConstraints;
}

/** What holds for a table's rows besides its types, its key and NOT NULL. */
export interface TableConstraints {
  /** Of the primary key; null: by the table's name. */
  readonly keyName: string | null;
  readonly uniques: readonly UniqueKey[];
  /** By name, in which order they are checked. */
  readonly checks: readonly CheckConstraint[];
}

export interface CreateViewStatement extends StatementText {
  readonly kind: "createView";
  readonly name: string;
  readonly materialized: boolean;
  readonly ifNotExists: boolean;
  /** Text of its query: what bindView() takes. */
  readonly sql: string;
  /** Names given to its columns, or null. */
  readonly columns: readonly string[] | null;
  readonly query: OptimizedQuery;
  readonly onError: "fail" | "skip";
  readonly version: string | null;
  /** The topic its rows are appended to, or null. */
  readonly sink: string | null;
}

/** CREATE TYPE ... AS ENUM, and CREATE DOMAIN. */
export interface CreateTypeStatement extends StatementText {
  readonly kind: "createType";
  readonly name: string;
  readonly type: SqlType;
}

/** A column of an index, by name: the relation may be defined anew. */
export interface IndexItem {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** CREATE INDEX. */
export interface CreateIndexStatement extends StatementText {
  readonly kind: "createIndex";
  /** Null: one is made up. */
  readonly name: string | null;
  readonly relation: CatalogRelation;
  readonly items: readonly IndexItem[];
  readonly unique: boolean;
  readonly nullsNotDistinct: boolean;
  readonly ifNotExists: boolean;
}

export interface DropStatement extends StatementText {
  readonly kind: "drop";
  readonly object: "table" | "view" | "materialized view" | "type" | "domain" | "index";
  readonly names: readonly string[];
  readonly ifExists: boolean;
  readonly cascade: boolean;
}

/** ALTER TABLE … SET (…) and RESET (…): what may be taken out of its history from now on. */
export interface AlterKeepingStatement extends StatementText {
  readonly kind: "alterKeeping";
  readonly name: string;
  readonly ifExists: boolean;
  readonly change: KeepingChange;
  /** undefined: nothing is said of it; null: none any more. */
  readonly deadLetters: string | null | undefined;
}

/** What is said of a table's history, over what was said before. A null takes back what was. */
export type KeepingChange = { readonly [K in keyof Keeping]: Keeping[K] | null };

/** ALTER TABLE: what is done, in this order. */
export interface AlterTableStatement extends StatementText {
  readonly kind: "alterTable";
  readonly name: string;
  readonly ifExists: boolean;
  readonly actions: readonly AlterAction[];
}

export type AlterAction =
  | {
      readonly action: "addColumn";
      readonly field: Field;
      readonly fallback: Default;
      /** What rows that are there get, where that is no constant; null: `fallback`. */
      readonly given: Expr | null;
      readonly ifNotExists: boolean;
    }
  | {
      readonly action: "dropColumn";
      readonly column: string;
      readonly ifExists: boolean;
      readonly cascade: boolean;
    }
  | { readonly action: "renameColumn"; readonly column: string; readonly to: string }
  | { readonly action: "renameTo"; readonly to: string }
  | { readonly action: "alterType"; readonly column: string; readonly type: SqlType }
  /** `type`: what the column was taken for. */
  | {
      readonly action: "setDefault";
      readonly column: string;
      readonly type: SqlType;
      readonly fallback: Default;
    }
  | { readonly action: "dropDefault" | "setNotNull" | "dropNotNull"; readonly column: string };

/** What is stored where nothing is given: a constant or, where that is not known before rows are stored, its text. */
export interface Default {
  readonly value: Datum;
  readonly text: string | null;
}

/** ON CONFLICT. `on`: names of the key and unique constraints meant; null: all of them. */
export type ConflictAction =
  | { readonly action: "nothing"; readonly on: readonly string[] | null }
  | {
      readonly action: "update";
      readonly on: readonly string[];
      /** New value of each column, over the existing row's columns, then the proposed row's. */
      readonly row: readonly Expr[];
      /** Over the same; null: always. A row for which it is not true stays as it is. */
      readonly where: Expr | null;
    };

/**
 * RETURNING, over the relation's columns (a hidden row id last) and then those of FROM or USING: of the rows as they are then, or as they
 * were deleted.
 */
export interface Returning {
  readonly fields: readonly Field[];
  readonly exprs: readonly Expr[];
}

export interface InsertStatement extends StatementText {
  readonly kind: "insert";
  readonly relation: CatalogRelation;
  /** The rows, with all of the relation's columns in order; behind them what they are ordered by. */
  readonly source: Plan;
  /** In which they are stored; none: in the order in which they come. */
  readonly order: readonly OrderItem[];
  readonly conflict: ConflictAction | null;
  readonly returning: Returning | null;
}

export interface UpdateStatement extends StatementText {
  readonly kind: "update";
  readonly relation: CatalogRelation;
  /** Over the relation's columns; null: all rows. */
  readonly where: Expr | null;
  /** New value of each column, over the relation's columns. */
  readonly row: readonly Expr[];
  /** Columns that SET names. */
  readonly assigned: readonly number[];
  /**
   * Where it asks other rows: the rows to change, as they are (a hidden row id last) and then as they are to be, then FROM's columns. Then it
   * counts, not `where` and `row`.
   */
  readonly source: Plan | null;
  readonly returning: Returning | null;
}

export interface DeleteStatement extends StatementText {
  readonly kind: "delete";
  readonly relation: CatalogRelation;
  /** Over the relation's columns; null: all rows. */
  readonly where: Expr | null;
  /** Where it asks other rows: the rows to delete (a hidden row id last), then USING's columns. Then it counts, not `where`. */
  readonly source: Plan | null;
  readonly returning: Returning | null;
}

export interface TruncateStatement extends StatementText {
  readonly kind: "truncate";
  readonly relations: readonly CatalogRelation[];
}

/** COPY … FROM STDIN. */
export interface CopyFromStatement extends StatementText {
  readonly kind: "copyFrom";
  readonly relation: CatalogRelation;
  /** Columns of the relation that the text has, in its order. */
  readonly columns: readonly number[];
  readonly format: CopyFormat;
  /** Per column of the relation, what it has where the text has none: an expression over nothing. */
  readonly row: readonly Expr[];
  /** Per column of a domain, what makes a value of its base type (column 0) one of its own; null for the others. */
  readonly domains: readonly (Expr | null)[];
}

/** COPY … TO STDOUT. */
export interface CopyToStatement extends StatementText {
  readonly kind: "copyTo";
  readonly query: Query;
  readonly format: CopyFormat;
}

export interface TransactionStatement extends StatementText {
  readonly kind: "begin" | "commit" | "rollback";
}

export interface ExplainStatement extends StatementText {
  readonly kind: "explain";
  readonly query: Query;
  /** Of a query that runs once: it may look into indexes. */
  readonly once: boolean;
  /** EXPLAIN REFRESH MATERIALIZED VIEW: the view, of which the query is a plain read. */
  readonly view: string | null;
  /** What is done with the rows that the query finds: `Delete on t`. Null: they are the answer. */
  readonly change: string | null;
  /** EXPLAIN (CODE): the generated source. */
  readonly code: boolean;
  /** The query is run, and what its operators did is told; of a view, what they have done since it is kept. */
  readonly analyze: boolean;
  /** Also of the views that the query reads. */
  readonly views: boolean;
  /** With times. */
  readonly timing: boolean;
  /** With sums. */
  readonly summary: boolean;
  readonly format: "text" | "json";
}

export interface ShowStatement extends StatementText {
  readonly kind: "show";
  readonly name: string;
  readonly value: string;
}

export type Statement =
  | SelectStatement
  | CreateTableStatement
  | CreateViewStatement
  | CreateTypeStatement
  | CreateIndexStatement
  | DropStatement
  | AlterKeepingStatement
  | AlterTableStatement
  | InsertStatement
  | UpdateStatement
  | DeleteStatement
  | TruncateStatement
  | CopyFromStatement
  | CopyToStatement
  | TransactionStatement
  | ExplainStatement
  | ShowStatement;

/** PostgreSQL's command tag. `rows`: how many were given back, or changed. */
export function commandTag(statement: Statement, rows: number): string {
  switch (statement.kind) {
    case "select":
      return `SELECT ${rows}`;
    case "insert":
      return `INSERT 0 ${rows}`;
    case "update":
      return `UPDATE ${rows}`;
    case "delete":
      return `DELETE ${rows}`;
    case "truncate":
      return "TRUNCATE TABLE";
    case "copyFrom":
    case "copyTo":
      return `COPY ${rows}`;
    case "createTable":
      return "CREATE TABLE";
    case "createView":
      return statement.materialized ? "CREATE MATERIALIZED VIEW" : "CREATE VIEW";
    case "createType":
      return statement.type.domain === undefined ? "CREATE TYPE" : "CREATE DOMAIN";
    case "createIndex":
      return "CREATE INDEX";
    case "drop":
      return `DROP ${statement.object.toUpperCase()}`;
    case "alterKeeping":
    case "alterTable":
      return "ALTER TABLE";
    case "begin":
      return "BEGIN";
    case "commit":
      return "COMMIT";
    case "rollback":
      return "ROLLBACK";
    case "explain":
      return "EXPLAIN";
    case "show":
      return "SHOW";
  }
}
