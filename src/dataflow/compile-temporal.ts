/** Rows in their time: the input is stored with its bounds as further columns. */
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import type { Plan, TemporalPlan } from "../plan/plan.ts";
import { allOf, type CompileContext, fromRows } from "./compile-context.ts";
import type { Node } from "./node.ts";
import { NotOver } from "./operators/not-over.ts";
import { Temporal } from "./operators/temporal.ts";

export function temporalNode(
  compiler: CompileContext,
  { input, from, until }: TemporalPlan,
  columns: readonly number[],
): Node {
  const exprs = columns.map((c): Expr => build.column(input, c));
  const at = (bound: Expr | null): number | null => (bound === null ? null : exprs.push(bound) - 1);
  const bounds = [at(from), at(until)] as const;
  const names = exprs.map((_, i) => `c${i}`);
  // A bound that is null lets no row through.
  let kept: Plan = build.project(input, exprs, names);
  for (const bound of bounds) {
    if (bound === null || !kept.schema.fields[bound]!.nullable) continue;
    const isNull: Expr = { kind: "isNull", arg: build.column(kept, bound) };
    kept = build.filter(kept, { kind: "not", arg: isNull });
  }
  const mode = input.appendOnly ? "append" : kept.key === null ? "bag" : "keyed";
  const [, end] = bounds;
  const evict = end !== null;
  // Who takes rows away shares the store with nobody to whom the same columns mean something else.
  const purpose = `${evict ? "until over" : "in time"} [${bounds}]: `;
  const notOver = (rows: Node): Node => {
    if (end === null) return rows;
    const identity = `not over [${end}]: ${rows.identity}`;
    const { fields } = kept.schema;
    return compiler.node(
      identity,
      () => new NotOver(identity, fromRows(rows), fields, end, compiler.dictionary),
    );
  };
  const { node, columns: map } = compiler.collection(kept, allOf(kept), mode, purpose, notOver);
  const [first, last] = bounds.map((bound) => (bound === null ? null : map[bound]!));
  const identity = `rows in time [${first}, ${last}) of ${node.identity}`;
  return compiler.node(identity, () => {
    const shown = columns.map((_, i) => map[i]!);
    return new Temporal({ identity, columns: shown, from: first!, until: last!, evict }, node);
  });
}
