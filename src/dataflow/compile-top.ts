/** The first rows of each partition. Over rows that only come, what can never be among them is not kept. */
import type { TopKPlan } from "../plan/plan.ts";
import { allOf, type CompileContext, fromRows, type Stored, whole } from "./compile-context.ts";
import { identityOf } from "./identity.ts";
import type { Node } from "./node.ts";
import { BOUNDED_LIMIT_MAX, BoundedTop } from "./operators/bounded-top.ts";
import { FirstRow } from "./operators/first-row.ts";
import { TopK } from "./operators/top-k.ts";

export function topKNode(compiler: CompileContext, plan: TopKPlan, columns: readonly number[]): Node {
  const { input, limit, offset, partition, order, ties } = plan;
  const first = firstRow(compiler, plan);
  if (first !== null) return compiler.storeRows(first, columns);
  if (!ties && input.appendOnly && limit !== null && offset === 0 && limit <= BOUNDED_LIMIT_MAX) {
    return compiler.storeRows(boundedTop(compiler, plan, limit), columns);
  }
  const evict = !ties && input.appendOnly && limit !== null;
  const { node, columns: map } = evict
    ? compiler.collection(
        input,
        allOf(input),
        "append",
        `first ${offset + limit} of [${partition}] by ${JSON.stringify(order)} `,
      )
    : compiler.ordered(input, partition, order);
  const identity = `top rows of ${node.identity}: ${identityOf(plan)} [${columns}]`;
  return compiler.node(identity, () => {
    const spec = {
      identity,
      partition: partition.map((c) => map[c]!),
      order: order.map((o) => ({ ...o, column: map[o.column]! })),
      limit,
      offset,
      ties,
      columns: columns.map((c) => map[c]!),
      evict,
    };
    return new TopK(spec, node);
  });
}

/** A store that has one row of each partition of rows that only come; null: the plan is not of that kind. */
export function firstRow(compiler: CompileContext, plan: TopKPlan): Stored | null {
  const { input, limit, offset, ties, order } = plan;
  if (ties || !input.appendOnly || limit !== 1 || offset !== 0) return null;
  const identity = `first row ${identityOf(plan)}`;
  const node = compiler.node(identity, () => {
    const rows = compiler.rows(input, allOf(plan));
    const label = `first rows of ${rows.label}`;
    const partition = [...new Set(plan.partition)];
    const spec = { identity, label, columns: plan.schema.fields, partition, order };
    return new FirstRow(spec, fromRows(rows), compiler.dictionary);
  });
  return whole(node, plan);
}

function boundedTop(compiler: CompileContext, plan: TopKPlan, limit: number): Stored {
  const identity = `first ${identityOf(plan)}`;
  const node = compiler.node(identity, () => {
    const input = compiler.rows(plan.input, allOf(plan));
    const { partition, order } = plan;
    const spec = {
      identity,
      label: `top rows of ${input.label}`,
      columns: plan.schema.fields,
      partition,
      order,
      limit,
    };
    return new BoundedTop(spec, fromRows(input), compiler.dictionary);
  });
  return whole(node, plan);
}
