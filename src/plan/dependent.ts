/**
 * "R over D": a plan's rows for each row of a domain, with the domain's columns after its own. How it moves down is at the head of decorrelate.ts.
 */
import { unreachable } from "../base/assert.ts";
import { notSupported } from "../base/errors.ts";
import { int8, type SqlType, sameType } from "../batch/types.ts";
import * as build from "./build.ts";
import type { Expr, OuterExpr } from "./expression.ts";
import { functionInfo } from "./functions.ts";
import { columnsOf, conjunction, conjuncts, mapAggregate, mapChildren, typeOf } from "./inspect.ts";
import { mapWindow, withInputs } from "./nodes.ts";
import { hasOuter, readsOuter } from "./outer-columns.ts";
import type { GroupPlan, JoinPlan, Plan } from "./plan.ts";

/**
 * The plan once for each row of `domain`, whose columns follow its own. It reads them as outer columns 0, 1 ... of apply `id`; values that
 * the domain does not have, its rows do not have either.
 */
export function overDomain(plan: Plan, id: number, domain: Plan): Plan {
  return new Dependent(
    id,
    domain.schema.fields.map((_, i) => i),
    domain,
    false,
  ).over(plan);
}

export class Dependent {
  private readonly id: number;
  /** Columns of the left side, in the order in which they stand behind a plan's own. */
  private readonly columns: readonly number[];
  private readonly domain: Plan;
  private readonly fallible: boolean;
  private readonly done = new Map<Plan, Plan>();

  constructor(id: number, columns: readonly number[], domain: Plan, fallible: boolean) {
    this.id = id;
    this.columns = columns;
    this.domain = domain;
    this.fallible = fallible;
  }

  /** The plan's columns, then the domain's. */
  over(plan: Plan): Plan {
    let made = this.done.get(plan);
    if (made === undefined) this.done.set(plan, (made = this.make(plan)));
    return made;
  }

  private make(plan: Plan): Plan {
    if (!readsOuter(plan, this.id)) return this.crossed(plan);
    const width = plan.schema.fields.length;
    switch (plan.kind) {
      case "filter":
        return this.equated(plan) ?? this.carried(plan);
      case "project": {
        const input = this.over(plan.input);
        return this.project(input, plan.exprs.map(this.moved(plan.input)), plan, this.domainOf(plan.input));
      }
      case "series":
      case "tableFunction": {
        const input = this.over(plan.input);
        const made = withInputs(plan, [input], this.moved(plan.input));
        const before = plan.input.schema.fields.length;
        const own = plan.schema.fields.map((_, i) => (i < before ? i : i + this.columns.length));
        return this.picked(made, own, plan, this.domainOf(plan.input));
      }
      case "join":
        return this.join(plan);
      case "group":
        return plan.keys.length === 0 ? this.total(plan) : this.group(plan);
      case "distinct":
        return build.distinct(this.over(plan.input));
      case "union":
        return build.union(plan.inputs.map((input) => this.over(input)));
      case "setOperation":
        return build.setOperation({ ...plan, left: this.over(plan.left), right: this.over(plan.right) });
      case "topK":
        return build.topK(this.over(plan.input), {
          ...plan,
          partition: [...plan.partition, ...this.domainOf(plan.input)],
          key: plan.key === null ? null : [...plan.key, ...this.domainOf(plan.input)],
        });
      case "window": {
        const input = this.over(plan.input);
        const domain = this.domainOf(plan.input);
        const functions = plan.functions.map((f) => mapWindow(f, this.moved(plan.input)));
        const before = plan.input.schema.fields.length;
        const names = plan.schema.fields.slice(before).map((f) => f.name);
        const made = build.window(
          input,
          { ...plan, functions, partition: [...plan.partition, ...domain] },
          names,
        );
        const own = plan.schema.fields.map((_, i) => (i < before ? i : i + this.columns.length));
        return this.picked(made, own, plan, domain);
      }
      case "temporal":
        return this.carried(plan);
      case "mapFunction":
        throw notSupported("a correlated subquery over a function in TypeScript");
      case "asOfJoin":
        throw notSupported("a correlated subquery with an as-of join");
      case "recursive":
      case "recursiveRef":
        throw notSupported("a correlated subquery with WITH RECURSIVE");
      case "source":
      case "values":
      case "apply":
        throw new Error(`${plan.kind} with ${width} columns reads no outer ones`);
      default:
        return unreachable(plan);
    }
  }

