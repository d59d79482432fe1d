/**
 * `FROM plays p JOIN as_of(songs) AS s ON s.id = p.song_id`: each record of a stream meets a table as it stood at the record's own
 * commit; what the table becomes later changes nothing.
 *
 * The left side must be streams' own records (filtered, mapped, spread, appended with UNION ALL, or joined as of before): only they know their commit. The condition must
 * name the table's whole primary key. Further conditions filter the table (right side only), the records (left side only, which for LEFT
 * JOIN leaves them unmatched) or, for an inner join, the result.
 */
import type { Node, RangeFunction } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { conjunction, moveColumns } from "../plan/inspect.ts";
import { withColumns } from "../plan/join-keys.ts";
import type { Plan } from "../plan/plan.ts";
import { keepsCommits } from "../plan/refused.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import { type Condition, guarded, splitConditions } from "./conditions.ts";
import type { BindContext } from "./context.ts";
import { functionCall } from "./from-functions.ts";
import { type Scope, similar, tableScope } from "./scope.ts";
import { as, stringOf } from "./tree.ts";

export function isAsOf(item: Node | undefined): boolean {
  const name = functionCall(item)?.funcname?.at(-1);
  return name !== undefined && stringOf(name) === "as_of";
}

/** The table that as_of() names, and the columns of its primary key. */
export function asOfScope(node: RangeFunction, ctx: BindContext): { scope: Scope; key: readonly number[] } {
  const call = functionCall({ RangeFunction: node })!;
  const position = ctx.position(call.location);
  const fields = call.args?.length === 1 ? as(call.args[0], "ColumnRef")?.fields : undefined;
  if (fields === undefined || fields.some((f) => as(f, "String") === undefined)) {
    throw new EvertError("undefined_function", "as_of takes the name of one table", { position });
  }
  const name = stringOf(fields.at(-1));
  const relation = ctx.catalog.relation(name);
  if (relation === undefined) {
    throw new EvertError("undefined_table", `relation "${name}" does not exist`, {
      position: ctx.position(as(call.args![0], "ColumnRef")!.location),
      hint: similar(name, ctx.catalog.relationNames()),
    });
  }
  if (relation.kind !== "table" || relation.key === null) {
    throw notSupported(`as_of(${name}), which is no table with a primary key,`, position);
  }
  const plan = relationPlan(relation);
  const names = (node.alias?.colnames ?? []).map(stringOf);
  const columns = relation.schema.fields.map((f, i) => ({
    name: names[i] ?? f.name,
    expr: build.column(plan, i),
  }));
  return { scope: tableScope(node.alias?.aliasname ?? name, plan, columns), key: relation.key };
}

export interface AsOfSpec {
  readonly left: Plan;
  readonly right: Plan;
  readonly type: "inner" | "left";
  readonly conditions: readonly Condition[];
  /** The table's primary key. */
  readonly key: readonly number[];
  readonly position: number | undefined;
}

/** The join, where its right columns begin, and conditions still to filter its result. */
export function asOfJoin(spec: AsOfSpec): { plan: Plan; rightAt: number; rest: Condition[] } {
  const { left, right, type, key, position } = spec;
  if (!keepsCommits(left)) {
    const hint = "Put the as-of join first: FROM stream JOIN as_of(table) ... JOIN others ...";
    throw notSupported("an as-of join of anything but a stream's own records", position, hint);
  }
  const width = left.schema.fields.length;
  const { leftKeys, rest } = keyConditions(spec, width);
  const sides = splitConditions(rest, width);
  const unmatched = type === "left" ? rest.filter((c) => !isOneSided(c, width)) : [];
  if (unmatched[0] !== undefined) {
    throw notSupported(
      "a condition of a left as-of join that compares both sides beside the key",
      unmatched[0].position,
    );
  }
  const keyed = withColumns(left, type === "left" ? guarded(leftKeys, sides.leftOnly) : leftKeys);
  const predicate = conjunction(sides.rightOnly);
  const plan = build.asOfJoin({
    type,
    left: keyed.plan,
    right: predicate === undefined ? right : build.filter(right, predicate),
    leftKeys: keyed.columns,
    rightKeys: key,
  });
  const rightAt = keyed.plan.schema.fields.length;
  const above = type === "left" ? [] : rest.filter((c) => splitConditions([c], width).rightOnly.length === 0);
  const move = (i: number) => (i < width ? i : i - width + rightAt);
  return { plan, rightAt, rest: above.map((c) => ({ ...c, expr: moveColumns(c.expr, move) })) };
}

function isOneSided(condition: Condition, width: number): boolean {
  const { leftOnly, rightOnly } = splitConditions([condition], width);
  return leftOnly.length + rightOnly.length > 0;
}

/** For each key column of the table, the left side's expression that must equal it; and the other conditions. */
function keyConditions(spec: AsOfSpec, width: number): { leftKeys: Expr[]; rest: Condition[] } {
  const rest = [...spec.conditions];
  const leftKeys = spec.key.map((column) => {
    const at = rest.findIndex((c) => {
      const { rightKeys, nullSafe } = splitConditions([c], width);
      const right = nullSafe[0] ? undefined : rightKeys[0];
      return right?.kind === "column" && right.index === column;
    });
    if (at < 0) throw missingKey(spec);
    const [found] = rest.splice(at, 1);
    return splitConditions([found!], width).leftKeys[0]!;
  });
  return { leftKeys, rest };
}

function missingKey({ key, right, position }: AsOfSpec): EvertError {
  const names = key.map((k) => right.schema.fields[k]!.name).join(", ");
  const hint = `Its condition must have an equality with each column of the table's primary key (${names}), in that column's own type.`;
  return notSupported("an as-of join on anything but the table's primary key", position, hint);
}
