/** Names that can be seen from a place in a query: tables with their columns, and the columns seen without a table's name. */

import { editDistance } from "../base/edit-distance.ts";
import { EvertError, notSupported } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { mapChildren, nullableOf, substitute } from "../plan/inspect.ts";
import type { Aggregate, Plan } from "../plan/plan.ts";

export interface ScopeColumn {
  readonly name: string;
  /** Name of its table, for messages. */
  readonly table: string;
  /** Over the scope's plan. */
  readonly expr: Expr;
}

export interface ScopeTable {
  readonly name: string;
  readonly columns: readonly ScopeColumn[];
  /** Primary key of a base table: grouping by it settles all its columns. */
  readonly key: readonly number[] | null;
  /** On the side of an outer join that may be missing: a column that is null only where it is. Null: none is known. */
  readonly presence?: Expr | null;
  /** A relation that has no other name here: only such a one can be named with its schema. */
  readonly isRelation?: true;
  /** The values of a function: its name means the value, not a row. */
  readonly isValue?: true;
}

export interface Scope {
  readonly plan: Plan;
  readonly tables: readonly ScopeTable[];
  /** What an unqualified name or a star can mean. USING merges two columns into one here. */
  readonly columns: readonly ScopeColumn[];
}

/** Names around a subquery; a column of theirs is an outer column of the apply. */
export interface OuterScope {
  readonly scope: Scope;
  readonly apply: number;
  readonly outer: OuterScope | null;
  /** Where the subquery stands, for aggregates in it that are the outer query's; null for what stands left in the same FROM. */
  readonly stands: StandingPlace | null;
}

export interface StandingPlace {
  readonly clause: string;
  /** Null where no aggregate may stand. */
  readonly aggregates: { add(aggregate: Aggregate, position: number | undefined): Expr } | null;
}

export function emptyScope(): Scope {
  return { plan: build.oneRow(), tables: [], columns: [] };
}

/** One table. */
export function tableScope(
  name: string,
  plan: Plan,
  columns: readonly { readonly name: string; readonly expr: Expr }[],
  key: readonly number[] | null = null,
): Scope {
  const own = columns.map((c) => ({ ...c, table: name }));
  return { plan, tables: [{ name, columns: own, key }], columns: own };
}

/** The same names over another plan, in which column i is column `move(i)`. */
export function moveScope(scope: Scope, plan: Plan, move: (index: number) => number): Scope {
  const moved = new Map<ScopeColumn, ScopeColumn>();
  const moveColumn = (c: ScopeColumn): ScopeColumn => {
    let to = moved.get(c);
    if (to === undefined) {
      const expr = substitute(c.expr, (col) => build.column(plan, move(col.index)));
      to = { ...c, expr };
      moved.set(c, to);
    }
    return to;
  };
  return {
    plan,
    tables: scope.tables.map((t) => ({
      ...t,
      columns: t.columns.map(moveColumn),
      ...(t.presence == null
        ? {}
        : { presence: substitute(t.presence, (c) => build.column(plan, move(c.index))) }),
    })),
    columns: scope.columns.map(moveColumn),
  };
}

/** The same names over another plan, which begins with the columns of this one. */
export function keepScope(scope: Scope, plan: Plan): Scope {
  const before = scope.plan.schema.fields;
  const now = plan.schema.fields;
  // Of hundreds of tables joined one by one, those before stay as they are.
  const same = before.every(
    (f, i) => f === now[i] || (f.type === now[i]!.type && f.nullable === now[i]!.nullable),
  );
  return same ? { ...scope, plan } : moveScope(scope, plan, (i) => i);
}

/** The scope on a side of an outer join that may be missing: each table is told by a column that is never null in it. */
export function mayMiss(scope: Scope): Scope {
  const tables = scope.tables.map((t) => {
    const known = t.presence === undefined ? t.columns.find((c) => !nullableOf(c.expr))?.expr : t.presence;
    return { ...t, presence: known ?? null };
  });
  return { ...scope, tables };
}

