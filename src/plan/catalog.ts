/** What a front end may ask about names. The engine implements it; a front end never sees more. */
import type { Schema } from "../batch/schema.ts";
import type { SqlType } from "../batch/types.ts";
import type { Datum, Expr } from "./expression.ts";
import type { OrderItem } from "./plan.ts";
import type { Routine } from "./routines.ts";

/** Columns whose values no two rows share. A null is like no other value, or, where `nullsNotDistinct`, like another null. */
export interface UniqueKey {
  readonly name: string;
  readonly columns: readonly number[];
  readonly nullsNotDistinct: boolean;
  /** Made by CREATE UNIQUE INDEX: ON CONFLICT finds it by its columns, not ON CONSTRAINT by its name. */
  readonly isIndex?: boolean;
}

/** A condition that is not false for any row, as it was written. */
export interface CheckConstraint {
  readonly name: string;
  readonly text: string;
  /** The table's schema whose columns it names; absent: the newest. */
  readonly version?: number;
}

export interface CatalogRelation {
  readonly id: number;
  readonly name: string;
  readonly kind: "stream" | "table" | "view";
  /** Visible columns. A table without primary key has none of its hidden row id here. */
  readonly schema: Schema;
  /** Unique key columns, or null (streams, bag views, tables with a hidden row id). */
  readonly key: readonly number[] | null;
  readonly appendOnly: boolean;
  readonly order: readonly OrderItem[];
  /** About how many rows it has: what the order of joins goes by. Absent: unknown. */
  readonly rows?: number | undefined;
  /** Per column, what INSERT stores where it gives none; absent: null for all. */
  readonly defaults?: readonly Datum[];
  /** Name of the primary key, where it has one of its own. */
  readonly keyName?: string;
  /** Unique besides the key; absent: none. */
  readonly uniques?: readonly UniqueKey[];
  /** Names of its CHECKs; absent: none. */
  readonly checkNames?: readonly string[];
  /** Per column, the text of a default that is no constant, or null. */
  readonly defaultTexts?: readonly (string | null)[];
  /** Of a table without primary key: its columns with the hidden one that tells its rows apart. */
  readonly identified?: {
    readonly schema: Schema;
    readonly key: readonly number[];
    readonly placed?: PlacedColumns;
  };
  /** Where circuits have its columns; absent: where it has them itself. */
  readonly placed?: PlacedColumns;
}

/** Columns of a topic that was changed: they stand among those that it had. */
export interface PlacedColumns {
  /** All places, in their order. */
  readonly schema: Schema;
  /** Place of each of the relation's columns. */
  readonly columns: readonly number[];
  readonly key: readonly number[] | null;
}

/** The primary key's constraint name. */
export function keyNameOf(table: { readonly name: string; readonly keyName?: string }): string {
  return table.keyName ?? `${table.name}_pkey`;
}

export interface Catalog {
  /** undefined: no such relation. Names are as PostgreSQL folds them. */
  relation(name: string): CatalogRelation | undefined;
  /** A type the user made, by name; absent: there are none. */
  type?(name: string): SqlType | undefined;
  /** A function that the program gave, by name; absent: there are none. */
  routine?(name: string): Routine | undefined;
  /** For hints ("did you mean"). */
  relationNames(): readonly string[];
  /** Definition of a plain view that is not maintained but written out where it is named: its SELECT or CREATE VIEW. */
  inlineView?(name: string): string | undefined;
  /** What an expression of constants comes to; undefined: computing it fails, which is for the rows to say. Absent: it is computed at each row. */
  constant?(expr: Expr): Datum | undefined;
  /** What names mean in that definition, where they have changed since; absent: what they mean here. */
  inside?(name: string): Catalog;
}
