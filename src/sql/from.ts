/** FROM: relations, WITH queries, subqueries, functions, and joins of them, as a plan and the names it shows. */
import type { Alias, Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { CatalogRelation } from "../plan/catalog.ts";
import { readsOuter } from "../plan/outer-columns.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import { isSystemRelation } from "./absent-relations.ts";
import type { BindContext } from "./context.ts";
import { bindRowFunction, isRowFunction } from "./from-functions.ts";
import { bindJoin } from "./join.ts";
import { jsonTableQuery } from "./json-table.ts";
import type { BoundQuery, QueryEnv } from "./query.ts";
import { besides, checkDuplicateTable, type Scope, similar, tableScope } from "./scope.ts";
import { as, kindOf, type NodeOf, startOf, stringOf } from "./tree.ts";

/** Each is a join, and as deep in the plan as there are others before it. PostgreSQL answers more, but takes its time. */
const FROM_ITEMS_MAX = 256;

/** The FROM list: its items side by side, unrestricted; WHERE makes joins of them. */
export function bindFrom(items: readonly Node[], env: QueryEnv): Scope | undefined {
  if (items.length > FROM_ITEMS_MAX) {
    throw new EvertError("statement_too_complex", `a FROM list can have at most ${FROM_ITEMS_MAX} items`, {
      hint: "Join some of them in a materialized view, and that view with the others.",
      position: env.ctx.position(placeOf(items[FROM_ITEMS_MAX]!)),
    });
  }
  let scope: Scope | undefined;
  for (const item of items) {
    if (scope !== undefined && isRowFunction(item, env.ctx)) {
      scope = bindRowFunction(as(item, "RangeFunction")!, scope, env.ctx);
      continue;
    }
    if (scope === undefined) scope = bindItem(item, env);
    else {
      const left: Scope = scope;
      const id = env.ctx.nextApply();
      const next = env.ctx.beside(left, id, () => bindItem(item, env, left));
      scope = cross(left, next, id, env.ctx.position(placeOf(item)));
    }
  }
  return scope;
}

function cross(left: Scope, right: Scope, id: number, position: number | undefined): Scope {
  checkDuplicateTable(left, right, position);
  const sides = { type: "inner", left: left.plan, right: right.plan } as const;
  const plan = readsOuter(right.plan, id)
    ? build.apply({ id, ...sides })
    : build.join({ ...sides, leftKeys: [], rightKeys: [] });
  return besides(left, right, plan);
}

/** One item. `before`: what stands left of it in the list, which a function could read from. */
export function bindItem(item: Node, env: QueryEnv, before?: Scope): Scope {
  const { ctx } = env;
  return ctx.deeper(() => {
    switch (kindOf(item)) {
      case "RangeVar":
        return bindRelation(as(item, "RangeVar")!, env);
      case "RangeSubselect":
        return bindSubselect(as(item, "RangeSubselect")!, env);
      case "JoinExpr":
        return bindJoin(as(item, "JoinExpr")!, env, bindItem, before);
      case "RangeFunction":
        return ctx.apart(true, () => bindRowFunction(as(item, "RangeFunction")!, undefined, ctx));
      case "JsonTable":
        return bindItem({ RangeSubselect: jsonTableQuery(as(item, "JsonTable")!, ctx) }, env, before);
      case "RangeTableSample":
        throw notSupported("TABLESAMPLE", ctx.position(placeOf(item)));
      case "RangeTableFunc":
        throw notSupported("XMLTABLE", ctx.position(as(item, "RangeTableFunc")!.location));
      default:
        throw notSupported(`${kindOf(item)} in FROM`, ctx.position(placeOf(item)));
    }
  });
}

function placeOf(item: Node): number | undefined {
  const join = as(item, "JoinExpr");
  if (join?.larg !== undefined) return placeOf(join.larg);
  const sample = as(item, "RangeTableSample");
  if (sample?.relation !== undefined) return placeOf(sample.relation);
  const call = as(as(as(item, "RangeFunction")?.functions?.[0], "List")?.items?.[0], "FuncCall");
  return call?.location ?? startOf(item);
}

function bindRelation(node: NodeOf<"RangeVar">, env: QueryEnv): Scope {
  const { ctx } = env;
  const name = node.relname ?? "";
  const position = ctx.position(node.location);
  const own = node.schemaname === undefined ? env.withQueries.get(name) : undefined;
  if (own !== undefined) return queryScope(node.alias?.aliasname ?? name, own, node.alias, position);
  const inlined = isOurs(node) ? ctx.catalog.inlineView?.(name) : undefined;
  if (inlined !== undefined) {
    const query = env.bindDefinition(name, inlined);
    const inner = queryScope(node.alias?.aliasname ?? name, query, node.alias, position);
    return node.alias === undefined ? asRelation(inner) : inner;
  }
  const relation = findRelation(node, ctx);
  const plan = relationPlan(relation);
  const names = aliasNames(
    node.alias,
    relation.schema.fields.map((f) => f.name),
    node.alias?.aliasname ?? name,
    position,
  );
  const columns = names.map((column, i) => ({ name: column, expr: build.column(plan, i) }));
  const key = relation.kind === "table" ? relation.key : null;
  const scope = tableScope(node.alias?.aliasname ?? name, plan, columns, key);
  return node.alias === undefined ? asRelation(scope) : scope;
}

/** `public.t.c` means the relation, and neither what has its name as an alias nor a WITH query. */
function asRelation(scope: Scope): Scope {
  return { ...scope, tables: scope.tables.map((t) => ({ ...t, isRelation: true as const })) };
}

/** Whether the name is one of the only schema there is. */
function isOurs(node: NodeOf<"RangeVar">): boolean {
  return node.catalogname === undefined && (node.schemaname ?? "public") === "public";
}

/** A topic or a view with rows of its own. */
export function findRelation(node: NodeOf<"RangeVar">, ctx: BindContext): CatalogRelation {
  const name = node.relname ?? "";
  const found = isOurs(node) ? ctx.catalog.relation(name) : undefined;
  if (found !== undefined) return found;
  const names = ctx.catalog.relationNames();
  if (isOurs(node) && ctx.catalog.inlineView?.(name) !== undefined) {
    throw new EvertError("wrong_object_type", `"${name}" is a view without rows of its own`, {
      position: ctx.position(node.location),
      hint: "Name the tables that it reads.",
    });
  }
  if (isOurs(node) && names.includes(name)) {
    throw new EvertError("view_failed", `view "${name}" cannot be read: what it is made of is not known`, {
      position: ctx.position(node.location),
      hint: "Start with the app that defines it, or drop it.",
    });
  }
  const said = node.schemaname === undefined ? name : `${node.schemaname}.${name}`;
  if (isSystemRelation(node.schemaname, name))
    throw notSupported(`the system's relation ${said}`, ctx.position(node.location));
  throw new EvertError("undefined_table", `relation "${said}" does not exist`, {
    position: ctx.position(node.location),
    hint: similar(name, names),
  });
}

function bindSubselect(node: NodeOf<"RangeSubselect">, env: QueryEnv): Scope {
  const select = as(node.subquery, "SelectStmt");
  const position = env.ctx.position(placeOfSelect(select));
  if (select === undefined) throw notSupported("this kind of subquery in FROM", position);
  const query = env.ctx.apart(node.lateral ?? false, () => env.bindQuery(select, env));
  return queryScope(node.alias?.aliasname ?? UNNAMED, query, node.alias, position);
}

/** No name in SQL is empty: nobody can mean a subquery without alias by its name. */
const UNNAMED = "";

function placeOfSelect(select: NodeOf<"SelectStmt"> | undefined): number | undefined {
  const first = select?.targetList?.[0] ?? select?.valuesLists?.[0];
  return first === undefined ? undefined : startOf(first);
}

/** The query's columns as a table. */
function queryScope(
  name: string,
  query: BoundQuery,
  alias: Alias | undefined,
  position: number | undefined,
): Scope {
  const shown = query.columns.map((c) => c.name);
  const names = aliasNames(alias, shown, name, position);
  const columns = query.columns.map((c, i) => ({
    name: names[i]!,
    expr: build.column(query.plan, c.index),
  }));
  return tableScope(name, query.plan, columns);
}

/** `AS t(a, b)` renames the first columns. */
function aliasNames(
  alias: Alias | undefined,
  names: readonly string[],
  table: string,
  position: number | undefined,
): string[] {
  const given = (alias?.colnames ?? []).map(stringOf);
  if (given.length > names.length) {
    const message = `table "${table}" has ${names.length} columns available but ${given.length} columns specified`;
    throw new EvertError("invalid_column_reference", message, { position });
  }
  return names.map((name, i) => given[i] ?? name);
}