/** The table whose row a name means that is no column's: here or, where there is none, around the query. */
export function findRow(
  scope: Scope,
  name: string,
  outer: OuterScope | null,
): { readonly table: ScopeTable; readonly seen: (expr: Expr) => Expr } | undefined {
  const own = scope.tables.find((t) => t.name === name);
  if (own !== undefined) return { table: own, seen: (expr) => expr };
  for (let around = outer; around !== null; around = around.outer) {
    const { apply } = around;
    const table = around.scope.tables.find((t) => t.name === name);
    if (table !== undefined) return { table, seen: (expr) => outward(expr, apply) };
  }
  return undefined;
}

/** Whether a column has that name, here or around the query. */
export function isColumnName(scope: Scope, name: string, outer: OuterScope | null): boolean {
  for (let around = outer; around !== null; around = around.outer) {
    if (around.scope.columns.some((c) => c.name === name)) return true;
  }
  return scope.columns.some((c) => c.name === name);
}

/** Left's names, then right's, over one plan with left's columns before right's. */
export function besides(left: Scope, right: Scope, plan: Plan): Scope {
  const width = left.plan.schema.fields.length;
  const a = keepScope(left, plan);
  const b = moveScope(right, plan, (i) => i + width);
  return { plan, tables: [...a.tables, ...b.tables], columns: [...a.columns, ...b.columns] };
}

export function checkDuplicateTable(left: Scope, right: Scope, position: number | undefined): void {
  for (const { name } of right.tables) {
    if (left.tables.some((t) => t.name === name)) {
      throw new EvertError("duplicate_table", `table name "${name}" specified more than once`, {
        sqlstate: "42712",
        position,
      });
    }
  }
}

/** The column `parts` means: [column], [table, column] or [schema, table, column]. */
export function findColumn(
  scope: Scope,
  parts: readonly string[],
  position: number | undefined,
): ScopeColumn {
  const name = parts.at(-1)!;
  if (parts.length === 1) return findUnqualified(scope, name, position);
  const qualifier = parts.at(-2)!;
  const table = findTable(scope, parts.slice(0, -1), position);
  const found = table.columns.filter((c) => c.name === name);
  if (found.length > 1) throw ambiguousColumn(name, position);
  if (found.length === 1) return found[0]!;
  if (systemColumns.has(name)) throw notSupported(`the system column ${name}`, position);
  throw new EvertError("undefined_column", `column ${qualifier}.${name} does not exist`, {
    position,
    hint: columnHint(scope, name),
  });
}

/** The column `parts` means here or, where nothing here has that name, around the query. */
export function findVisible(
  scope: Scope,
  parts: readonly string[],
  outer: OuterScope | null,
  position: number | undefined,
): ScopeColumn {
  if (outer === null || names(scope, parts)) return findColumn(scope, parts, position);
  for (let around: OuterScope | null = outer; around !== null; around = around.outer) {
    if (!names(around.scope, parts)) continue;
    const column = findColumn(around.scope, parts, position);
    const { apply } = around;
    return { ...column, expr: outward(column.expr, apply) };
  }
  return findColumn(scope, parts, position);
}

/** The columns of `table.*`: of the table here or, where nothing here has that name, around the query. */
export function columnsOfTable(
  scope: Scope,
  parts: readonly string[],
  outer: OuterScope | null,
  position: number | undefined,
): readonly ScopeColumn[] {
  const within = (tables: readonly ScopeTable[]) => tables.some((t) => t.name === parts.at(-1));
  for (let around = within(scope.tables) ? null : outer; around !== null; around = around.outer) {
    if (!within(around.scope.tables)) continue;
    const { apply } = around;
    const { columns } = findTable(around.scope, parts, position);
    return columns.map((column) => ({ ...column, expr: outward(column.expr, apply) }));
  }
  return findTable(scope, parts, position).columns;
}

