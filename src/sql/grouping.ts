/**
 * GROUP BY: expressions bound over the ungrouped rows, turned into expressions over the groups.
 *
 * While they are bound, an aggregate is stood for by a column numbered from AGGREGATES on. Afterwards each expression is walked from the
 * top: a part that equals a group key is that key's column, an aggregate's stand-in its column, and a column left over is an
 * error, unless it belongs to a table whose primary key is grouped by: then it is the same in all rows of a group and
 * becomes one more key.
 *
 * GROUPING SETS: a group for each set, over the keys that are in it, the other keys null; all of them together. What GROUPING() says is
 * a constant of each set.
 */
import { EvertError } from "../base/errors.ts";
import { int4 } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { ColumnExpr, Expr, OuterExpr } from "../plan/expression.ts";
import { aggregateKey, exprKey } from "../plan/fingerprint.ts";
import { aggregateExprs, mapAggregate, mapChildren, nullableOf, typeOf } from "../plan/inspect.ts";
import type { Aggregate, Plan } from "../plan/plan.ts";
import type { BindContext } from "./context.ts";
import type { AggregateSink } from "./place.ts";
import type { Scope } from "./scope.ts";
import { AGGREGATES, GROUPINGS, isRowFunctionValue, isSubquery, isWindow } from "./stand-ins.ts";

export class Grouping implements AggregateSink {
  private readonly scope: Scope;
  private readonly ctx: BindContext;
  private readonly keys: Expr[] = [];
  private readonly keyAt = new Map<string, number>();
  /** Keys that are outputs, where there are sets: of two outputs that are alike, each has a key of its own. */
  private readonly outputAt = new Map<Expr, number>();
  private readonly aggregates: Aggregate[] = [];
  private readonly aggregateAt = new Map<string, number>();
  private readonly groupings: { readonly args: readonly Expr[]; readonly position: number | undefined }[] =
    [];
  /** Keys by set; null: one set of all of them. */
  private sets: number[][] | null = null;

  /** Where the first aggregate stands. */
  firstAt: number | undefined;
  readonly hasSets: boolean;

  /** `hasSets`: whether GROUPING SETS, ROLLUP or CUBE will say what is grouped by. */
  constructor(scope: Scope, ctx: BindContext, hasSets: boolean) {
    this.scope = scope;
    this.ctx = ctx;
    this.hasSets = hasSets;
  }

  get hasAggregates(): boolean {
    return this.aggregates.length > 0 || this.groupings.length > 0;
  }

  add(aggregate: Aggregate, position: number | undefined): Expr {
    this.firstAt ??= position;
    const { type } = aggregate;
    const name = aggregateKey(aggregate);
    let at = this.aggregateAt.get(name);
    if (at === undefined) {
      at = this.aggregates.push(aggregate) - 1;
      this.aggregateAt.set(name, at);
    }
    return { kind: "column", index: AGGREGATES + at, type, nullable: true };
  }

  grouping(args: readonly Expr[], position: number | undefined): Expr {
    const at = this.groupings.push({ args, position }) - 1;
    return { kind: "column", index: GROUPINGS + at, type: int4, nullable: false };
  }

  /** The keys, and how they are grouped by: each set a list of keys. `outputs`: what is selected. */
  setKeys(sets: readonly (readonly Expr[])[], outputs: ReadonlySet<Expr>): void {
    const keyOf = (expr: Expr): number =>
      this.hasSets && outputs.has(expr) ? this.addOutput(expr) : this.addKey(expr);
    const all = sets.map((set) => [...new Set(set.map(keyOf))]);
    if (all.length !== 1) this.sets = all;
  }

  private addOutput(expr: Expr): number {
    let at = this.outputAt.get(expr);
    if (at !== undefined) return at;
    const known = this.keyAt.get(exprKey(expr));
    const isFree = known !== undefined && ![...this.outputAt.values()].includes(known);
    at = isFree ? known : this.keys.push(expr) - 1;
    if (known === undefined) this.keyAt.set(exprKey(expr), at);
    this.outputAt.set(expr, at);
    return at;
  }

  private addKey(expr: Expr): number {
    const name = exprKey(expr);
    let at = this.keyAt.get(name);
    if (at === undefined) this.keyAt.set(name, (at = this.keys.push(expr) - 1));
    return at;
  }

  /** The expression over the groups, before it is known how many keys there will be. */
  over(expr: Expr, top = true): Expr {
    const at = (top ? this.outputAt.get(expr) : undefined) ?? this.keyAt.get(exprKey(expr));
    // A constant within something is itself, also where a set leaves out a key that is the same constant.
    if (at !== undefined && (top || expr.kind !== "const"))
      return { kind: "column", index: at, type: typeOf(expr), nullable: nullableOf(expr) };
    const test = this.ctx.rowTests.get(expr);
    // Of a row that is a key the fields need not be keys.
    if (test !== undefined && this.keyAt.has(exprKey(test.row))) return test.of(this.over(test.row, false));
    if (expr.kind !== "column") return mapChildren(expr, (child) => this.over(child, false));
    if (expr.index >= AGGREGATES) return expr;
    return this.dependent(expr);
  }

