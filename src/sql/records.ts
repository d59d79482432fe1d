/**
 * Rows as values: ROW(a, b), a table's name where a value stands, and the fields of such a value.
 *
 * A row is a value of type record, its text put together where it is made (record_make). A field of a row that is made in the same
 * expression is what it was made of; of any other row, one that came through a subquery or a view, it is read from the text.
 */

import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { int4, recordOf, type SqlType } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { branch, typeOf } from "../plan/inspect.ts";
import { type Bound, settled, typed } from "./bound.ts";
import { checkColumnCount } from "./context.ts";
import type { ExprPlace } from "./place.ts";
import { columnsOfTable, findRow, isColumnName, type ScopeColumn } from "./scope.ts";
import { as, type NodeOf, startOf, stringOf } from "./tree.ts";

export interface NamedValue {
  readonly name: string;
  readonly expr: Expr;
}

export function isRecord(expr: Expr): boolean {
  return typeOf(expr).fields !== undefined;
}

/** A megabyte of quotes; ten more would be a second's work, and some more than a process lives through. */
const ROWS_WITHIN_MAX = 20;

/** Of a row's type how many rows are within each other, itself included. */
function rowsWithin({ fields, element }: SqlType): number {
  if (fields === undefined) return element === undefined ? 0 : rowsWithin(element);
  return 1 + fields.reduce((most, { type }) => Math.max(most, rowsWithin(type)), 0);
}

export function makeRecord(fields: readonly NamedValue[]): Expr {
  const type = recordOf(fields.map(({ name, expr }) => ({ name, type: typeOf(expr) })));
  if (rowsWithin(type) > ROWS_WITHIN_MAX)
    throw new EvertError("statement_too_complex", "rows are nested too deep", {
      detail: `A row's text doubles the quotes of the rows in it, of which ${ROWS_WITHIN_MAX} may be within each other.`,
    });
  if (fields.length === 0) return { kind: "const", value: "()", type };
  return { kind: "call", fn: "record_make", args: fields.map((f) => f.expr), type };
}

/** What rows are made of that are null where they are missing: then all their fields are. */
const fieldsOfPresent = new WeakMap<Expr, readonly Expr[]>();

/** The row where `presence` is not null; its fields are null where it is. */
export function presentRecord(fields: readonly NamedValue[], presence: Expr): Expr {
  const made = makeRecord(fields);
  const type = typeOf(made);
  const none: Expr = { kind: "const", value: null, type };
  const row: Expr = {
    kind: "case",
    branches: [branch({ kind: "isNull", arg: presence }, none)],
    otherwise: made,
    type,
  };
  fieldsOfPresent.set(
    row,
    fields.map((f) => f.expr),
  );
  return row;
}

/** The values of its fields. REQUIRES isRecord(row) */
export function recordFields(row: Expr): readonly Expr[] {
  if (row.kind === "call" && row.fn === "record_make") return row.args;
  const known = fieldsOfPresent.get(row);
  if (known !== undefined) return known;
  return typeOf(row).fields!.map(({ type }, i): Expr => {
    const index: Expr = { kind: "const", value: i, type: int4 };
    return { kind: "call", fn: "record_field", args: [row, index], type };
  });
}

/** (row).name */
export function bindField(row: Expr, name: string, position: number | undefined): Expr {
  const { fields } = typeOf(row);
  if (fields === undefined) {
    const message = `column notation .${name} applied to type ${sqlTypeName(typeOf(row))}, which is not a composite type`;
    throw new EvertError("wrong_object_type", message, { position });
  }
  const at = fields.findIndex((f) => f.name === name);
  if (at >= 0) return recordFields(row)[at]!;
  const message = `column "${name}" not found in data type record`;
  throw new EvertError("undefined_column", message, { position });
}

/** ROW(a, b) and (a, b); a star in it stands for a table's columns, or for a row's fields. */
export function bindRow(node: NodeOf<"RowExpr">, place: ExprPlace, start: number | undefined): Bound {
  const values = (node.args ?? []).flatMap(
    (item) => starValues(item, place)?.map((v) => v.expr) ?? [settled(place.bind(item, place), place.ctx)],
  );
  checkColumnCount(values.length);
  return typed(makeRecord(values.map((expr, i) => ({ name: `f${i + 1}`, expr }))), node.location ?? start);
}

/** What t.* and (row).* stand for; undefined for anything else. */
export function starValues(node: Node, place: ExprPlace): readonly NamedValue[] | undefined {
  const { ctx, scope } = place;
  const position = ctx.position(startOf(node));
  const fields = as(node, "ColumnRef")?.fields;
  if (fields !== undefined) {
    if (fields.length < 2 || as(fields.at(-1), "A_Star") === undefined) return undefined;
    return mentioned(
      columnsOfTable(scope, fields.slice(0, -1).map(stringOf), ctx.outer, position),
      place,
      position,
    );
  }
  const steps = as(node, "A_Indirection")?.indirection ?? [];
  if (as(steps.at(-1), "A_Star") === undefined) return undefined;
  const inner = as(node, "A_Indirection")!;
  const base: Node =
    steps.length === 1 ? inner.arg! : { A_Indirection: { ...inner, indirection: steps.slice(0, -1) } };
  const row = settled(place.bind(base, place), ctx);
  const names = typeOf(row).fields;
  if (names === undefined) {
    const message = `type ${sqlTypeName(typeOf(row))} is not composite`;
    throw new EvertError("wrong_object_type", message, { position });
  }
  return recordFields(row).map((expr, i) => ({ name: names[i]!.name, expr }));
}

/** A table's name where no column has it: its row. Undefined: it means something else. */
export function bindWholeRow(
  names: readonly string[],
  isStar: boolean,
  place: ExprPlace,
  position: number | undefined,
): Expr | undefined {
  const { ctx, scope } = place;
  const [name] = names;
  if (name === undefined) throw notSupported("* as a value", position);
  if (!isStar && (names.length > 1 || isColumnName(scope, name, ctx.outer))) return undefined;
  const found = findRow(scope, names.at(-1)!, ctx.outer);
  if (found === undefined || (found.table.isValue && !isStar)) return undefined;
  const { table, seen } = found;
  const columns = mentioned(table.columns, place, position).map(({ name: of, expr }) => ({
    name: of,
    expr: seen(expr),
  }));
  if (table.presence === undefined) return makeRecord(columns);
  if (table.presence === null) {
    throw notSupported(
      `the whole row ${table.name} of an outer join`,
      position,
      "It takes a column of it that is NOT NULL to tell a missing row from one of nulls.",
    );
  }
  return presentRecord(columns, seen(table.presence));
}

/** Copies: what is known of this place is kept beside each. */
function mentioned(
  columns: readonly ScopeColumn[],
  { ctx }: ExprPlace,
  position: number | undefined,
): NamedValue[] {
  return columns.map(({ name, table, expr }) => {
    const copy: Expr = { ...expr };
    ctx.mentions.set(copy, { name: `${table}.${name}`, position });
    return { name, expr: copy };
  });
}
