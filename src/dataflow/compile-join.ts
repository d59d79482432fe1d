/** Joins: on equal keys, both inputs stored; as of each record's commit, where the left side passes by and the right side's changes do. */
import type { AsOfJoinPlan, JoinPlan } from "../plan/plan.ts";
import { checkAsOfJoin } from "../plan/refused.ts";
import { type CompileContext, distinctOf, fromRows } from "./compile-context.ts";
import { identityOf } from "./identity.ts";
import type { Node } from "./node.ts";
import { AsOfJoin } from "./operators/as-of-join.ts";
import { Join } from "./operators/join.ts";
import type { JoinOutput } from "./operators/join-code.ts";

export function joinNode(compiler: CompileContext, plan: JoinPlan, columns: readonly number[]): Node {
  const { type } = plan;
  const width = plan.left.schema.fields.length;
  const left = compiler.stored(plan.left, [...columns.filter((c) => c < width), ...plan.leftKeys]);
  const right = compiler.stored(plan.right, [
    ...columns.filter((c) => c >= width).map((c) => c - width),
    ...plan.rightKeys,
  ]);
  const identity = `join of ${left.node.identity} and ${right.node.identity}: ${identityOf(plan)} [${columns}]`;
  return compiler.node(identity, () => {
    const outputs = columns.map(
      (c): JoinOutput =>
        c < width
          ? { side: "left", column: left.columns[c]! }
          : { side: "right", column: right.columns[c - width]! },
    );
    const l = { node: left.node, keys: plan.leftKeys.map((k) => left.columns[k]!) };
    const r = { node: right.node, keys: plan.rightKeys.map((k) => right.columns[k]!) };
    return new Join(identity, type, l, r, plan.nullSafe, outputs);
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
