/** Constructors of joins, as-of joins and applies. */
import { assert } from "../base/assert.ts";
import { type Field, type Schema, schemaOf } from "../batch/schema.ts";
import { isSmallNumeric } from "../batch/types.ts";
import { frozen, type Key } from "./build-node.ts";
import type { Expr } from "./expression.ts";
import type { ApplyPlan, AsOfJoinPlan, JoinPlan, JoinType, Plan } from "./plan.ts";

interface Sides {
  readonly left: Plan;
  readonly right: Plan;
  readonly leftKeys: readonly number[];
  readonly rightKeys: readonly number[];
}

export interface JoinSpec extends Sides {
  readonly type: JoinType;
  /** By pair of keys; none where it is left out. */
  readonly nullSafe?: readonly boolean[];
}

export interface AsOfJoinSpec extends Sides {
  readonly type: "inner" | "left";
}

export function join(spec: JoinSpec): JoinPlan {
  checkJoin(spec);
  const { type, left, right, leftKeys, rightKeys } = spec;
  const nullSafe = spec.nullSafe ?? leftKeys.map(() => false);
  assert(nullSafe.length === leftKeys.length, "each pair of keys is null-safe or not");
  return frozen<JoinPlan>({
    kind: "join",
    type,
    left,
    right,
    leftKeys: [...leftKeys],
    rightKeys: [...rightKeys],
    nullSafe: [...nullSafe],
    schema: joinSchema(spec),
    key: joinKey(spec),
    appendOnly: type === "inner" && left.appendOnly && right.appendOnly,
  });
}

export interface ApplySpec {
  readonly id: number;
  readonly type: "inner" | "left";
  readonly left: Plan;
  readonly right: Plan;
  readonly residual?: Expr | null;
}

export function apply(spec: ApplySpec): ApplyPlan {
  const { id, type, left, right, residual = null } = spec;
  assert(residual === null || type === "left", "an inner apply's condition is a filter over it");
  const alone = join({ type, left, right, leftKeys: [], rightKeys: [] });
  const { schema, key } = alone;
  return frozen<ApplyPlan>({
    kind: "apply",
    id,
    type,
    left,
    right,
    residual,
    schema,
    key,
    appendOnly: false,
  });
}

export function asOfJoin(spec: AsOfJoinSpec): AsOfJoinPlan {
  checkJoin(spec);
  assert(spec.left.appendOnly, "the left side of an as-of join is append-only");
  assert(
    within(spec.right.key, spec.rightKeys),
    "the right side of an as-of join is keyed by its join columns",
  );
  return frozen<AsOfJoinPlan>({
    kind: "asOfJoin",
    ...spec,
    leftKeys: [...spec.leftKeys],
    rightKeys: [...spec.rightKeys],
    schema: joinSchema(spec),
    key: spec.left.key,
    appendOnly: true,
  });
}

function checkJoin({ left, right, leftKeys, rightKeys }: Sides): void {
  assert(leftKeys.length === rightKeys.length, "a join pairs its key columns");
  leftKeys.forEach((l, i) => {
    const a = left.schema.fields[l]?.type;
    const b = right.schema.fields[rightKeys[i]!]?.type;
    assert(a !== undefined && b !== undefined && a.name === b.name, "join keys are columns of equal type");
    // A scaled numeric is stored as an integer: equal values of two scales would not meet.
    assert(isSmallNumeric(a) === isSmallNumeric(b), "numeric join keys are stored alike");
    assert(!isSmallNumeric(a) || a.scale === b.scale, "numeric join keys have one scale");
  });
}

function joinSchema({ type, left, right }: JoinSpec): Schema {
  const sometimes = (fields: readonly Field[]) => fields.map((f) => ({ ...f, nullable: true }));
  const lefts = left.schema.fields;
  const rights = right.schema.fields;
  return schemaOf([
    ...(type === "full" ? sometimes(lefts) : lefts),
    ...(type === "inner" ? rights : sometimes(rights)),
  ]);
}

function joinKey({ type, left, right, leftKeys, rightKeys }: JoinSpec): Key {
  if (left.key === null || right.key === null) {
    // One unkeyed side only: a key of the other does not hold, as each of its rows may come out many times.
    return null;
  }
  // A right row that a full join gives alone has no left key; two rows alone are told apart by a column that is never null.
  const always = (side: Plan) => side.key!.some((c) => !side.schema.fields[c]!.nullable);
  if (type === "full" && !always(left) && !always(right)) return null;
  if (type !== "full" && within(right.key, rightKeys)) return left.key;
  const width = left.schema.fields.length;
  const shifted = right.key.map((c) => c + width);
  if (type === "inner" && within(left.key, leftKeys)) return shifted;
  return [...left.key, ...shifted];
}

function within(key: Key, columns: readonly number[]): boolean {
  return key?.every((c) => columns.includes(c)) ?? false;
}
