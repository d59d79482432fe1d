/**
 * PRIMARY KEY, UNIQUE and CHECK of CREATE TABLE.
 *
 * A CHECK is kept as it was written, and bound anew (bindCheck) wherever its table is opened: what it means is decided by the text
 * and the types alone.
 */
import type { Constraint, Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { Field, Schema } from "../batch/schema.ts";
import * as build from "../plan/build.ts";
import type { Catalog, CheckConstraint, UniqueKey } from "../plan/catalog.ts";
import type { Expr } from "../plan/expression.ts";
import { isComparable, sqlTypeName } from "../plan/functions.ts";
import { columnsOf } from "../plan/inspect.ts";
import { BindContext } from "./context.ts";
import { bindBoolean, plainPlace } from "./expression.ts";
import { inDomain, withoutDomain } from "./in-domain.ts";
import { parseExpression, textOfCheck } from "./kept-text.ts";
import { type ParsedStatement, parseStatements } from "./parser.ts";
import { tableScope } from "./scope.ts";
import type { TableConstraints } from "./statement-types.ts";
import { stringOf } from "./tree.ts";

/** As many as PostgreSQL's indexes may have. */
export const INDEX_COLUMNS_MAX = 32;

/** A constraint where it stands: behind a column, or (null) among the columns. */
export interface Declared {
  readonly constraint: Constraint;
  readonly column: number | null;
}

export interface ConstrainedTable {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly appendOnly: boolean;
}

const refused: Partial<Record<NonNullable<Constraint["contype"]>, string>> = {
  CONSTR_FOREIGN: "REFERENCES",
  CONSTR_IDENTITY: "GENERATED AS IDENTITY",
  CONSTR_GENERATED: "a generated column",
  CONSTR_EXCLUSION: "EXCLUDE",
  CONSTR_ATTR_DEFERRABLE: "a DEFERRABLE constraint",
  CONSTR_ATTR_DEFERRED: "a DEFERRABLE constraint",
  CONSTR_ATTR_NOT_ENFORCED: "a constraint that is NOT ENFORCED",
};

export function refuseConstraint(constraint: Constraint, ctx: BindContext): EvertError {
  const word = refused[constraint.contype ?? "CONSTR_NULL"] ?? "this constraint";
  return notSupported(word, ctx.position(constraint.location));
}

/** Constraints that say what holds anyway. */
export function saysNothing({ contype }: Constraint): boolean {
  return (
    contype === "CONSTR_ATTR_NOT_DEFERRABLE" ||
    contype === "CONSTR_ATTR_IMMEDIATE" ||
    contype === "CONSTR_ATTR_ENFORCED"
  );
}

// ---- primary key --------------------------------------------------------------------------------------------------

/** The primary key among them; null: none. */
export function primaryKey(
  declared: readonly Declared[],
  table: ConstrainedTable,
  ctx: BindContext,
): { readonly columns: readonly number[]; readonly name: string | null } | null {
  const all = declared.filter(({ constraint }) => constraint.contype === "CONSTR_PRIMARY");
  const [first, second] = all;
  if (first === undefined) return null;
  const columns = keyColumns(first, "primary key", table.fields, ctx);
  if (second !== undefined) {
    const position = ctx.position(second.constraint.location);
    const message = `multiple primary keys for table "${table.name}" are not allowed`;
    throw new EvertError("invalid_table_definition", message, { position });
  }
  if (table.appendOnly) {
    const hint = "Leave out the primary key, or leave out append_only to get a table whose rows can change.";
    const position = ctx.position(first.constraint.location);
    throw notSupported("a primary key of an append-only table", position, hint);
  }
  return { columns, name: first.constraint.conname ?? null };
}

function keyColumns(
  { constraint, column }: Declared,
  what: "primary key" | "unique",
  fields: readonly Field[],
  ctx: BindContext,
): number[] {
  const position = ctx.position(constraint.location);
  if (constraint.deferrable || constraint.initdeferred)
    throw notSupported("a DEFERRABLE constraint", position);
  if (constraint.including !== undefined) throw notSupported("INCLUDE", position);
  if (constraint.without_overlaps) throw notSupported("WITHOUT OVERLAPS", position);
  if (constraint.options !== undefined) throw notSupported("storage parameters of a constraint", position);
  if (constraint.indexspace !== undefined) throw notSupported("USING INDEX TABLESPACE", position);
  if (constraint.is_enforced === false && constraint.skip_validation)
    throw notSupported("a constraint that is NOT ENFORCED", position);
  const names = column === null ? (constraint.keys ?? []).map(stringOf) : [fields[column]!.name];
  checkIndexWidth(names.length, position);
  return names.map((name, i) => {
    const at = fields.findIndex((f) => f.name === name);
    if (at < 0) {
      throw new EvertError("undefined_column", `column "${name}" named in key does not exist`, { position });
    }
    if (names.indexOf(name) !== i) {
      const message = `column "${name}" appears twice in ${what} constraint`;
      throw new EvertError("duplicate_column", message, { position });
    }
    checkIndexable(fields[at]!, position);
    return at;
  });
}

export function checkIndexWidth(columns: number, position: number | undefined): void {
  if (columns <= INDEX_COLUMNS_MAX) return;
  const message = `cannot use more than ${INDEX_COLUMNS_MAX} columns in an index`;
  throw new EvertError("too_many_columns", message, { position });
}

export function checkIndexable({ type }: Field, position: number | undefined): void {
  if (isComparable(type)) return;
  const message = `data type ${sqlTypeName(type)} has no default operator class for access method "btree"`;
  throw new EvertError("undefined_object", message, { position });
}

// ---- UNIQUE and CHECK ---------------------------------------------------------------------------------------------

/** What the others say. `key`: the primary key; `keyName`: its name, where one was given. */
export function bindConstraints(
  declared: readonly Declared[],
  table: ConstrainedTable,
  key: { readonly columns: readonly number[]; readonly name: string | null } | null,
  ctx: BindContext,
): TableConstraints {
  const names = new Set<string>();
  /** The next number for a name that is made. */
  const numbers = new Map<string, number>();
  const take = (given: string | undefined, made: string, position: number | undefined): string => {
    let name = given ?? made;
    for (let n = numbers.get(made) ?? 1; given === undefined && names.has(name); n++) {
      name = `${made}${n}`;
      numbers.set(made, n + 1);
    }
    if (names.has(name)) {
      const message = `constraint "${name}" for relation "${table.name}" already exists`;
      throw new EvertError("duplicate_table", message, { sqlstate: "42710", position });
    }
    names.add(name);
    return name;
  };
  // Names that are given come first, so that no made one stands in their way.
  for (const { constraint } of declared) {
    if (
      constraint.conname === undefined ||
      !["CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_CHECK"].includes(constraint.contype!)
    )
      continue;
    take(constraint.conname, "", ctx.position(constraint.location));
  }
  if (key !== null && key.name === null) take(undefined, `${table.name}_pkey`, undefined);
  const uniques: UniqueKey[] = [];
  const checks: CheckConstraint[] = [];
  for (const one of declared) {
    const { constraint } = one;
    const position = ctx.position(constraint.location);
    switch (constraint.contype) {
      case "CONSTR_PRIMARY":
        break;
      case "CONSTR_UNIQUE": {
        if (table.appendOnly) {
          const hint = "Leave out append_only to get a table whose rows are known by their keys.";
          throw notSupported("a unique constraint of an append-only table", position, hint);
        }
        const columns = keyColumns(one, "unique", table.fields, ctx);
        const nullsNotDistinct = constraint.nulls_not_distinct ?? false;
        const given = constraint.conname;
        // As PostgreSQL does, one that says nothing new and has no name of its own is left out.
        if (given === undefined && isKnown(columns, nullsNotDistinct, key?.columns ?? null, uniques)) break;
        const made = [table.name, ...columns.map((c) => table.fields[c]!.name), "key"].join("_");
        uniques.push({ name: given ?? take(undefined, made, position), columns, nullsNotDistinct });
        break;
      }
      case "CONSTR_CHECK": {
        if (constraint.initially_valid === false && constraint.is_enforced === false)
          throw notSupported("a constraint that is NOT ENFORCED", position);
        const expr = bindCondition(constraint.raw_expr!, table.name, table.fields, ctx);
        const read = [...columnsOf(expr)];
        const column = read.length === 1 ? [table.fields[read[0]!]!.name] : [];
        const made = [table.name, ...column, "check"].join("_");
        const name = constraint.conname ?? take(undefined, made, position);
        checks.push({ name, text: textOfCheck(constraint, ctx) });
        break;
      }
      default:
        if (!saysNothing(constraint)) throw refuseConstraint(constraint, ctx);
    }
  }
  checks.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { keyName: key?.name ?? null, uniques, checks };
}

function isKnown(
  columns: readonly number[],
  nullsNotDistinct: boolean,
  key: readonly number[] | null,
  uniques: readonly UniqueKey[],
): boolean {
  const same = (other: readonly number[]): boolean =>
    other.length === columns.length && other.every((c, i) => c === columns[i]);
  if (key !== null && same(key)) return true;
  return uniques.some((u) => same(u.columns) && u.nullsNotDistinct === nullsNotDistinct);
}

function bindCondition(node: Node, table: string, fields: readonly Field[], ctx: BindContext): Expr {
  const plan = build.values(fields, []);
  const columns = fields.map((f, i) => ({ name: f.name, expr: build.column(plan, i) }));
  return bindBoolean(node, plainPlace(ctx, tableScope(table, plan, columns), "check constraints"), "CHECK");
}

/** The condition of a CHECK over a row of the table. */
export function bindCheck(text: string, table: string, schema: Schema, catalog: Catalog): Expr {
  const { node, source } = parseExpression(text);
  return bindCondition(node, table, schema.fields, constraintContext(catalog, source));
}

/** Columns of domains, each as an expression over a row of the table that fails where the value is none of the domain's. */
export function bindDomains(table: string, { fields }: Schema, catalog: Catalog): Expr[] {
  if (fields.every(({ type }) => type.domain === undefined)) return [];
  const [parsed] = parseStatements("SELECT");
  const ctx = constraintContext(catalog, parsed!.source);
  const plan = build.values(
    fields.map((f) => ({ ...f, type: withoutDomain(f.type) })),
    [],
  );
  const place = plainPlace(ctx, tableScope(table, plan, []), "check constraints");
  return fields.flatMap(({ type }, i) =>
    type.domain === undefined ? [] : [inDomain(build.column(plan, i), type, place)],
  );
}

function constraintContext(catalog: Catalog, source: ParsedStatement["source"]): BindContext {
  return new BindContext({ catalog, source, params: [], time: null, defines: "a constraint" });
}
