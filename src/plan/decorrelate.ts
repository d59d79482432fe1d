/**
 * Subqueries and LATERAL items as joins. After Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015).
 *
 * An apply evaluates its right side R once per left row. All left rows that agree in the columns R reads get the same answer, so
 *
 *     L apply R  =  L join R' on those columns (null meeting null),   R' = R over D,   D = distinct(those columns of L)
 *
 * where "R over D" gives R's rows for each row of D, with D's columns after its own. It moves down R until what is below reads
 * nothing of L any more, and is a cross join there; on the way
 * - what was an outer column becomes a column of D,
 * - a group, a distinct, the partition of a top-k or window has D's columns too,
 * - an aggregate without GROUP BY answers also where D's row has no rows: D left-joins it, and a count is 0 then,
 * - a join of two sides that both read L joins them on D's columns too.
 *
 * Where a filter equates each of the columns with something of the subquery itself (o.customer = c.id), D is not needed: that something
 * takes its place. R' then has rows for values that no left row has; the join drops them. It must not make errors of them, so this is
 * left out where R can fail; and equal must mean the same, which it does not for 1.0 and 1.00.
 *
 * Inner applies come first, so that what an outer one sees has none.
 */
import { unreachable } from "../base/assert.ts";
import { notSupported } from "../base/errors.ts";
import { int8, type SqlType, sameType } from "../batch/types.ts";
import * as build from "./build.ts";
import type { Expr, OuterExpr } from "./expression.ts";
import { functionInfo } from "./functions.ts";
import {
  aggregateExprs,
  childrenOf,
  columnsOf,
  conjunction,
  conjuncts,
  inputsOf,
  isFallible,
  mapAggregate,
  mapChildren,
  typeOf,
} from "./inspect.ts";
import { outerJoin } from "./outer-join.ts";
import type { ApplyPlan, GroupPlan, JoinPlan, Plan, TableFunctionPlan, WindowFunction } from "./plan.ts";

/** The same rows without applies. */
export function decorrelate(plan: Plan): Plan {
  // A subquery's plan may stand in several places; each is rewritten once.
  const done = new Map<Plan, Plan>();
  const visit = (at: Plan): Plan => {
    const known = done.get(at);
    if (known !== undefined) return known;
    const over = withInputs(at, inputsOf(at).map(visit));
    const made = over.kind === "apply" ? joined(over) : over;
    done.set(at, made);
    return made;
  };
  return visit(plan);
}

function joined(apply: ApplyPlan): Plan {
  const { id, type, left, right, residual, schema } = apply;
  const columns = outerColumns(right, id);
  if (columns.length === 0) return joinOf({ type, left, right, leftKeys: [], rightKeys: [], residual });
  const simple = inlined(apply);
  if (simple !== undefined) return simple;
  const domain = build.distinct(build.projectColumns(left, columns));
  const dependent = new Dependent(id, columns, domain, canFail(right)).over(right);
  const width = right.schema.fields.length;
  const plan = joinOf({
    type,
    left,
    right: dependent,
    leftKeys: columns,
    rightKeys: columns.map((_, i) => width + i),
    nullSafe: columns.map((c) => left.schema.fields[c]!.nullable),
    residual,
  });
  const shown = schema.fields.map((_, i) => i);
  return build.project(
    plan,
    shown.map((c) => build.column(plan, c)),
    schema.fields.map((f) => f.name),
  );
}

/** A right side that reads no relation is computed beside the left row, without any join. */
function inlined({ id, type, left, right, residual, schema }: ApplyPlan): Plan | undefined {
  if (residual !== null) return undefined;
  if (type === "left" && right.kind === "tableFunction" && isBare(right.input, true)) {
    const inner = build.apply({ id, type: "inner", left, right: outerRows(right) });
    return inlined(inner);
  }
  if (!isBare(right, type === "left")) return undefined;
  const width = left.schema.fields.length;
  const over = (plan: Plan): Plan => {
    if (plan.kind === "values") return left;
    const [below] = inputsOf(plan) as [Plan];
    const input = over(below);
    const move = (e: Expr): Expr => {
      if (e.kind === "column") return build.column(input, e.index + width);
      if (e.kind === "outer" && e.apply === id) return build.column(input, e.index);
      return mapChildren(e, move);
    };
    if (plan.kind !== "project") return withInputs(plan, [input], move);
    const lefts = left.schema.fields.map((_, i) => build.column(input, i));
    const names = [...left.schema.fields, ...plan.schema.fields].map((f) => f.name);
    return build.project(input, [...lefts, ...plan.exprs.map(move)], names);
  };
  const plan = over(right);
  const names = schema.fields.map((f) => f.name);
  return build.project(
    plan,
    names.map((_, i) => build.column(plan, i)),
    names,
  );
}

/** With a row of nulls where it would give none: what a left apply asks for. */
function outerRows(plan: TableFunctionPlan): Plan {
  const ordinality = plan.ordinality ? plan.schema.fields.at(-1)!.name : null;
  return build.tableFunction(plan.input, { ...plan, ordinality, outer: true });
}

/** Whether the plan computes on one row without columns; `exactly`: and gives one row for it. */
function isBare(plan: Plan, exactly: boolean): boolean {
  switch (plan.kind) {
    case "values":
      return plan.rows.length === 1 && plan.schema.fields.length === 0;
    case "project":
      return isBare(plan.input, exactly);
    case "filter":
    case "series":
    case "tableFunction":
      return !exactly && isBare(plan.input, exactly);
    default:
      return false;
  }
}

function joinOf({ type, residual, ...spec }: build.JoinSpec & { residual: Expr | null }): Plan {
  return type === "inner" ? build.join({ type, ...spec }) : outerJoin({ type, residual, ...spec });
}

