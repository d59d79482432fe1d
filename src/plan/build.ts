/**
 * Constructors of plan nodes: the only way to make one. Each checks what its node's contract asks (a broken one is a bug of
 * the front end, hence assertions), computes schema, key and appendOnly, and freezes the result.
 *
 * Where keys come from: a source's primary key and a group's keys. A filter, a top-k or a project that lets all key columns
 * through keeps the key; a join of two keyed inputs is keyed by both keys together, or by one of them when the
 * other side has at most one match for it.
 */
import { assert } from "../base/assert.ts";
import { type Field, type Schema, schemaOf } from "../batch/schema.ts";
import { int8, type SqlType, sameType } from "../batch/types.ts";
import { checkColumns, column, datumFits, fitted, frozen, type Key } from "./build-node.ts";
import type { Datum, Expr, UserFunction } from "./expression.ts";
import { functionColumns, nullableOf, typeOf } from "./inspect.ts";
import type {
  DistinctPlan,
  FilterPlan,
  Lookup,
  MapFunctionPlan,
  OrderItem,
  Plan,
  ProjectPlan,
  RecursivePlan,
  RecursiveRefPlan,
  SeriesPlan,
  SetOperationPlan,
  SourcePlan,
  TableFunctionPlan,
  TemporalPlan,
  TopKPlan,
  UnionPlan,
  ValuesPlan,
} from "./plan.ts";
import type { RowsRoutine } from "./routines.ts";
import type { TableFunction, TablePart } from "./table-functions.ts";

export { group, type WindowSpec, window } from "./build-groups.ts";
export { type ApplySpec, type AsOfJoinSpec, apply, asOfJoin, type JoinSpec, join } from "./build-joins.ts";
export { column, constant } from "./build-node.ts";

export interface SourceRelation {
  readonly id: number;
  readonly name: string;
  readonly kind: "stream" | "table" | "view";
  readonly schema: Schema;
  readonly key: Key;
  readonly appendOnly: boolean;
  readonly rows?: number | null | undefined;
}

export function source(relation: SourceRelation): SourcePlan {
  return frozen<SourcePlan>({
    kind: "source",
    relation: relation.kind,
    id: relation.id,
    name: relation.name,
    rows: relation.rows ?? null,
    schema: schemaOf(relation.schema.fields),
    key: relation.key === null ? null : [...relation.key],
    appendOnly: relation.appendOnly,
  });
}

/** The source's rows that an index gives. */
export function lookup(plan: SourcePlan, rows: Lookup): SourcePlan {
  return frozen<SourcePlan>({ ...plan, lookup: rows });
}

export function values(
  fields: readonly { name: string; type: SqlType }[],
  rows: readonly (readonly Datum[])[],
): ValuesPlan {
  for (const row of rows) {
    assert(row.length === fields.length, "each row of values has one datum per column");
    const fits = row.every((datum, i) => datumFits(datum, fields[i]!.type));
    assert(fits, "a datum has the form of its column's type");
  }
  return frozen<ValuesPlan>({
    kind: "values",
    rows: Object.freeze(rows.map((row) => Object.freeze([...row]))),
    schema: schemaOf(fields.map((f, i) => ({ ...f, nullable: rows.some((row) => row[i] === null) }))),
    key: rows.length <= 1 ? [] : null,
    appendOnly: true,
  });
}

/** One row without columns: what SELECT without FROM reads. */
export function oneRow(): ValuesPlan {
  return values([], [[]]);
}

export function filter(input: Plan, predicate: Expr): FilterPlan {
  checkColumns(predicate, input);
  assert(typeOf(predicate).name === "bool", "a filter's predicate is boolean");
  return frozen<FilterPlan>({
    kind: "filter",
    input,
    predicate: fitted(predicate, input),
    schema: input.schema,
    key: input.key,
    appendOnly: input.appendOnly,
  });
}

export function project(input: Plan, given: readonly Expr[], names: readonly string[]): ProjectPlan {
  assert(given.length === names.length, "a project names each of its columns");
  for (const expr of given) checkColumns(expr, input);
  const exprs = given.map((expr) => fitted(expr, input));
  const fields = exprs.map((expr, i) => ({
    name: names[i]!,
    type: typeOf(expr),
    nullable: nullableOf(expr),
  }));
  return frozen<ProjectPlan>({
    kind: "project",
    input,
    exprs,
    schema: schemaOf(fields),
    key: projectedKey(input.key, exprs),
    appendOnly: input.appendOnly,
  });
}