/** Whether the scope has a column of that name or, where a table is named, that table. */
function names(scope: Scope, parts: readonly string[]): boolean {
  const name = parts.at(parts.length === 1 ? -1 : -2)!;
  return (parts.length === 1 ? scope.columns : scope.tables).some((named) => named.name === name);
}

/** An expression over a scope, as a subquery inside apply `apply` sees it. */
export function outward(expr: Expr, apply: number): Expr {
  if (expr.kind !== "column") return mapChildren(expr, (child) => outward(child, apply));
  const { index, type, nullable } = expr;
  return { kind: "outer", apply, index, type, nullable };
}

/** The reverse: what a subquery inside apply `apply` sees, as the scope around it has it. */
export function inward(expr: Expr, apply: number): Expr {
  if (expr.kind !== "outer") return mapChildren(expr, (child) => inward(child, apply));
  const { index, type, nullable } = expr;
  return expr.apply === apply ? { kind: "column", index, type, nullable } : expr;
}

/** What each of PostgreSQL's tables has besides its own columns. */
const systemColumns: ReadonlySet<string> = new Set(["ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"]);

function findUnqualified(scope: Scope, name: string, position: number | undefined): ScopeColumn {
  const found = scope.columns.filter((c) => c.name === name);
  if (found.length > 1) throw ambiguousColumn(name, position);
  if (found.length === 1) return found[0]!;
  const table = scope.tables.find((t) => t.name === name);
  if (table?.isValue) return table.columns[0]!;
  if (systemColumns.has(name)) throw notSupported(`the system column ${name}`, position);
  throw new EvertError("undefined_column", `column "${name}" does not exist`, {
    position,
    hint: columnHint(scope, name),
  });
}

function ambiguousColumn(name: string, position: number | undefined): EvertError {
  return new EvertError("ambiguous_column", `column reference "${name}" is ambiguous`, { position });
}

function findTable(scope: Scope, parts: readonly string[], position: number | undefined): ScopeTable {
  const name = parts.at(-1)!;
  const found = scope.tables.filter((t) => t.name === name);
  const schema = parts.length > 1 ? parts.at(-2) : "public";
  const isHidden = parts.length > 1 && found.length > 0 && !found[0]!.isRelation;
  if (found.length === 0 || schema !== "public" || isHidden) {
    const what = isHidden && schema === "public" ? "invalid reference to" : "missing";
    throw new EvertError("undefined_table", `${what} FROM-clause entry for table "${name}"`, {
      position,
      hint: isHidden
        ? `"${name}" stands for something else here, and has no schema.`
        : similar(
            name,
            scope.tables.map((t) => t.name),
          ),
    });
  }
  return found[0]!;
}

function columnHint(scope: Scope, name: string): string | undefined {
  const elsewhere = scope.tables.flatMap((t) => t.columns).find((c) => c.name === name);
  if (elsewhere !== undefined)
    return `Perhaps you meant to reference the column "${elsewhere.table}.${name}".`;
  const names = new Map(
    scope.tables.flatMap((t) => t.columns.map((c) => [c.name, `${c.table}.${c.name}`] as const)),
  );
  const near = nearest(name, [...names.keys()]);
  return near === undefined ? undefined : `Perhaps you meant to reference the column "${names.get(near)}".`;
}

/** A hint naming the most similar of the names, if one is similar at all. */
export function similar(name: string, names: readonly string[]): string | undefined {
  const near = nearest(name, names);
  return near === undefined ? undefined : `Perhaps you meant "${near}".`;
}

function nearest(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, Math.floor(name.length / 2));
  for (const candidate of names) {
    const d = editDistance(name.toLowerCase(), candidate.toLowerCase(), least);
    if (d <= least && (best === undefined || d < least)) {
      best = candidate;
      least = d;
    }
  }
  return best;
}
