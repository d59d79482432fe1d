/** Joins: on equal keys, both inputs stored; as of each record's commit, where the left side passes by and the right side's changes do. */
import { isFallible, mayHang, mayTakeLong } from "../plan/inspect.ts";
import type { AsOfJoinPlan, JoinPlan, Plan } from "../plan/plan.ts";
import { checkAsOfJoin } from "../plan/refused.ts";
import { type CompileContext, distinctOf, fromRows } from "./compile-context.ts";
import { identityOf } from "./identity.ts";
import type { Node } from "./node.ts";
import { AsOfJoin } from "./operators/as-of-join.ts";
import { Join, type PairStages } from "./operators/join.ts";
import type { JoinOutput } from "./operators/join-code.ts";
import { type Stage, someExpr } from "./operators/linear.ts";

/** Filters and projections over a join, as part of it. */
export interface StagedJoin {
  readonly identity: string;
  /** Over the join's columns that are asked for, in their order. */
  readonly stages: PairStages;
}

/** Whether the loop that takes the join's rows may be part of the join: it lets some rows pass only, and none can fail or hold it up. */
export function takesStages(plan: Plan, stages: readonly Stage[]): plan is JoinPlan {
  const [first] = stages;
  if (plan.kind !== "join" || plan.type !== "inner" || first?.kind !== "filter") return false;
  return !someExpr(stages, (expr) => isFallible(expr) || mayHang(expr) || mayTakeLong(expr));
}

export function joinNode(
  compiler: CompileContext,
  plan: JoinPlan,
  columns: readonly number[],
  staged: StagedJoin | null = null,
): Node {
  const { type } = plan;
  const width = plan.left.schema.fields.length;
  const left = compiler.stored(plan.left, [...columns.filter((c) => c < width), ...plan.leftKeys]);
  const right = compiler.stored(plan.right, [
    ...columns.filter((c) => c >= width).map((c) => c - width),
    ...plan.rightKeys,
  ]);
  const joined = `join of ${left.node.identity} and ${right.node.identity}: ${identityOf(plan)} [${columns}]`;
  const identity = staged === null ? joined : `${joined} ${staged.identity}`;
  return compiler.node(identity, () => {
    const outputs = columns.map(
      (c): JoinOutput =>
        c < width
          ? { side: "left", column: left.columns[c]! }
          : { side: "right", column: right.columns[c - width]! },
    );
    const l = { node: left.node, keys: plan.leftKeys.map((k) => left.columns[k]!) };
    const r = { node: right.node, keys: plan.rightKeys.map((k) => right.columns[k]!) };
    return new Join(identity, type, l, r, plan.nullSafe, outputs, staged?.stages ?? null);
  });
}

export function asOfJoinNode(compiler: CompileContext, plan: AsOfJoinPlan, columns: readonly number[]): Node {
  checkAsOfJoin(plan);
  const width = plan.left.schema.fields.length;
  const leftColumns = distinctOf([...columns.filter((c) => c < width), ...plan.leftKeys]);
  const rightColumns = distinctOf([
    ...columns.filter((c) => c >= width).map((c) => c - width),
    ...plan.rightKeys,
  ]);
  const left = compiler.rows(plan.left, leftColumns);
  const right = compiler.changes(plan.right, rightColumns);
  const identity = `as-of join of ${left.identity} and ${right.identity}: ${identityOf(plan)} [${columns}]`;
  return compiler.node(identity, () => {
    const spec = {
      identity,
      type: plan.type,
      left: leftColumns.map((c) => plan.left.schema.fields[c]!),
      right: rightColumns.map((c) => plan.right.schema.fields[c]!),
      leftKeys: plan.leftKeys.map((k) => leftColumns.indexOf(k)),
      rightKeys: plan.rightKeys.map((k) => rightColumns.indexOf(k)),
      outputs: columns.map((c) =>
        c < width
          ? ({ side: "left", column: leftColumns.indexOf(c) } as const)
          : ({ side: "right", column: rightColumns.indexOf(c - width) } as const),
      ),
    };
    return new AsOfJoin(spec, fromRows(left), fromRows(right), compiler.dictionary);
  });
}
