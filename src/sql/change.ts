/** INSERT, UPDATE and DELETE. */
import type { Node, RangeVar } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { SqlType } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import { type CatalogRelation, keyNameOf } from "../plan/catalog.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import { optimize } from "../plan/optimize.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import { queryEnv } from "./bind-query.ts";
import { type Bound, boundType, coerce } from "./bound.ts";
import { ChangedRows } from "./changed-rows.ts";
import type { BindContext } from "./context.ts";
import { bindDefaultText } from "./default-text.ts";
import { bindBoolean, bindExpr, plainPlace } from "./expression.ts";
import { findRelation } from "./from.ts";
import { inDomain, withoutDomain } from "./in-domain.ts";
import { bindTargets } from "./output.ts";
import type { ExprPlace, SubquerySink } from "./place.ts";
import { castColumns, type QueryEnv } from "./query.ts";
import { rowsPlan } from "./rows.ts";
import { emptyScope, type Scope, similar } from "./scope.ts";
import type {
  ConflictAction,
  DeleteStatement,
  InsertStatement,
  Returning,
  TruncateStatement,
  UpdateStatement,
} from "./statement-types.ts";
import { as, type NodeOf, startOf, stringOf } from "./tree.ts";
import { checkEven, ValueRows } from "./values.ts";
import { withQueries } from "./with.ts";

export function bindInsert(node: NodeOf<"InsertStmt">, text: string, ctx: BindContext): InsertStatement {
  const env = changeEnv(node.withClause, ctx);
  const relation = target(node.relation!, "insert into", ctx);
  const columns = targetColumns(node.cols, relation, ctx);
  const inserted = insertSource(node, relation, columns, env);
  const conflict = bindConflict(node, relation, ctx);
  const { scope } = new ChangedRows(node.relation!, relation, undefined, env);
  const returning = bindReturning(node.returningClause, scope, ctx);
  return { kind: "insert", text, relation, ...inserted, conflict, returning };
}

export function bindUpdate(node: NodeOf<"UpdateStmt">, text: string, ctx: BindContext): UpdateStatement {
  const env = changeEnv(node.withClause, ctx);
  const relation = target(node.relation!, "update", ctx);
  const changed = new ChangedRows(node.relation!, relation, node.fromClause, env);
  const { row, assigned } = bindAssignments(node.targetList ?? [], relation, changed.scope, ctx, changed);
  const where = bindWhere(node.whereClause, changed.scope, ctx, changed.subqueries);
  const source = changed.source(where, row);
  const returning = bindReturning(node.returningClause, changed.scope, ctx);
  return { kind: "update", text, relation, where, row, assigned, source, returning };
}

export function bindDelete(node: NodeOf<"DeleteStmt">, text: string, ctx: BindContext): DeleteStatement {
  const env = changeEnv(node.withClause, ctx);
  const relation = target(node.relation!, "delete from", ctx);
  const changed = new ChangedRows(node.relation!, relation, node.usingClause, env);
  const where = bindWhere(node.whereClause, changed.scope, ctx, changed.subqueries);
  const source = changed.source(where, []);
  const returning = bindReturning(node.returningClause, changed.scope, ctx);
  return { kind: "delete", text, relation, where, source, returning };
}

export function bindTruncate(
  node: NodeOf<"TruncateStmt">,
  text: string,
  ctx: BindContext,
): TruncateStatement {
  const relations = (node.relations ?? []).map((n) => target(as(n, "RangeVar")!, "truncate", ctx));
  return { kind: "truncate", text, relations };
}

/** What the statement's queries see: its own WITH. */
function changeEnv(withClause: NodeOf<"WithClause"> | undefined, ctx: BindContext): QueryEnv {
  const env = queryEnv(ctx);
  return withClause === undefined ? env : withQueries({ withClause }, env);
}

