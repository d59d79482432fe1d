/**
 * GROUP BY: expressions bound over the ungrouped rows, turned into expressions over the groups.
 *
 * While they are bound, an aggregate is stood for by a column numbered from AGGREGATES on. Afterwards each expression is walked from the
 * top: a part that equals a group key is that key's column, an aggregate's stand-in its column, and a column left over is an
 * error, unless it belongs to a table whose primary key is grouped by: then it is the same in all rows of a group and
 * becomes one more key.
 */
import { EvertError } from "../base/errors.ts";
import type { SqlType } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { ColumnExpr, Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { mapChildren, nullableOf, typeOf } from "../plan/inspect.ts";
import type { Aggregate, Plan } from "../plan/plan.ts";
import type { BindContext } from "./context.ts";
import type { AggregateSink } from "./place.ts";
import type { Scope } from "./scope.ts";
import { AGGREGATES, isSubquery, isWindow } from "./stand-ins.ts";

export class Grouping implements AggregateSink {
  private readonly scope: Scope;
  private readonly ctx: BindContext;
  private readonly keys: Expr[] = [];
  private readonly keyAt = new Map<string, number>();
  private readonly aggregates: Aggregate[] = [];
  private readonly aggregateAt = new Map<string, number>();

  constructor(scope: Scope, ctx: BindContext) {
    this.scope = scope;
    this.ctx = ctx;
  }

  get hasAggregates(): boolean {
    return this.aggregates.length > 0;
  }

  add(aggregate: Aggregate): Expr {
    const { fn, arg, filter, type } = aggregate;
    const name = [fn, arg === null ? "*" : exprKey(arg), filter === null ? "" : exprKey(filter)].join(" ");
    let at = this.aggregateAt.get(name);
    if (at === undefined) {
      at = this.aggregates.push(aggregate) - 1;
      this.aggregateAt.set(name, at);
    }
    return { kind: "column", index: AGGREGATES + at, type, nullable: true };
  }

  addKey(expr: Expr): void {
    const name = exprKey(expr);
    if (!this.keyAt.has(name)) this.keyAt.set(name, this.keys.push(expr) - 1);
  }

  /** The expression over the groups, before it is known how many keys there will be. */
  over(expr: Expr): Expr {
    const at = this.keyAt.get(exprKey(expr));
    if (at !== undefined)
      return { kind: "column", index: at, type: typeOf(expr), nullable: nullableOf(expr) };
    if (expr.kind !== "column") return mapChildren(expr, (child) => this.over(child));
    if (expr.index >= AGGREGATES) return expr;
    return this.dependent(expr);
  }

  /** Everything that is evaluated before the rows are grouped. */
  inputs(): Expr[] {
    const args = this.aggregates.flatMap(({ arg, filter }) => [arg, filter]).filter((e) => e !== null);
    return [...this.keys, ...args];
  }

  /** What a column of the ungrouped rows is over the groups, for a subquery that reads it. */
  outer(index: number, type: SqlType, nullable: boolean): Expr {
    if (index >= AGGREGATES) return { kind: "column", index, type, nullable };
    const column: ColumnExpr = { kind: "column", index, type, nullable };
    if (!this.keyAt.has(exprKey(column)) && !this.isDetermined(column)) {
      const message = `subquery uses ungrouped column "${this.nameOf(index)}" from outer query`;
      throw new EvertError("grouping_error", message);
    }
    return this.over(column);
  }

  /** The grouped plan, and what makes an expression of over() one over it. `resolve`: of expressions over the input. */
  finish(input: Plan, resolve: (expr: Expr) => Expr): { plan: Plan; place: (expr: Expr) => Expr } {
    const keys = this.keys.map(resolve);
    const aggregates = this.aggregates.map((a) => ({
      ...a,
      arg: a.arg === null ? null : resolve(a.arg),
      filter: a.filter === null ? null : resolve(a.filter),
    }));
    const names = [...keys.map((k) => keyName(k, input)), ...aggregates.map((a) => a.fn)];
    const plan = build.group(input, keys, aggregates, names, this.determining());
    const at = (index: number) => (index >= AGGREGATES ? index - AGGREGATES + this.keys.length : index);
    const place = (expr: Expr): Expr => {
      if (expr.kind !== "column") return mapChildren(expr, place);
      return isSubquery(expr) || isWindow(expr) ? expr : build.column(plan, at(expr.index));
    };
    return { plan, place };
  }

  private dependent(column: ColumnExpr): Expr {
    if (!this.isDetermined(column)) throw this.ungrouped(column);
    this.addKey(column);
    return this.over(column);
  }

  /** Whether the column belongs to a table all of whose primary key is grouped by, and is not part of that key. */
  private isDetermined(column: ColumnExpr): boolean {
    return this.scope.tables.some(
      ({ key, columns }) =>
        key !== null &&
        key.length > 0 &&
        columns.some((c, i) => isColumn(c.expr, column.index) && !key.includes(i)) &&
        key.every((k) => this.keyAt.has(exprKey(columns[k]!.expr))),
    );
  }

  /** The keys that the others follow from. */
  private determining(): number[] {
    const all = this.keys.map((_, i) => i);
    return all.filter((i) => {
      const key = this.keys[i]!;
      return key.kind !== "column" || !this.isDetermined(key);
    });
  }

  private ungrouped(column: ColumnExpr): EvertError {
    const mention = this.ctx.mentions.get(column);
    const name = mention?.name ?? this.nameOf(column.index);
    const message = `column "${name}" must appear in the GROUP BY clause or be used in an aggregate function`;
    return new EvertError("grouping_error", message, { position: mention?.position });
  }

  private nameOf(index: number): string {
    const column = this.scope.columns.find((c) => isColumn(c.expr, index));
    return column === undefined ? "?column?" : `${column.table}.${column.name}`;
  }
}

function isColumn(expr: Expr, index: number): boolean {
  return expr.kind === "column" && expr.index === index;
}

function keyName(key: Expr, input: Plan): string {
  return key.kind === "column" ? input.schema.fields[key.index]!.name : "?column?";
}
