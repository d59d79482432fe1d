/**
 * Filters and projects in a row become one loop.
 *
 * 1. The chain that the plan ends in is followed down to the next operator with state, or to what another thread keeps.
 * 2. Projects to plain columns at its end need no loop: they say which columns are wanted of what is below.
 * 3. Where one of the others can fail, all columns are computed, whoever wants which of them: a row that fails shall fail once.
 * 4. Conditions and columns that the rest does not need are not computed; what is left is in one Linear, or in the join below, which computes it as
 *    it finds its rows.
 */
import type { Expr } from "../plan/expression.ts";
import { mayTakeLong } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import { textsDownTo, textsWith } from "./about.ts";
import { type CompileContext, fromRows } from "./compile-context.ts";
import { joinNode, takesStages } from "./compile-join.ts";
import { identityOf } from "./identity.ts";
import type { Node } from "./node.ts";
import { Linear, liveColumns, type Stage, someExpr } from "./operators/linear.ts";
import { SlowLinear } from "./operators/slow-linear.ts";
import { isPlain, moveFirst, stageIsFallible, stageOf, stagesIdentity, widthOf } from "./stages.ts";

/** Gives the rows that a chain of filters and projects begins with. */
type Base = (plan: Plan, columns: readonly number[]) => Node;

/** `stages` over the plan's rows, fused with the filters and projects that it ends in; pushes these columns. */
export function linearNode(
  context: CompileContext,
  plan: Plan,
  stages: readonly Stage[],
  columns: readonly number[],
  base: Base,
): Node {
  const name = stagesIdentity(stages);
  let all = [...stages];
  let at = plan;
  while ((at.kind === "filter" || at.kind === "project") && !context.isCut(at)) {
    all = [stageOf(at), ...all];
    at = at.input;
  }
  // Plain columns of plain columns need no loop.
  while (all.length > 0 && isPlain(all[all.length - 1]!)) {
    const last = all.pop() as Stage & { kind: "project" };
    columns = columns.map((c) => (last.exprs[c] as Expr & { kind: "column" }).index);
  }
  if (all.length === 0) return base(at, columns);
  const width = widthOf(at, all);
  if (columns.length < width && all.some(stageIsFallible)) {
    // Whoever wants which columns: a row that fails shall fail once.
    const whole = fusedNode(
      context,
      plan,
      name,
      at,
      all,
      Array.from({ length: width }, (_, c) => c),
      base,
    );
    return context.pickedOf(whole, width, columns);
  }
  return fusedNode(context, plan, name, at, all, columns, base);
}

function fusedNode(
  context: CompileContext,
  plan: Plan,
  name: string,
  at: Plan,
  all: readonly Stage[],
  columns: readonly number[],
  base: Base,
): Node {
  const live = liveColumns(all, columns);
  const wanted = [...live[0]!].sort((a, b) => a - b);
  const moved = moveFirst(all, columns, (c) => wanted.indexOf(c));
  if (takesStages(at, all)) {
    const identity = `through ${identityOf(plan)} ${name} [${columns}]`;
    const join = joinNode(context, at, wanted, { identity, stages: moved });
    if (join.about.length === 0) join.about = textsWith(plan, at);
    return join;
  }
  const input = base(at, wanted);
  const identity = `linear of ${input.identity}: ${identityOf(plan)} ${name} [${columns}]`;
  return context.node(identity, () => {
    const fields = at.schema.fields;
    const spec = {
      identity,
      label: `filter and project over ${input.label}`,
      input: wanted.map((c) => fields[c]!),
      stages: moved.stages,
      columns: moved.columns,
    };
    const Kind = someExpr(spec.stages, mayTakeLong) ? SlowLinear : Linear;
    const linear = new Kind(spec, fromRows(input), context.dictionary);
    linear.about = textsDownTo(plan, at);
    return linear;
  });
}