  /** Everything that is evaluated before the rows are grouped. */
  inputs(): Expr[] {
    return [...this.keys, ...this.aggregates.flatMap(aggregateExprs)];
  }

  /** What a column of the ungrouped rows is over the groups, for a subquery that reads it. */
  outer(read: OuterExpr): Expr {
    const { index, type, nullable } = read;
    if (index >= AGGREGATES) return { kind: "column", index, type, nullable };
    const column: ColumnExpr = { kind: "column", index, type, nullable };
    if (!this.keyAt.has(exprKey(column)) && !this.isDetermined(column)) {
      const mention = this.ctx.mentions.get(read);
      if (mention?.isTested) throw this.ungrouped(column, mention);
      const message = `subquery uses ungrouped column "${this.nameOf(index)}" from outer query`;
      throw new EvertError("grouping_error", message, { position: this.ctx.mentions.get(read)?.position });
    }
    return this.over(column);
  }

  /** The grouped plan, and what makes an expression of over() one over it. `resolve`: of expressions over the input. */
  finish(input: Plan, resolve: (expr: Expr) => Expr): { plan: Plan; place: (expr: Expr) => Expr } {
    const keys = this.keys.map(resolve);
    const aggregates = this.aggregates.map((a) => mapAggregate(a, resolve));
    const names = [...keys.map((k) => keyName(k, input)), ...aggregates.map((a) => a.fn)];
    const masks = this.groupings.map((g) => this.maskOf(g));
    const plan =
      this.sets === null
        ? build.group(input, keys, aggregates, names, this.determining(keys.map((_, i) => i)))
        : build.union(this.sets.map((set) => this.groupBySet(set, input, keys, aggregates, names, masks)));
    const at = (index: number) => (index >= AGGREGATES ? index - AGGREGATES + this.keys.length : index);
    const place = (expr: Expr): Expr => {
      if (expr.kind !== "column") return mapChildren(expr, place);
      if (isSubquery(expr.index) || isWindow(expr) || isRowFunctionValue(expr)) return expr;
      if (expr.index < GROUPINGS) return build.column(plan, at(expr.index));
      // One set: all keys are in it.
      if (this.sets === null) return build.constant(0, int4);
      return build.column(plan, names.length + expr.index - GROUPINGS);
    };
    return { plan, place };
  }

  /** The group of one set, with the columns of all: keys, aggregates, GROUPING()s. */
  private groupBySet(
    set: readonly number[],
    input: Plan,
    keys: readonly Expr[],
    aggregates: readonly Aggregate[],
    names: readonly string[],
    masks: readonly ((set: readonly number[]) => number)[],
  ): Plan {
    const own = [...set.map((k) => names[k]!), ...names.slice(keys.length)];
    const grouped = build.group(
      input,
      set.map((k) => keys[k]!),
      aggregates,
      own,
      this.determining(set),
    );
    const exprs = [
      ...keys.map((key, k): Expr => {
        const at = set.indexOf(k);
        return at >= 0 ? build.column(grouped, at) : { kind: "const", value: null, type: typeOf(key) };
      }),
      ...aggregates.map((_, i) => build.column(grouped, set.length + i)),
      ...masks.map((mask) => build.constant(mask(set), int4)),
    ];
    return build.project(grouped, exprs, [...names, ...masks.map(() => "grouping")]);
  }

  /** A bit for each argument that is not in the set, the last argument's the least. */
  private maskOf({ args, position }: (typeof this.groupings)[number]): (set: readonly number[]) => number {
    const asked = args.map((arg) => {
      const key = this.keyAt.get(exprKey(arg));
      if (key !== undefined) return key;
      const message = "arguments to GROUPING must be grouping expressions of the associated query level";
      throw new EvertError("grouping_error", message, { position });
    });
    return (set) => asked.reduce((mask, key) => (mask << 1) | (set.includes(key) ? 0 : 1), 0);
  }

  private dependent(column: ColumnExpr): Expr {
    if (!this.isDetermined(column)) throw this.ungrouped(column);
    const key = this.addKey(column);
    for (const set of this.sets ?? []) set.push(key);
    return this.over(column);
  }

  /** Whether the column belongs to a table all of whose primary key is grouped by, and is not part of that key. */
  private isDetermined(column: ColumnExpr): boolean {
    return this.scope.tables.some(
      ({ key, columns }) =>
        key !== null &&
        key.length > 0 &&
        columns.some((c, i) => isColumn(c.expr, column.index) && !key.includes(i)) &&
        key.every((k) => this.isInAllSets(this.keyAt.get(exprKey(columns[k]!.expr)))),
    );
  }

  private isInAllSets(key: number | undefined): boolean {
    return key !== undefined && (this.sets?.every((set) => set.includes(key)) ?? true);
  }

  /** Places in the set of the keys that the others follow from. */
  private determining(set: readonly number[]): number[] {
    const all = set.map((_, i) => i);
    return all.filter((i) => {
      const key = this.keys[set[i]!]!;
      return key.kind !== "column" || !this.isDetermined(key);
    });
  }

  private ungrouped(column: ColumnExpr, mention = this.ctx.mentions.get(column)): EvertError {
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