function bindReturning(
  clause: NodeOf<"ReturningClause"> | undefined,
  scope: Scope,
  ctx: BindContext,
): Returning | null {
  if (clause === undefined) return null;
  if (clause.options !== undefined) throw notSupported("RETURNING WITH", undefined);
  for (const name of ["old", "new"]) {
    if (scope.tables.some((table) => table.name === name)) continue;
    const place = namedIn(clause.exprs, name);
    if (place !== null) throw notSupported(`${name} in RETURNING`, ctx.position(place.location));
  }
  const outputs = bindTargets(clause.exprs ?? [], plainPlace(ctx, scope, "RETURNING"));
  return {
    fields: outputs.map(({ name, expr }) => ({ name, type: typeOf(expr), nullable: true })),
    exprs: outputs.map(({ expr }) => expr),
  };
}

/** Where expressions name columns of `table`, but for those within subqueries, which may have one of that name; null: nowhere. */
function namedIn(within: unknown, table: string): { readonly location: number | undefined } | null {
  if (typeof within !== "object" || within === null) return null;
  for (const [kind, inner] of Object.entries(within)) {
    if (kind === "SubLink") continue;
    if (kind === "ColumnRef") {
      const { fields = [], location } = inner as NodeOf<"ColumnRef">;
      if (fields.length > 1 && stringOf(fields[0]) === table) return { location };
    }
    const found = namedIn(inner, table);
    if (found !== null) return found;
  }
  return null;
}

/** The relation to change. A view changes by its sources alone, a stream only by what is appended. */
export function target(node: RangeVar, doing: string, ctx: BindContext): CatalogRelation {
  const relation = findRelation(node, ctx);
  const position = ctx.position(node.location);
  if (relation.kind === "view") {
    throw new EvertError("wrong_object_type", `cannot ${doing} view "${relation.name}"`, {
      position,
      detail: "A view's rows follow from the log.",
      hint: "Change the tables it reads.",
    });
  }
  if (relation.kind === "stream" && !["insert into", "copy to"].includes(doing)) {
    throw new EvertError("wrong_object_type", `cannot ${doing} append-only table "${relation.name}"`, {
      position,
      detail: "Records of a stream are facts: they are never changed.",
      hint: "Insert a compensating record.",
    });
  }
  return relation;
}

function bindWhere(
  node: Node | undefined,
  scope: Scope,
  ctx: BindContext,
  subqueries: SubquerySink | null = null,
): Expr | null {
  if (node === undefined) return null;
  return bindBoolean(node, { ...plainPlace(ctx, scope, "WHERE"), subqueries }, "WHERE");
}

// ---- INSERT -----------------------------------------------------------------------------------------------------

export function targetColumns(
  nodes: readonly Node[] | undefined,
  relation: CatalogRelation,
  ctx: BindContext,
): number[] {
  if (nodes === undefined) return relation.schema.fields.map((_, i) => i);
  const columns: number[] = [];
  for (const node of nodes) {
    const at = targetColumn(as(node, "ResTarget")!, relation, ctx);
    if (columns.includes(at)) throw specifiedTwice(as(node, "ResTarget")!, ctx);
    columns.push(at);
  }
  return columns;
}

function specifiedTwice(node: NodeOf<"ResTarget">, ctx: BindContext): EvertError {
  const message = `column "${node.name}" specified more than once`;
  return new EvertError("duplicate_column", message, { position: ctx.position(node.location) });
}

function targetColumn(node: NodeOf<"ResTarget">, relation: CatalogRelation, ctx: BindContext): number {
  const position = ctx.position(node.location);
  if (node.indirection !== undefined) throw notSupported("assignment to a part of a column", position);
  const names = relation.schema.fields.map((f) => f.name);
  const at = names.indexOf(node.name ?? "");
  if (at >= 0) return at;
  const message = `column "${node.name}" of relation "${relation.name}" does not exist`;
  throw new EvertError("undefined_column", message, { position, hint: similar(node.name ?? "", names) });
}

