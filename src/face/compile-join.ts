/** Joins: the keys of both sides as columns of one type, and the two rows as a function of the pair sees them. */
import { EvertError } from "../base/errors.ts";
import { bool, type SqlType, sameType, typeToString } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { commonType } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { ChainNode } from "./chain.ts";
import { castTo, joinKeyParts, type KeyPart, withColumns } from "./columns-of.ts";
import type { InputRow } from "./read-function.ts";

export interface JoinedRows {
  readonly plan: Plan;
  readonly left: InputRow;
  readonly right: InputRow;
  /** Without a function: left's columns, then right's whose names are not taken. */
  readonly columns: readonly number[];
}

export function joinPlan(node: ChainNode & { kind: "join" }, left: Plan, right: Plan): JoinedRows {
  const rightParts = node.rightKey === null ? ownKey(right) : joinKeyParts(right, node.rightKey);
  const leftParts = inOrderOf(rightParts, joinKeyParts(left, node.leftKey));
  if (node.asOf) checkAsOf(left, right);
  const pairs = leftParts.map((l, i) => pairOf(l, rightParts[i]!, node.asOf));
  const lefts = pairs.map((p) => p[0]);
  const rights = pairs.map((p) => p[1]);
  // In a full join a key may also be null because it is null: there a constant tells whether a row was found.
  const mark = node.type === "full" ? [build.constant(true, bool)] : [];
  const l = withColumns(left, [...lefts, ...mark]);
  const r = withColumns(right, [...rights, ...mark]);
  const keys = pairs.length;
  const mayLack = (side: "left" | "right"): boolean => node.type === "full" || node.type === side;
  const leftPresent = mayLack("right") ? l.columns.at(mark.length === 0 ? 0 : keys)! : null;
  const rightPresent = mayLack("left") ? r.columns.at(mark.length === 0 ? 0 : keys)! : null;
  const leftKeys = l.columns.slice(0, keys);
  const rightKeys = r.columns.slice(0, keys);
  const { type } = node;
  // A right join is a left join from the other side.
  if (type === "right") {
    const swapped = { left: r.plan, right: l.plan, leftKeys: rightKeys, rightKeys: leftKeys };
    const plan = build.join({ type: "left", ...swapped });
    return rowsOf(plan, sideOf(left, r.plan.schema.fields.length, leftPresent), sideOf(right, 0, null));
  }
  const spec = { left: l.plan, right: r.plan, leftKeys, rightKeys };
  const plan =
    node.asOf && type !== "full" ? build.asOfJoin({ type, ...spec }) : build.join({ type, ...spec });
  const offset = l.plan.schema.fields.length;
  return rowsOf(plan, sideOf(left, 0, leftPresent), sideOf(right, offset, rightPresent));
}

/** A side's rows among the columns of the join. */
interface Side {
  readonly width: number;
  readonly offset: number;
  /** A column of the side that is null only where it has no row. */
  readonly present: number | null;
}

function sideOf(plan: Plan, offset: number, present: number | null): Side {
  return { width: plan.schema.fields.length, offset, present };
}

function rowsOf(plan: Plan, left: Side, right: Side): JoinedRows {
  const row = ({ width, offset, present }: Side): InputRow => ({
    columns: plan.schema.fields
      .slice(offset, offset + width)
      .map((field, i) => ({ ...field, column: offset + i })),
    presentColumn: present === null ? null : offset + present,
  });
  const [leftRow, rightRow] = [row(left), row(right)];
  const taken = new Set(leftRow.columns.map((c) => c.name));
  const shown = [...leftRow.columns, ...rightRow.columns.filter((c) => !taken.has(c.name))];
  return { plan, left: leftRow, right: rightRow, columns: shown.map((c) => c.column) };
}

function ownKey(right: Plan): KeyPart[] {
  if (right.key === null || right.key.length === 0) {
    throw new EvertError("invalid_table_definition", "the other side of the join has no key to join on", {
      hint: "Name its columns: join(other, leftKey, rightKey, combine).",
    });
  }
  return right.key.map((c) => ({
    name: right.schema.fields[c]!.name,
    expr: build.column(right, c),
    open: false,
  }));
}

/** The left key's parts, matched to the right's by name where both are named alike, else by place. */
function inOrderOf(right: readonly KeyPart[], left: readonly KeyPart[]): readonly KeyPart[] {
  if (left.length !== right.length) {
    throw new EvertError(
      "invalid_table_definition",
      `a join key has ${left.length} parts on the left and ${right.length} on the right`,
      {
        detail: `The right key is ${right.map((p) => p.name ?? "a value").join(", ")}.`,
        hint: "Return as many values as the right key has columns: (row) => [row.a, row.b].",
      },
    );
  }
  const byName = right.map((r) => left.find((l) => l.name !== null && l.name === r.name));
  return byName.every((l) => l !== undefined) ? byName : left;
}

function pairOf(left: KeyPart, right: KeyPart, asOf: boolean): [Expr, Expr] {
  const type = keyType(left, right, asOf);
  const l = type && withType(left, type);
  const r = type && withType(right, type);
  if (l && r) return [l, r];
  throw new EvertError("datatype_mismatch", "the keys of a join are of different types", {
    detail: `Left is ${typeToString(typeOf(left.expr))}, right is ${typeToString(typeOf(right.expr))}.`,
    hint: "Declare both columns with one type, or map one of them first.",
  });
}

/** An as-of join looks rows up by the table's own key, which therefore stays as it is. */
function keyType(left: KeyPart, right: KeyPart, asOf: boolean): SqlType | undefined {
  if (asOf || left.open) return typeOf(right.expr);
  if (right.open) return typeOf(left.expr);
  return commonType([typeOf(left.expr), typeOf(right.expr)]);
}

function withType({ expr, open }: KeyPart, type: SqlType): Expr | undefined {
  if (open && expr.kind === "js" && !sameType(expr.type, type)) return { ...expr, type };
  return castTo(expr, type);
}

function checkAsOf(left: Plan, right: Plan): void {
  if (!left.appendOnly) {
    throw new EvertError("invalid_table_definition", "the left side of an as-of join changes", {
      detail: "Only records of a stream topic have a commit of their own at which to look.",
      hint: "Start the chain from a topic; filter, map and other as-of joins may stand between.",
    });
  }
  if (!isTableRows(right)) {
    throw new EvertError("invalid_table_definition", "the right side of an as-of join is not a table", {
      hint: "Join a table, filtered or mapped by plain columns if need be; for anything else use join.",
    });
  }
}

function isTableRows(plan: Plan): boolean {
  if (plan.kind === "filter" || plan.kind === "project") return isTableRows(plan.input);
  return plan.kind === "source" && plan.relation === "table";
}
