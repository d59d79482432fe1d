/**
 * WITH: queries by name. Each is bound once, whether it is used or not, seeing those before it; in WITH RECURSIVE those behind it too, as
 * long as they do not need each other.
 */
import type { CommonTableExpr, Node, SelectStmt } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { BindContext } from "./context.ts";
import type { BoundQuery, QueryEnv } from "./query.ts";
import { bindRecursion, mentions } from "./recursion.ts";
import { as, stringOf } from "./tree.ts";

/** The environment of the query itself: what it sees from outside, and its WITH queries. */
export function withQueries(select: Pick<SelectStmt, "withClause">, env: QueryEnv): QueryEnv {
  const clause = select.withClause;
  if (clause === undefined) return env;
  const ctes = (clause.ctes ?? []).map((node) => as(node, "CommonTableExpr")!);
  checkNames(ctes, env.ctx);
  const ordered = clause.recursive ? inOrderOfNeed(ctes, env.ctx) : ctes;
  let inner = env;
  for (const cte of ordered) {
    const name = cte.ctename ?? "";
    const bound = bindCte(cte, clause.recursive ?? false, inner);
    inner = { ...inner, withQueries: new Map([...inner.withQueries, [name, bound]]) };
  }
  return inner;
}

function bindCte(cte: CommonTableExpr, recursive: boolean, env: QueryEnv): BoundQuery {
  const { ctx } = env;
  const position = ctx.position(cte.location);
  const name = cte.ctename ?? "";
  const query = as(cte.ctequery, "SelectStmt");
  if (query === undefined) throw notSupported("a data-modifying statement in WITH", position);
  if (cte.search_clause !== undefined) throw notSupported("SEARCH", position);
  if (cte.cycle_clause !== undefined) throw notSupported("CYCLE", position);
  const aliases = (cte.aliascolnames ?? []).map(stringOf);
  const named = (bound: BoundQuery): BoundQuery => {
    if (aliases.length > bound.columns.length) {
      const message = `WITH query "${name}" has ${bound.columns.length} columns available but ${aliases.length} columns specified`;
      throw new EvertError("invalid_column_reference", message, { position });
    }
    return { ...bound, columns: bound.columns.map((c, i) => ({ ...c, name: aliases[i] ?? c.name })) };
  };
  if (recursive && mentions(query, new Set([name])).has(name))
    return bindRecursion(name, query, named, cte, ctx, () => withQueries(query, env));
  return named(env.bindQuery(query, env));
}

function checkNames(ctes: readonly CommonTableExpr[], ctx: BindContext): void {
  const own = new Set<string>();
  for (const { ctename = "", location } of ctes) {
    if (own.has(ctename)) {
      const message = `WITH query name "${ctename}" specified more than once`;
      throw new EvertError("duplicate_table", message, {
        sqlstate: "42712",
        position: ctx.position(location),
      });
    }
    own.add(ctename);
  }
}

/** Each behind those it mentions, itself aside. */
function inOrderOfNeed(ctes: readonly CommonTableExpr[], ctx: BindContext): CommonTableExpr[] {
  const names = new Set(ctes.map((c) => c.ctename ?? ""));
  const left = ctes.map((cte) => {
    const needs = mentions(cte.ctequery as Node, names);
    needs.delete(cte.ctename ?? "");
    return { cte, needs };
  });
  const ordered: CommonTableExpr[] = [];
  while (left.length > 0) {
    const next = left.findIndex(({ needs }) => needs.size === 0);
    if (next < 0) {
      throw new EvertError(
        "feature_not_supported",
        "mutual recursion between WITH items is not implemented",
        { position: ctx.position(left[0]!.cte.location) },
      );
    }
    const [{ cte }] = left.splice(next, 1) as [(typeof left)[number]];
    ordered.push(cte);
    for (const { needs } of left) needs.delete(cte.ctename ?? "");
  }
  return ordered;
}