function insertSource(
  node: NodeOf<"InsertStmt">,
  relation: CatalogRelation,
  columns: readonly number[],
  env: QueryEnv,
): Pick<InsertStatement, "source" | "order"> {
  const { ctx } = env;
  const select = as(node.selectStmt, "SelectStmt");
  const fields = relation.schema.fields;
  const types = fields.map((f) => withoutDomain(f.type));
  const names = fields.map((f) => f.name);
  if (select === undefined)
    return { source: rowsPlan([fields.map((_, i) => defaultOf(relation, i, ctx))], types, names), order: [] };
  const { sortClause, limitCount, limitOffset, withClause } = select;
  const bare = [sortClause, limitCount, limitOffset, withClause].every((clause) => clause === undefined);
  if (select.valuesLists !== undefined && bare) {
    const rows = new ValueRows(env);
    const lists = select.valuesLists.map((list) => as(list, "List")!.items ?? []);
    const exprs = lists.map((items) => {
      // Row by row, as PostgreSQL: of two that are wrong the first is told.
      checkEven([lists[0]!, items], rows.place);
      return valuesRow(items, relation, node, columns, rows.place);
    });
    return { source: optimize(rows.plan(exprs, types, names)), order: [] };
  }
  return selectSource(node, relation, columns, env);
}

function valuesRow(
  items: readonly Node[],
  relation: CatalogRelation,
  node: NodeOf<"InsertStmt">,
  columns: readonly number[],
  place: ExprPlace,
): Expr[] {
  const { ctx } = place;
  checkCount(items.length, items[columns.length], node, columns, ctx);
  const given = new Map(items.map((item, i) => [columns[i]!, item]));
  return relation.schema.fields.map((_, column) => {
    const item = given.get(column);
    return item === undefined || as(item, "SetToDefault") !== undefined
      ? defaultOf(relation, column, ctx)
      : assign(bindExpr(item, place), relation, column, ctx);
  });
}

function selectSource(
  node: NodeOf<"InsertStmt">,
  relation: CatalogRelation,
  columns: readonly number[],
  env: QueryEnv,
): Pick<InsertStatement, "source" | "order"> {
  const { ctx } = env;
  const query = env.bindQuery(as(node.selectStmt, "SelectStmt")!, env);
  checkCount(query.columns.length, undefined, node, columns, ctx);
  const fields = relation.schema.fields;
  const types = query.columns.map((_, i) => withoutDomain(fields[columns[i]!]!.type));
  const cast = castColumns(
    query,
    types,
    "assignment",
    ctx,
    (i, from) => {
      const field = fields[columns[i]!]!;
      return mismatch(field.name, field.type, from, undefined);
    },
    query.order.map((o) => o.column),
  );
  const given = new Map(query.columns.map((_, i) => [columns[i]!, i]));
  const exprs = fields.map((_, i) =>
    given.has(i)
      ? stored(build.column(cast, given.get(i)!), fields[i]!.type, ctx)
      : defaultOf(relation, i, ctx),
  );
  // What it is ordered by stands behind the row, as the query has it: a cast may order otherwise.
  const keys = query.order.map((_, i) => build.column(cast, query.columns.length + i));
  const source = build.project(
    cast,
    [...exprs, ...keys],
    [...fields.map((f) => f.name), ...keys.map((_, i) => `order ${i + 1}`)],
  );
  const order = query.order.map((item, i) => Object.freeze({ ...item, column: fields.length + i }));
  return { source: optimize(source), order };
}

function checkCount(
  count: number,
  surplus: Node | undefined,
  node: NodeOf<"InsertStmt">,
  columns: readonly number[],
  ctx: BindContext,
): void {
  if (count > columns.length) {
    const position = ctx.position(surplus && startOf(surplus));
    throw new EvertError("syntax_error", "INSERT has more expressions than target columns", { position });
  }
  if (count < columns.length && node.cols !== undefined) {
    const position = ctx.position(as(node.cols[count], "ResTarget")?.location);
    throw new EvertError("syntax_error", "INSERT has more target columns than expressions", { position });
  }
}

