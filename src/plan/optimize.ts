/**
 * Rewrites a plan into one that computes the same rows with less work.
 *
 * 0. What constants decide is decided (fold.ts), what every branch of an OR asks is asked once (factor-or.ts), and subqueries become joins (before-apply.ts, decorrelate.ts).
 * 1. Predicates move toward the sources (push-down.ts). WHERE is a list of conjuncts; each moves down by itself, through projects (with
 *    columns replaced by what they stand for), joins (to the side it reads), groups (when it reads keys only), distinct,
 *    union and top-k (when it reads the partition only). On the way, equalities between the two sides of an inner join
 *    become its join keys (joins.ts). A left join whose null rows a predicate refuses is an inner one.
 * 2. Columns nobody reads are dropped, from the top down (prune.ts). Above each source stands a project of just the columns that are
 *    read, so that it delivers no others; joins, which store their inputs, get no column that only a filter read.
 *    A window of which only the first ranks are kept stands on a top-k (prune-window.ts).
 * 3. Adjacent projects (merge-projects.ts) and adjacent filters become one, whose conjuncts stand in PostgreSQL's order (order-conjuncts.ts).
 *
 * Errors are data: which rows raise an error must not depend on the optimizer's mood. So no fallible expression
 * (isFallible) crosses a filter, CASE or join, in either direction:
 * - a fallible conjunct stays where it is, and so do the conjuncts after it, which it may guard or be guarded by;
 * - no predicate passes a node that computes something fallible from each row (project, group, map); only below functions that give rows
 *   it always goes if it reads nothing of theirs: what WHERE asks of a row guards the functions that come to it in FROM;
 * - a fallible column is not merged into an expression that may leave it unevaluated, nor into two places.
 * A column nobody reads is dropped even if computing it might fail, as PostgreSQL does.
 *
 * A top-k settles ties by its remaining columns, so all of its input's columns count as read.
 */
import { EvertError } from "../base/errors.ts";
import { filtersBeforeApplies } from "./before-apply.ts";
import * as build from "./build.ts";
import type { Catalog } from "./catalog.ts";
import { decorrelate } from "./decorrelate.ts";
import { factorDisjunctions } from "./factor-or.ts";
import { foldConstants } from "./fold.ts";
import { inputsOf, sourceIds } from "./inspect.ts";
import { mergedProject } from "./merge-projects.ts";
import { orderConjuncts } from "./order-conjuncts.ts";
import type { OptimizedQuery, Plan, Query } from "./plan.ts";
import { pruneAll } from "./prune.ts";
import { pushDown } from "./push-down.ts";

export function optimizeQuery(query: Query, constant?: Catalog["constant"]): OptimizedQuery {
  return Object.freeze({ ...query, plan: optimize(query.plan, constant), names: sourceIds(query.plan) });
}

/** The same columns, in the same order, computed with less work. */
export function optimize(plan: Plan, constant?: Catalog["constant"]): Plan {
  const simpler = factorDisjunctions(foldConstants(plan, constant));
  const joined = decorrelate(filtersBeforeApplies(simpler));
  refuseLarge(joined);
  const pushed = pushDown(joined, []);
  return rename(orderConjuncts(pruneAll(pushed)), plan);
}

/** Nodes that the rules see, which walk a plan as a tree. */
const NODES_MAX = 20_000;

/** A subquery that compares with the rows around it otherwise than by equality reads them once more, and so do those in it and beside it: of twenty of them there would be a million. */
function refuseLarge(plan: Plan): void {
  const counts = new Map<Plan, number>();
  const countOf = (node: Plan): number => {
    let count = counts.get(node);
    if (count === undefined) {
      count = inputsOf(node).reduce((sum, input) => sum + countOf(input), 1);
      counts.set(node, count);
    }
    return count;
  };
  if (countOf(plan) <= NODES_MAX) return;
  throw new EvertError("statement_too_complex", "query is too large", {
    detail: `With its subqueries written out as joins it has more than ${NODES_MAX} steps.`,
    hint: "Compare with the rows around a subquery by equality, or split the query into views that read each other.",
  });
}

/** Pruning goes by position, merging may take an inner name: the outermost names are the plan's own. */
function rename(plan: Plan, like: Plan): Plan {
  const names = like.schema.fields.map((f) => f.name);
  if (plan.schema.fields.every((f, i) => f.name === names[i])) return plan;
  const exprs = plan.schema.fields.map((_, i) => build.column(plan, i));
  return mergedProject(plan, exprs, names);
}