  /** Where the domain's columns stand in over(plan). */
  private domainOf(plan: Plan): number[] {
    return this.columns.map((_, i) => plan.schema.fields.length + i);
  }

  /** An expression of a node over `input`, as one over over(input). */
  private moved(input: Plan): (expr: Expr) => Expr {
    const over = this.over(input);
    const at = this.domainOf(input);
    return (expr) => this.replaced(expr, (o) => build.column(over, at[this.columns.indexOf(o.index)]!));
  }

  private replaced(expr: Expr, by: (outer: OuterExpr) => Expr): Expr {
    const replace = (e: Expr): Expr =>
      e.kind === "outer" && e.apply === this.id ? by(e) : mapChildren(e, replace);
    return replace(expr);
  }

  /** A node that lets its input's columns through as they are. */
  private carried(plan: Plan & { kind: "filter" | "temporal" }): Plan {
    return withInputs(plan, [this.over(plan.input)], this.moved(plan.input));
  }

  private crossed(plan: Plan): Plan {
    return build.join({ type: "inner", left: plan, right: this.domain, leftKeys: [], rightKeys: [] });
  }

  /** `exprs` under the plan's names, then the domain's columns, which stand in `input` at `domain`. */
  private project(input: Plan, exprs: readonly Expr[], plan: Plan, domain: readonly number[]): Plan {
    const own = domain.map((c) => build.column(input, c));
    const names = [...plan.schema.fields, ...this.domain.schema.fields].map((f) => f.name);
    return build.project(input, [...exprs, ...own], names);
  }

  private picked(input: Plan, columns: readonly number[], plan: Plan, domain: readonly number[]): Plan {
    const exprs = columns.map((c) => build.column(input, c));
    return this.project(input, exprs, plan, domain);
  }

  /** A filter that gives each outer column an equal of its own: no domain is needed. */
  private equated(plan: Plan & { kind: "filter" }): Plan | undefined {
    const { input } = plan;
    if (this.fallible || readsOuter(input, this.id)) return undefined;
    const equals = new Map<number, Expr>();
    const all = conjuncts(plan.predicate);
    for (const c of all) {
      const pair = this.equality(c);
      if (pair !== undefined && !equals.has(pair.outer)) equals.set(pair.outer, pair.own);
    }
    if (this.columns.some((c) => !equals.has(c))) return undefined;
    const predicates = all.map((c) => this.replaced(c, (o) => equals.get(o.index)!));
    const filtered = build.filter(input, conjunction(predicates)!);
    const own = input.schema.fields.map((_, i) => build.column(filtered, i));
    return build.project(
      filtered,
      [...own, ...this.columns.map((c) => equals.get(c)!)],
      [...input.schema.fields, ...this.domain.schema.fields].map((f) => f.name),
    );
  }

  private equality(expr: Expr): { outer: number; own: Expr } | undefined {
    if (expr.kind !== "call" || functionInfo(expr.fn).op !== "=") return undefined;
    const [a, b] = expr.args as [Expr, Expr];
    const [outer, own] = a.kind === "outer" ? [a, b] : [b, a];
    if (outer.kind !== "outer" || outer.apply !== this.id || hasOuter(own, this.id)) return undefined;
    if (!sameType(outer.type, typeOf(own)) || !equalIsSame(outer.type) || columnsOf(own).size === 0)
      return undefined;
    return { outer: outer.index, own };
  }

  private join(plan: JoinPlan): Plan {
    const { left, right, type } = plan;
    const [readsLeft, readsRight] = [readsOuter(left, this.id), readsOuter(right, this.id)];
    if (type === "inner" && !readsRight) return this.joinSides(plan, this.over(left), right);
    if (type === "inner" && !readsLeft) return this.joinSides(plan, left, this.over(right));
    // Rows without a match must be known by the left row and the domain's row, so the left side carries it.
    const rights = type === "full" || readsRight ? this.over(right) : right;
    return this.joinSides(plan, this.over(left), rights);
  }

