/** Nodes of any kind alike: their expressions, and the same node over other inputs. */
import { unreachable } from "../base/assert.ts";
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import { aggregateExprs, mapAggregate } from "./inspect.ts";
import type { Plan, WindowFunction } from "./plan.ts";

/** The node's own expressions. */
export function exprsOf(plan: Plan): readonly Expr[] {
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

export function mapWindow(f: WindowFunction, map: (expr: Expr) => Expr): WindowFunction {
  return {
    ...f,
    args: f.args.map(map),
    aggregate: f.aggregate === null ? null : mapAggregate(f.aggregate, map),
  };
}