/** Plain columns of the input, under their own names. */
export function projectColumns(input: Plan, columns: readonly number[]): ProjectPlan {
  return project(
    input,
    columns.map((c) => column(input, c)),
    columns.map((c) => input.schema.fields[c]!.name),
  );
}

/** The key where its columns survive as plain columns. */
function projectedKey(key: Key, exprs: readonly Expr[]): Key {
  if (key === null) return null;
  const moved: number[] = [];
  for (const k of key) {
    const at = exprs.findIndex((e) => e.kind === "column" && e.index === k);
    if (at < 0) return null;
    moved.push(at);
  }
  return moved;
}

export function mapFunction(
  input: Plan,
  fn: UserFunction,
  flat: boolean,
  fields: readonly Field[],
): MapFunctionPlan {
  for (const c of functionColumns(fn))
    assert(c < input.schema.fields.length, "a function reads columns of its input");
  return frozen<MapFunctionPlan>({
    kind: "mapFunction",
    input,
    fn,
    flat,
    schema: schemaOf(fields),
    key: null,
    appendOnly: input.appendOnly,
  });
}

export function series(input: Plan, start: Expr, stop: Expr, step: Expr, name: string): SeriesPlan {
  for (const expr of [start, stop, step]) {
    checkColumns(expr, input);
    assert(sameType(typeOf(expr), typeOf(start)), "start, stop and step of a series have one type");
  }
  const type = typeOf(start);
  assert(type.name === "int4" || type.name === "int8", "a series counts in int4 or int8");
  const width = input.schema.fields.length;
  return frozen<SeriesPlan>({
    kind: "series",
    input,
    start: fitted(start, input),
    stop: fitted(stop, input),
    step: fitted(step, input),
    schema: schemaOf([...input.schema.fields, { name, type, nullable: false }]),
    key: input.key === null ? null : [...input.key, width],
    appendOnly: input.appendOnly,
  });
}

export interface TableFunctionSpec {
  readonly fn: TableFunction | RowsRoutine;
  readonly args: readonly Expr[];
  readonly parts?: readonly TablePart[];
  readonly columns: readonly Field[];
  /** Name of the column that numbers the rows, or null. */
  readonly ordinality: string | null;
  readonly outer: boolean;
}

export function tableFunction(input: Plan, spec: TableFunctionSpec): TableFunctionPlan {
  for (const arg of spec.args) checkColumns(arg, input);
  const numbered: Field[] =
    spec.ordinality === null ? [] : [{ name: spec.ordinality, type: int8, nullable: false }];
  const given = [...spec.columns, ...numbered].map((f) => (spec.outer ? { ...f, nullable: true } : f));
  const width = input.schema.fields.length;
  return frozen<TableFunctionPlan>({
    kind: "tableFunction",
    input,
    fn: spec.fn,
    args: spec.args.map((arg) => fitted(arg, input)),
    parts: spec.parts ?? [],
    columns: spec.columns.map((f) => ({ ...f })),
    ordinality: spec.ordinality !== null,
    outer: spec.outer,
    schema: schemaOf([...input.schema.fields, ...given]),
    // Numbered rows are told apart by their number.
    key: input.key === null || spec.ordinality === null ? null : [...input.key, width + spec.columns.length],
    appendOnly: input.appendOnly,
  });
}

export function distinct(input: Plan): DistinctPlan {
  return frozen<DistinctPlan>({
    kind: "distinct",
    input,
    schema: input.schema,
    // What is the same in all rows tells none of them apart.
    key: input.key ?? [...input.schema.fields.keys()].filter((i) => !isConstant(input, i)),
    appendOnly: input.appendOnly,
  });
}

function isConstant(plan: Plan, column: number): boolean {
  return plan.kind === "project" && plan.exprs[column]!.kind === "const";
}