  /** The join of sides, each of which may carry the domain; where both do they agree in it. */
  private joinSides(plan: JoinPlan, left: Plan, right: Plan): Plan {
    const [leftWidth, rightWidth] = [plan.left.schema.fields.length, plan.right.schema.fields.length];
    const inLeft = left !== plan.left;
    const inRight = right !== plan.right;
    const shift = inLeft ? this.columns.length : 0;
    const leftDomain = this.columns.map((_, i) => leftWidth + i);
    const rightDomain = this.columns.map((_, i) => leftWidth + shift + rightWidth + i);
    const both = inLeft && inRight;
    const spec = {
      type: plan.type,
      left,
      right,
      leftKeys: [...plan.leftKeys, ...(both ? leftDomain : [])],
      rightKeys: [...plan.rightKeys, ...(both ? this.domainOf(plan.right) : [])],
      nullSafe: [...plan.nullSafe, ...(both ? this.domain.schema.fields.map((f) => f.nullable) : [])],
    };
    const made = build.join(spec);
    const domain = inLeft ? leftDomain : rightDomain;
    const own = plan.schema.fields.map((_, i) => (i < leftWidth ? i : i + shift));
    if (plan.type !== "full") return this.picked(made, own, plan, domain);
    const exprs = own.map((c) => build.column(made, c));
    const either = leftDomain.map((c, i): Expr => {
      const args = [build.column(made, c), build.column(made, rightDomain[i]!)];
      return { kind: "coalesce", args, type: args[0]!.type };
    });
    const names = [...plan.schema.fields, ...this.domain.schema.fields].map((f) => f.name);
    return build.project(made, [...exprs, ...either], names);
  }

  private group(plan: GroupPlan): Plan {
    const input = this.over(plan.input);
    const moved = this.moved(plan.input);
    const domain = this.domainOf(plan.input);
    const keys = [...plan.keys.map(moved), ...domain.map((c) => build.column(input, c))];
    const own = plan.schema.fields.map((f) => f.name);
    const count = plan.keys.length;
    const names = [
      ...own.slice(0, count),
      ...this.domain.schema.fields.map((f) => f.name),
      ...own.slice(count),
    ];
    const determining = [...(plan.key ?? []), ...domain.map((_, i) => count + i)];
    const aggregates = plan.aggregates.map((a) => mapAggregate(a, moved));
    const made = build.group(input, keys, aggregates, names, determining);
    const shown = plan.schema.fields.map((_, i) => (i < count ? i : i + domain.length));
    return this.picked(
      made,
      shown,
      plan,
      domain.map((_, i) => count + i),
    );
  }

  /** An aggregate without GROUP BY has an answer for each row of the domain, also over nothing. */
  private total(plan: GroupPlan): Plan {
    const grouped = this.group(plan);
    const { domain } = this;
    const width = plan.schema.fields.length;
    const made = build.join({
      type: "left",
      left: domain,
      right: grouped,
      leftKeys: this.columns.map((_, i) => i),
      rightKeys: this.columns.map((_, i) => width + i),
      nullSafe: domain.schema.fields.map((f) => f.nullable),
    });
    const exprs = plan.aggregates.map((a, i): Expr => {
      const value = build.column(made, this.columns.length + i);
      if (a.fn === "reduce") throw notSupported("a correlated subquery with a reducer");
      if (a.fn !== "count" && a.fn !== "regr_count") return value;
      return { kind: "coalesce", args: [value, build.constant(0n, int8)], type: int8 };
    });
    return this.project(
      made,
      exprs,
      plan,
      this.columns.map((_, i) => i),
    );
  }
}

/** Whether two equal values of the type look the same everywhere. */
function equalIsSame(type: SqlType): boolean {
  return (
    type.name === "int4" ||
    type.name === "int8" ||
    type.name === "text" ||
    type.name === "bool" ||
    type.name === "timestamptz"
  );
}
