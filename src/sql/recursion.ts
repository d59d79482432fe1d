/**
 * A recursive WITH query: `base UNION [ALL] step`, where the step reads, once, the query itself. What PostgreSQL refuses is refused in its
 * words: the places where a recursive reference may not stand are walked on the parse tree before anything is bound.
 */
import type { CommonTableExpr, Node, SelectStmt } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import { sameType, text } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { boundType } from "./bound.ts";
import type { BindContext } from "./context.ts";
import { checkEquatable } from "./equality.ts";
import { type BoundQuery, columnBounds, type QueryEnv } from "./query.ts";
import { firstPlace, unified } from "./set-operations.ts";
import { as, type NodeOf, startOf } from "./tree.ts";

const INVALID_RECURSION = "42P19";

/** `own`: what it sees, its own WITH queries included. */
export function bindRecursion(
  name: string,
  select: SelectStmt,
  named: (bound: BoundQuery) => BoundQuery,
  cte: CommonTableExpr,
  ctx: BindContext,
  own: () => QueryEnv,
): BoundQuery {
  checkForm(name, select, ctx, ctx.position(cte.location));
  const env = own();
  const base = named(env.bindQuery(select.larg!, env));
  const id = env.recursions;
  const fields = columnBounds(base).map((bound, i) => ({
    name: base.columns[i]!.name,
    type: boundType(bound) ?? text,
    nullable: true,
  }));
  const found: BoundQuery = {
    plan: build.recursiveRef(id, name, fields),
    columns: fields.map((f, index) => ({ name: f.name, index, literal: null })),
    order: [],
  };
  const within = {
    ...env,
    recursions: id + 1,
    withQueries: new Map([...env.withQueries, [name, found]]),
  };
  const step = env.bindQuery(select.rarg!, within);
  const place = firstPlace(select.rarg);
  const { types, left, right } = unified("SETOP_UNION", base, step, ctx, place);
  types.forEach((type, i) => {
    const own = fields[i]!.type;
    if (sameType(own, type)) return;
    const message = `recursive query "${name}" column ${i + 1} has type ${sqlTypeName(own)} in non-recursive term but type ${sqlTypeName(type)} overall`;
    throw new EvertError("datatype_mismatch", message, {
      hint: "Cast the output of the non-recursive term to the correct type.",
      position: ctx.position(firstPlace(select.larg)),
    });
  });
  const all = select.all ?? false;
  if (!all) for (const type of types) checkEquatable(type, ctx.position(place));
  return {
    plan: build.recursive({ id, base: left, step: right, all }),
    columns: found.columns,
    order: [],
  };
}

/** A SELECT that reads the query around it cannot gather its rows: it sees those of one iteration at a time. */
export function refuseAggregateOver(
  from: readonly Node[],
  position: number | undefined,
  env: QueryEnv,
): void {
  const reads = (item: Node | undefined): boolean => {
    const join = as(item, "JoinExpr");
    if (join !== undefined) return reads(join.larg) || reads(join.rarg);
    const table = as(item, "RangeVar");
    if (table === undefined || table.schemaname !== undefined) return false;
    return env.withQueries.get(table.relname ?? "")?.plan.kind === "recursiveRef";
  };
  if (!from.some(reads)) return;
  const message = "aggregate functions are not allowed in a recursive query's recursive term";
  throw new EvertError("syntax_error", message, { sqlstate: INVALID_RECURSION, position });
}

// ---- where the reference may stand ------------------------------------------------------------------------------

const PLACES = {
  base: "its non-recursive term",
  subquery: "a subquery",
  outerJoin: "an outer join",
  intersect: "INTERSECT",
  except: "EXCEPT",
} as const;

type Place = keyof typeof PLACES | null;