export function defaultOf(relation: CatalogRelation, column: number, ctx: BindContext): Expr {
  const { name, type } = relation.schema.fields[column]!;
  const text = relation.defaultTexts?.[column] ?? null;
  const base = withoutDomain(type);
  const value =
    text === null
      ? build.constant(relation.defaults?.[column] ?? null, base)
      : bindDefaultText(text, base, name, ctx);
  return stored(value, type, ctx);
}

/** The value as the column's type. */
function assign(bound: Bound, relation: CatalogRelation, column: number, ctx: BindContext): Expr {
  const { name, type } = relation.schema.fields[column]!;
  const expr = coerce(bound, withoutDomain(type), "assignment", ctx);
  if (expr !== undefined) return stored(expr, type, ctx);
  throw mismatch(name, type, sqlTypeName(boundType(bound)), ctx.position(bound.start));
}

/** The value in a column of the type. */
export function stored(value: Expr, type: SqlType, ctx: BindContext): Expr {
  return inDomain(value, type, plainPlace(ctx, emptyScope(), "CHECK"));
}

function mismatch(column: string, to: SqlType, from: string, position: number | undefined): EvertError {
  const message = `column "${column}" is of type ${sqlTypeName(to)} but expression is of type ${from}`;
  const hint = "You will need to rewrite or cast the expression.";
  return new EvertError("datatype_mismatch", message, { position, hint });
}

// ---- SET --------------------------------------------------------------------------------------------------------

/** `asked` takes subqueries; null: there may be none. */
function bindAssignments(
  targets: readonly Node[],
  relation: CatalogRelation,
  scope: Scope,
  ctx: BindContext,
  asked: ChangedRows | null = null,
): { row: Expr[]; assigned: number[] } {
  const row: Expr[] = relation.schema.fields.map((_, i) => scope.tables[0]!.columns[i]!.expr);
  const assigned: number[] = [];
  const place: ExprPlace = {
    ...plainPlace(ctx, scope, "UPDATE"),
    subqueries: asked?.subqueries ?? null,
  };
  const values = assignedValues(targets, place, asked);
  targets.forEach((node, i) => {
    const item = as(node, "ResTarget")!;
    const column = targetColumn(item, relation, ctx);
    if (assigned.includes(column)) {
      const message = `multiple assignments to same column "${item.name}"`;
      throw new EvertError("duplicate_column", message, { sqlstate: "42601" });
    }
    assigned.push(column);
    const value = values[i]!();
    row[column] =
      value === "default" ? defaultOf(relation, column, ctx) : assign(value, relation, column, ctx);
  });
  return { row, assigned };
}

/** Per target, what binds its value: `a = …`, or its part of `(a, b) = …`. */
function assignedValues(
  targets: readonly Node[],
  place: ExprPlace,
  asked: ChangedRows | null,
): (() => Bound | "default")[] {
  const one = (node: Node) => () =>
    as(node, "SetToDefault") === undefined ? bindExpr(node, place) : ("default" as const);
  let parts: readonly (() => Bound | "default")[] = [];
  return targets.map((target) => {
    const { val } = as(target, "ResTarget")!;
    const multiple = as(val, "MultiAssignRef");
    if (multiple === undefined) return one(val!);
    const { source, colno = 1, ncolumns } = multiple;
    if (colno > 1) return parts[colno - 1]!;
    const position = place.ctx.position(startOf(source!));
    const select = as(as(source, "SubLink")?.subselect, "SelectStmt");
    const items = as(source, "RowExpr")?.args;
    if (items !== undefined) parts = items.map(one);
    else if (select !== undefined && asked !== null)
      parts = asked.applied(select).map((bound) => () => bound);
    else if (select !== undefined) throw notSupported("a subquery in ON CONFLICT", position);
    else {
      throw new EvertError(
        "feature_not_supported",
        "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
        { position },
      );
    }
    if (parts.length !== ncolumns) {
      throw new EvertError("syntax_error", "number of columns does not match number of values", { position });
    }
    return parts[0]!;
  });
}