export function union(inputs: readonly Plan[]): UnionPlan {
  const first = inputs[0];
  assert(first !== undefined, "a union has inputs");
  for (const input of inputs) checkAlike(first, input, "inputs of a union");
  return frozen<UnionPlan>({
    kind: "union",
    inputs: [...inputs],
    schema: schemaOf(
      first.schema.fields.map((f, i) => ({
        ...f,
        nullable: inputs.some((p) => p.schema.fields[i]!.nullable),
      })),
    ),
    key: null,
    appendOnly: inputs.every((p) => p.appendOnly),
  });
}

export interface SetOperationSpec {
  readonly op: "intersect" | "except";
  readonly all: boolean;
  readonly left: Plan;
  readonly right: Plan;
}

export function setOperation(spec: SetOperationSpec): SetOperationPlan {
  const { op, all, left, right } = spec;
  checkAlike(left, right, "inputs of a set operation");
  // A row of the result is one of the left input; with INTERSECT it equals one of the right.
  const key = left.key ?? (op === "intersect" ? right.key : null);
  return frozen<SetOperationPlan>({
    kind: "setOperation",
    op,
    all,
    left,
    right,
    schema: left.schema,
    key: key ?? (all ? null : left.schema.fields.map((_, i) => i)),
    appendOnly: op === "intersect" && left.appendOnly && right.appendOnly,
  });
}

export interface TopKSpec {
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
  readonly limit: number | null;
  readonly offset: number;
  readonly ties?: boolean;
  /** Which of several keys to go by, where the front end prefers one; without it, the input's. */
  readonly key?: readonly number[] | null;
}

export function topK(input: Plan, spec: TopKSpec): TopKPlan {
  for (const c of [...spec.partition, ...spec.order.map((o) => o.column)]) {
    assert(c >= 0 && c < input.schema.fields.length, "a top-k orders and partitions by columns of its input");
  }
  assert(spec.limit === null || (Number.isSafeInteger(spec.limit) && spec.limit >= 0), "a limit is a count");
  assert(Number.isSafeInteger(spec.offset) && spec.offset >= 0, "an offset is a count");
  return frozen<TopKPlan>({
    kind: "topK",
    input,
    partition: [...spec.partition],
    order: spec.order.map((o) => ({ ...o })),
    limit: spec.limit,
    offset: spec.offset,
    ties: spec.ties ?? false,
    schema: input.schema,
    // One row of each partition: the partition's columns tell the rows apart.
    key:
      spec.key ?? input.key ?? (spec.limit === 1 && spec.ties !== true ? [...new Set(spec.partition)] : null),
    appendOnly: false,
  });
}

export interface RecursiveSpec {
  readonly id: number;
  readonly base: Plan;
  readonly step: Plan;
  readonly all: boolean;
}

export function recursive(spec: RecursiveSpec): RecursivePlan {
  const { base, step } = spec;
  checkAlike(base, step, "parts of a recursion");
  return frozen<RecursivePlan>({
    kind: "recursive",
    ...spec,
    schema: schemaOf(base.schema.fields.map((f) => ({ ...f, nullable: true }))),
    key: spec.all ? null : base.schema.fields.map((_, i) => i),
    appendOnly: false,
  });
}

/** What the step of recursion `id` reads; its fields are the base's, all of them nullable. */
export function recursiveRef(id: number, name: string, fields: readonly Field[]): RecursiveRefPlan {
  return frozen<RecursiveRefPlan>({
    kind: "recursiveRef",
    id,
    name,
    schema: schemaOf(fields.map((f) => ({ ...f, nullable: true }))),
    key: null,
    appendOnly: false,
  });
}

export function temporal(input: Plan, from: Expr | null, until: Expr | null): TemporalPlan {
  for (const bound of [from, until]) {
    if (bound === null) continue;
    checkColumns(bound, input);
    assert(typeOf(bound).name === "timestamptz", "a temporal bound is a moment");
  }
  return frozen<TemporalPlan>({
    kind: "temporal",
    input,
    from: fitted(from, input),
    until: fitted(until, input),
    schema: input.schema,
    key: input.key,
    appendOnly: input.appendOnly && until === null,
  });
}

function checkAlike(a: Plan, b: Plan, what: string): void {
  const [x, y] = [a.schema.fields, b.schema.fields];
  assert(x.length === y.length, `${what} have equally many columns`);
  assert(
    x.every((f, i) => sameType(f.type, y[i]!.type)),
    `${what} have equal column types`,
  );
}
