/**
 * Functions that make rows of rows: of the user, series, and functions in FROM. What they are given is computed by the loop before them, as columns.
 */
import { typeToString } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { functionColumns, moveFunction, typeOf } from "../plan/inspect.ts";
import type { MapFunctionPlan, SeriesPlan, TableFunctionPlan } from "../plan/plan.ts";
import { type CompileContext, fromRows, typed } from "./compile-context.ts";
import { identityOf, identityOfRoutine } from "./identity.ts";
import type { Node } from "./node.ts";
import type { Stage } from "./operators/linear.ts";
import { MapFunction } from "./operators/map-function.ts";
import { Series } from "./operators/series.ts";
import { TableFunctionRows } from "./operators/table-function.ts";

export function mapFunctionNode(compiler: CompileContext, plan: MapFunctionPlan): Node {
  const wanted = [...new Set(functionColumns(plan.fn))].sort((a, b) => a - b);
  const input = compiler.rows(plan.input, wanted);
  const identity = `map of ${input.identity}: ${identityOf(plan)}`;
  const moved = { ...plan, fn: moveFunction(plan.fn, (c) => wanted.indexOf(c)) };
  const columns = wanted.map((c) => plan.input.schema.fields[c]!);
  return compiler.node(
    identity,
    () => new MapFunction(identity, moved, fromRows(input), columns, compiler.dictionary),
  );
}

export function seriesNode(compiler: CompileContext, plan: SeriesPlan, columns: readonly number[]): Node {
  const width = plan.input.schema.fields.length;
  const wanted = columns.filter((c) => c < width);
  const passed = wanted.map((c): Expr => build.column(plan.input, c));
  const stage: Stage = { kind: "project", exprs: [...passed, plan.start, plan.stop, plan.step] };
  const input = compiler.linear(
    plan.input,
    [stage],
    stage.exprs.map((_, i) => i),
  );
  const identity = `series of ${input.identity}`;
  const node = compiler.node(identity, () => {
    const fields = [
      ...wanted.map((c) => plan.input.schema.fields[c]!),
      ...[plan.start, plan.stop, plan.step].map(typed),
    ];
    return new Series(identity, fromRows(input), fields, typeOf(plan.start), compiler.dictionary);
  });
  const order = columns.map((c) => (c < width ? wanted.indexOf(c) : wanted.length));
  return compiler.pickedOf(node, wanted.length + 1, order);
}

export function tableFunctionNode(
  compiler: CompileContext,
  plan: TableFunctionPlan,
  columns: readonly number[],
): Node {
  const width = plan.input.schema.fields.length;
  const wanted = columns.filter((c) => c < width);
  const passed = wanted.map((c): Expr => build.column(plan.input, c));
  const stage: Stage = { kind: "project", exprs: [...passed, ...plan.args] };
  const input = compiler.linear(
    plan.input,
    [stage],
    stage.exprs.map((_, i) => i),
  );
  const own = plan.schema.fields.slice(width);
  const form = [
    typeof plan.fn === "string" ? plan.fn : identityOfRoutine(plan.fn),
    plan.args.length,
    JSON.stringify(plan.parts),
    plan.ordinality,
    plan.outer,
    ...own.map((f) => `${typeToString(f.type)}${f.nullable ? "" : " not null"}`),
  ];
  const identity = `rows of ${form.join(" ")} over ${input.identity}`;
  const node = compiler.node(identity, () => {
    const fields = [...wanted.map((c) => plan.input.schema.fields[c]!), ...plan.args.map(typed)];
    return new TableFunctionRows(identity, plan, fromRows(input), fields, compiler.dictionary);
  });
  const order = columns.map((c) => (c < width ? wanted.indexOf(c) : wanted.length + c - width));
  return compiler.pickedOf(node, wanted.length + own.length, order);
}
