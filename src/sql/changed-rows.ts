/**
 * The rows that UPDATE and DELETE change, where finding them takes a query: with other relations (FROM, USING), or with subqueries.
 *
 *   the table's rows, with the hidden column that tells those without a key apart
 *     > joined with the other relations  >  subqueries applied  >  WHERE
 *     > the first match of each row, where there are other relations
 *
 * The plan gives each row as it is, then as it is to be, then the other relations' columns, for RETURNING. Which match of several counts is
 * left open by PostgreSQL; here the least by its columns does, so that a statement has one answer.
 */
import type { Node, RangeVar, SelectStmt } from "libpg-query";
import * as build from "../plan/build.ts";
import type { CatalogRelation } from "../plan/catalog.ts";
import type { Expr } from "../plan/expression.ts";
import { columnsOf } from "../plan/inspect.ts";
import { optimize } from "../plan/optimize.ts";
import type { Plan } from "../plan/plan.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import type { Bound } from "./bound.ts";
import { bindFrom } from "./from.ts";
import type { QueryEnv } from "./query.ts";
import { applyRow } from "./row-subquery.ts";
import { besides, checkDuplicateTable, type Scope, tableScope } from "./scope.ts";
import { SUBQUERIES } from "./stand-ins.ts";
import { Subqueries } from "./subqueries.ts";

export class ChangedRows {
  /** The table's columns first, then those of the other relations. */
  readonly scope: Scope;
  readonly subqueries: Subqueries;
  readonly #env: QueryEnv;
  readonly #relation: CatalogRelation;
  /** Columns that tell rows apart. */
  readonly #key: readonly number[];
  /** Columns of the table, a hidden one included. */
  readonly #width: number;
  /** The scope's rows, with the values of subqueries of several columns behind. */
  #plan: Plan;

  constructor(node: RangeVar, relation: CatalogRelation, others: readonly Node[] | undefined, env: QueryEnv) {
    this.#env = env;
    this.#relation = relation;
    const rows = { ...relation, ...relation.identified };
    const plan = relationPlan(rows);
    this.#key = rows.key ?? [];
    this.#width = rows.schema.fields.length;
    const columns = relation.schema.fields.map((f, i) => ({ name: f.name, expr: build.column(plan, i) }));
    const own = tableScope(node.alias?.aliasname ?? relation.name, plan, columns);
    this.scope = others === undefined ? own : withOthers(own, others, node, env);
    this.#plan = this.scope.plan;
    this.subqueries = new Subqueries(env, this.scope);
  }

  /** The values of a subquery that gives one row. */
  applied(select: SelectStmt): readonly Bound[] {
    const { plan, values } = applyRow(select, this.scope, this.#plan, this.#env);
    this.#plan = plan;
    return values;
  }

  /** The query for the rows where `where` is true, and the rows they become; null where each row alone decides. */
  source(where: Expr | null, row: readonly Expr[]): Plan | null {
    const exprs = where === null ? row : [where, ...row];
    const asks = exprs.some((e) => [...columnsOf(e)].some((c) => c >= SUBQUERIES));
    const isJoined = this.scope.plan.schema.fields.length > this.#width;
    if (!asks && !isJoined && this.#plan === this.scope.plan) return null;
    const attached = this.subqueries.attach(this.#plan, exprs);
    const resolved = (e: Expr): Expr => this.subqueries.resolve(e);
    const input = where === null ? attached : build.filter(attached, resolved(where));
    const { fields } = this.scope.plan.schema;
    const all = fields.map((_, i) => build.column(input, i));
    const [old, others] = [all.slice(0, this.#width), all.slice(this.#width)];
    const names = fields.map((f) => f.name);
    const changed = build.project(
      input,
      [...old, ...row.map(resolved), ...others],
      [
        ...names.slice(0, this.#width),
        ...row.map((_, i) => this.#relation.schema.fields[i]!.name),
        ...names.slice(this.#width),
      ],
    );
    return optimize(isJoined ? firstOfEach(changed, this.#key) : changed);
  }
}

function withOthers(own: Scope, others: readonly Node[], node: RangeVar, env: QueryEnv): Scope {
  const right = bindFrom(others, env);
  if (right === undefined) return own;
  checkDuplicateTable(own, right, env.ctx.position(node.location));
  const plan = build.join({
    type: "inner",
    left: own.plan,
    right: right.plan,
    leftKeys: [],
    rightKeys: [],
  });
  return besides(own, right, plan);
}

function firstOfEach(plan: Plan, key: readonly number[]): Plan {
  return build.topK(plan, { partition: key, order: [], limit: 1, offset: 0, key });
}