function bindConflict(
  node: NodeOf<"InsertStmt">,
  relation: CatalogRelation,
  ctx: BindContext,
): ConflictAction | null {
  const clause = node.onConflictClause;
  if (clause === undefined) return null;
  const position = ctx.position(clause.location);
  if (relation.kind !== "table") throw noSuchKey(position);
  const on = conflictTarget(clause, relation, ctx);
  if (clause.action === "ONCONFLICT_NOTHING") return { action: "nothing", on };
  const scope = conflictScope(relation, node.relation?.alias?.aliasname ?? relation.name);
  const { row, assigned } = bindAssignments(clause.targetList ?? [], relation, scope, ctx);
  if (relation.key !== null && assigned.some((column) => relation.key!.includes(column))) {
    throw notSupported("ON CONFLICT that changes the primary key", position);
  }
  return { action: "update", on: on ?? [], row, where: bindWhere(clause.whereClause, scope, ctx) };
}

/** The existing row under the table's name, and the proposed one as `excluded`. */
function conflictScope(relation: CatalogRelation, name: string): Scope {
  const source = relationPlan(relation);
  const plan = build.join({ type: "inner", left: source, right: source, leftKeys: [], rightKeys: [] });
  const fields = relation.schema.fields;
  const columns = (offset: number, table: string) =>
    fields.map((f, i) => ({ name: f.name, table, expr: build.column(plan, offset + i) }));
  const existing = { name, key: null, columns: columns(0, name) };
  const excluded = { name: "excluded", key: null, columns: columns(fields.length, "excluded") };
  return { plan, tables: [existing, excluded], columns: [...existing.columns, ...excluded.columns] };
}

/** Names of the constraints meant; null: every one. */
function conflictTarget(
  clause: NonNullable<NodeOf<"InsertStmt">["onConflictClause"]>,
  relation: CatalogRelation,
  ctx: BindContext,
): string[] | null {
  const position = ctx.position(clause.location);
  const infer = clause.infer;
  if (infer === undefined) {
    if (clause.action === "ONCONFLICT_NOTHING") return null;
    const message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
    throw new EvertError("syntax_error", message, {
      position,
      hint: "For example, ON CONFLICT (column_name).",
    });
  }
  const { key, uniques = [] } = relation;
  const own = key === null ? [] : [{ name: keyNameOf(relation), columns: key, isIndex: false }];
  const all = [...own, ...uniques];
  if (infer.conname !== undefined) {
    const named = all.find((u) => u.name === infer.conname && u.isIndex !== true);
    if (named !== undefined) return [named.name];
    if (relation.checkNames?.includes(infer.conname)) {
      const message = "constraint in ON CONFLICT clause has no associated index";
      throw new EvertError("wrong_object_type", message, { position });
    }
    const message = `constraint "${infer.conname}" for table "${relation.name}" does not exist`;
    throw new EvertError("undefined_object", message, { position });
  }
  if (infer.whereClause !== undefined) throw notSupported("ON CONFLICT (...) WHERE", position);
  const columns = new Set((infer.indexElems ?? []).map((node) => conflictColumn(node, relation, position)));
  const meant = all.filter(
    (u) => u.columns.length === columns.size && u.columns.every((c) => columns.has(c)),
  );
  if (meant.length === 0) throw noSuchKey(position);
  return meant.map((u) => u.name);
}

function conflictColumn(node: Node, relation: CatalogRelation, position: number | undefined): number {
  const element = as(node, "IndexElem");
  const name = element?.name;
  if (name === undefined) throw notSupported("ON CONFLICT on an expression", position);
  if (element?.collation !== undefined || element?.opclass !== undefined)
    throw notSupported("ON CONFLICT with a collation or operator class", position);
  const at = relation.schema.fields.findIndex((f) => f.name === name);
  if (at >= 0) return at;
  throw new EvertError("undefined_column", `column "${name}" does not exist`, { position });
}

function noSuchKey(position: number | undefined): EvertError {
  const message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
  return new EvertError("invalid_column_reference", message, {
    position,
    hint: "Name the columns of the primary key, or of a unique constraint.",
  });
}