function checkForm(name: string, select: SelectStmt, ctx: BindContext, position: number | undefined): void {
  if (select.op !== "SETOP_UNION") {
    const message = `recursive query "${name}" does not have the form non-recursive-term UNION [ALL] recursive-term`;
    throw new EvertError("syntax_error", message, { sqlstate: INVALID_RECURSION, position });
  }
  let count = 0;
  const refuse = (where: string, at: number | undefined): EvertError =>
    new EvertError("syntax_error", `recursive reference to query "${name}" must not appear ${where}`, {
      sqlstate: INVALID_RECURSION,
      position: ctx.position(at),
    });
  const visit = (part: unknown, place: Place): void =>
    eachReference(part, new Set([name]), place, (table, where) => {
      if (where !== null) throw refuse(`within ${PLACES[where]}`, table.location);
      if (++count > 1) throw refuse("more than once", table.location);
    });
  visit(select.larg, "base");
  visit(select.rarg, null);
  const sort = as(select.sortClause?.[0], "SortBy")?.node;
  const clauses = [
    ["ORDER BY", sort],
    ["OFFSET", select.limitOffset],
    ["LIMIT", select.limitCount],
    ["FOR UPDATE/SHARE", select.lockingClause?.[0]],
  ] as const;
  for (const [words, clause] of clauses) {
    if (clause === undefined) continue;
    throw new EvertError("feature_not_supported", `${words} in a recursive query is not implemented`, {
      position: ctx.position(startOf(clause)) ?? position,
    });
  }
}

/** Which of these WITH queries the tree names. */
export function mentions(part: unknown, names: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  eachReference(part, names, null, (table) => found.add(table.relname ?? ""));
  return found;
}

type Visit = (table: NodeOf<"RangeVar">, place: Place) => void;

/** Every table of one of these names in the tree, and in what it stands that a recursive reference may not. */
function eachReference(part: unknown, names: ReadonlySet<string>, place: Place, visit: Visit): void {
  if (names.size === 0 || typeof part !== "object" || part === null) return;
  if (Array.isArray(part)) {
    for (const item of part) eachReference(item, names, place, visit);
    return;
  }
  const node = part as Node;
  const table = as(node, "RangeVar");
  if (table !== undefined) {
    if (table.schemaname === undefined && names.has(table.relname ?? "")) visit(table, place);
    return;
  }
  const link = as(node, "SubLink");
  if (link !== undefined) {
    eachReference(link.subselect, names, place ?? "subquery", visit);
    eachReference(link.testexpr, names, place, visit);
    return;
  }
  const join = as(node, "JoinExpr");
  if (join !== undefined) {
    const inLeft = join.jointype === "JOIN_RIGHT" || join.jointype === "JOIN_FULL";
    const inRight = join.jointype === "JOIN_LEFT" || join.jointype === "JOIN_FULL";
    eachReference(join.larg, names, place ?? (inLeft ? "outerJoin" : null), visit);
    eachReference(join.rarg, names, place ?? (inRight ? "outerJoin" : null), visit);
    eachReference(join.quals, names, place, visit);
    return;
  }
  const select = as(node, "SelectStmt") ?? (isSelect(part) ? part : undefined);
  if (select !== undefined) inSelect(select, names, place, visit);
  else for (const value of Object.values(part)) eachReference(value, names, place, visit);
}

/** The arms of a set operation stand in the tree without their node's name. */
function isSelect(part: object): part is SelectStmt {
  return "op" in part && "limitOption" in part;
}

function inSelect(select: SelectStmt, names: ReadonlySet<string>, place: Place, visit: Visit): void {
  const { larg, rarg, withClause, ...rest } = select;
  const ctes = (withClause?.ctes ?? []).map((node) => as(node, "CommonTableExpr")!);
  const own = new Set(ctes.map((c) => c.ctename ?? ""));
  const visible = own.size === 0 ? names : new Set([...names].filter((n) => !own.has(n)));
  for (const cte of ctes) eachReference(cte.ctequery, withClause?.recursive ? visible : names, place, visit);
  const { op, all } = select;
  const left = op === "SETOP_INTERSECT" && all ? "intersect" : op === "SETOP_EXCEPT" && all ? "except" : null;
  const right = op === "SETOP_EXCEPT" ? "except" : left;
  if (larg !== undefined) inSelect(larg, visible, place ?? left, visit);
  if (rarg !== undefined) inSelect(rarg, visible, place ?? right, visit);
  for (const value of Object.values(rest)) eachReference(value, visible, place, visit);
}
