/**
 * Subqueries in the condition of a JOIN. They are applied to the pairs that meet the rest of the condition, and keep of them those for
 * which it is true: an inner join needs no more, and an outer join fills up the rows that are in no pair left (plan/outer-join.ts).
 */
import type { Node } from "libpg-query";
import { notSupported } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { columnsOf, conjunction, mapChildren } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import { toBoolean } from "./bound.ts";
import type { Condition } from "./conditions.ts";
import { bindBoolean, plainPlace } from "./expression.ts";
import type { ExprPlace } from "./place.ts";
import type { QueryEnv } from "./query.ts";
import type { Scope } from "./scope.ts";
import { isSubquery } from "./stand-ins.ts";
import { Subqueries } from "./subqueries.ts";
import { as, startOf } from "./tree.ts";

const CLAUSE = "JOIN conditions";

export class JoinConditions {
  /** Those without subqueries. */
  readonly plain: readonly Condition[];
  private readonly asking: readonly Condition[];
  private readonly subqueries: Subqueries;

  /** `scope`: both sides' names over left's columns, then right's. */
  constructor(on: readonly Node[], scope: Scope, env: QueryEnv) {
    const { ctx } = env;
    this.subqueries = new Subqueries(env, scope);
    const place: ExprPlace = { ...plainPlace(ctx, scope, CLAUSE), subqueries: this.subqueries };
    const all = on.map((node) => {
      const link = as(node, "SubLink");
      // A pair stays where its conjunct is true: null is as good as false.
      const expr =
        link === undefined
          ? bindBoolean(node, place, "JOIN/ON")
          : toBoolean(this.subqueries.bind(link, place, true), "JOIN/ON", ctx);
      return { expr, position: ctx.position(startOf(node)) };
    });
    const asks = ({ expr }: Condition) => [...columnsOf(expr)].some(isSubquery);
    this.plain = all.filter((c) => !asks(c));
    this.asking = all.filter(asks);
  }

  get hasSubqueries(): boolean {
    return this.asking.length > 0;
  }

  /** The pairs for which what asks subqueries is true, with the columns they had. `at`: where a column of the scope is. */
  restrict(pairs: Plan, at: (column: number) => number = (column) => column): Plan {
    if (!this.hasSubqueries) return pairs;
    const move = (column: number) => build.column(pairs, at(column));
    const placed = (expr: Expr): Expr => {
      if (expr.kind !== "column") return mapChildren(expr, placed);
      return isSubquery(expr.index) ? expr : move(expr.index);
    };
    const exprs = this.asking.map((c) => placed(c.expr));
    const asked = this.subqueries.attach(pairs, exprs, move);
    const kept = build.filter(asked, this.subqueries.resolve(conjunction(exprs)!));
    const own = pairs.schema.fields;
    return build.project(
      kept,
      own.map((_, i) => build.column(kept, i)),
      own.map((f) => f.name),
    );
  }

  /** For joins that cannot ask them. */
  refuse(where: string): void {
    const [first] = this.asking;
    if (first !== undefined) throw notSupported(`a subquery in the condition of ${where}`, first.position);
  }
}