// ---- what reads the left side -----------------------------------------------------------------------------------

/** Columns of apply `id`'s left side that the plan reads, ascending. */
function outerColumns(plan: Plan, id: number): number[] {
  return [...new Set(outersOf(plan, id).map((o) => o.index))].sort((a, b) => a - b);
}

/** What the plan reads of apply `id`'s left side, as often as it does. */
export function outersOf(plan: Plan, id: number): OuterExpr[] {
  const found: OuterExpr[] = [];
  const seen = new Set<Plan>();
  const visit = (at: Plan): void => {
    if (seen.has(at)) return;
    seen.add(at);
    for (const expr of exprsOf(at)) eachOuter(expr, id, (o) => found.push(o));
    inputsOf(at).forEach(visit);
  };
  visit(plan);
  return found;
}

/** Whether the plan reads anything of apply `id`'s left side. */
export function readsOuter(plan: Plan, id: number): boolean {
  return outerColumns(plan, id).length > 0;
}

function eachOuter(expr: Expr, id: number, visit: (outer: OuterExpr) => void): void {
  if (expr.kind === "outer") {
    if (expr.apply === id) visit(expr);
  } else for (const child of childrenOf(expr)) eachOuter(child, id, visit);
}

function hasOuter(expr: Expr, id: number): boolean {
  let has = false;
  eachOuter(expr, id, () => {
    has = true;
  });
  return has;
}

/** The plan with each outer column of apply `id` replaced. */
export function mapOuter(plan: Plan, id: number, map: (outer: OuterExpr) => Expr): Plan {
  const done = new Map<Plan, Plan>();
  const replace = (e: Expr): Expr =>
    e.kind === "outer" && e.apply === id ? map(e) : mapChildren(e, replace);
  const visit = (at: Plan): Plan => {
    let made = done.get(at);
    if (made === undefined) done.set(at, (made = withInputs(at, inputsOf(at).map(visit), replace)));
    return made;
  };
  return readsOuter(plan, id) ? visit(plan) : plan;
}

function canFail(plan: Plan): boolean {
  return exprsOf(plan).some(isFallible) || inputsOf(plan).some(canFail);
}

/** The node's own expressions. */
function exprsOf(plan: Plan): readonly Expr[] {
  switch (plan.kind) {
    case "filter":
      return [plan.predicate];
    case "project":
      return plan.exprs;
    case "series":
      return [plan.start, plan.stop, plan.step];
    case "tableFunction":
      return plan.args;
    case "apply":
      return plan.residual === null ? [] : [plan.residual];
    case "group":
      return [...plan.keys, ...plan.aggregates.flatMap(aggregateExprs)];
    case "window":
      return plan.functions.flatMap((f) => [
        ...f.args,
        ...(f.aggregate === null ? [] : aggregateExprs(f.aggregate)),
      ]);
    case "temporal":
      return [plan.from, plan.until].filter((e) => e !== null);
    case "source":
    case "values":
    case "mapFunction":
    case "join":
    case "asOfJoin":
    case "distinct":
    case "union":
    case "setOperation":
    case "topK":
    case "recursive":
    case "recursiveRef":
      return [];
    default:
      return unreachable(plan);
  }
}

/** The node over other inputs of the same shape, with its expressions replaced. */
export function withInputs(plan: Plan, inputs: readonly Plan[], map: (expr: Expr) => Expr = (e) => e): Plan {
  const [first, second] = inputs as [Plan, Plan];
  const names = plan.schema.fields.map((f) => f.name);
  switch (plan.kind) {
    case "source":
    case "values":
    case "recursiveRef":
      return plan;
    case "filter":
      return build.filter(first, map(plan.predicate));
    case "project":
      return build.project(first, plan.exprs.map(map), names);
    case "mapFunction":
      return build.mapFunction(first, plan.fn, plan.flat, plan.schema.fields);
    case "series":
      return build.series(first, map(plan.start), map(plan.stop), map(plan.step), names.at(-1)!);
    case "tableFunction":
      return build.tableFunction(first, {
        ...plan,
        args: plan.args.map(map),
        ordinality: plan.ordinality ? names.at(-1)! : null,
      });
    case "join":
      return build.join({ ...plan, left: first, right: second });
    case "apply":
      return build.apply({ ...plan, left: first, right: second, residual: mapped(plan.residual, map) });
    case "asOfJoin":
      return build.asOfJoin({ ...plan, left: first, right: second });
    case "group":
      return build.group(
        first,
        plan.keys.map(map),
        plan.aggregates.map((a) => mapAggregate(a, map)),
        names,
        plan.key ?? undefined,
      );
    case "distinct":
      return build.distinct(first);
    case "union":
      return build.union(inputs);
    case "setOperation":
      return build.setOperation({ ...plan, left: first, right: second });
    case "topK":
      return build.topK(first, plan);
    case "window":
      return build.window(
        first,
        { ...plan, functions: plan.functions.map((f) => mapWindow(f, map)) },
        names.slice(plan.input.schema.fields.length),
      );
    case "recursive":
      return build.recursive({ ...plan, base: first, step: second });
    case "temporal":
      return build.temporal(first, mapped(plan.from, map), mapped(plan.until, map));
    default:
      return unreachable(plan);
  }
}

function mapped(expr: Expr | null, map: (expr: Expr) => Expr): Expr | null {
  return expr === null ? null : map(expr);
}

function mapWindow(f: WindowFunction, map: (expr: Expr) => Expr): WindowFunction {
  return {
    ...f,
    args: f.args.map(map),
    aggregate: f.aggregate === null ? null : mapAggregate(f.aggregate, map),
  };
}

// ---- R over D ---------------------------------------------------------------------------------------------------

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

class Dependent {
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
