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
import { carrierOf, int8, isSmallNumeric, type SqlType, sameType } from "../batch/types.ts";
import type { ColumnExpr, ConstExpr, Datum, Expr, UserFunction } from "./expression.ts";
import {
  aggregateExprs,
  childrenOf,
  eachColumn,
  functionColumns,
  mapAggregate,
  mapChildren,
  nullableOf,
  typeOf,
} from "./inspect.ts";
import type {
  Aggregate,
  ApplyPlan,
  AsOfJoinPlan,
  DistinctPlan,
  FilterPlan,
  GroupPlan,
  JoinPlan,
  JoinType,
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
  WindowFunction,
  WindowPlan,
} from "./plan.ts";
import type { RowsRoutine } from "./routines.ts";
import type { TableFunction, TablePart } from "./table-functions.ts";

type Key = readonly number[] | null;

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

/** `key`: those of the key columns that determine the others, where the front end knows some that do. */
export function group(
  input: Plan,
  givenKeys: readonly Expr[],
  givenAggregates: readonly Aggregate[],
  names: readonly string[],
  key: readonly number[] = givenKeys.map((_, i) => i),
): GroupPlan {
  for (const expr of givenKeys) checkColumns(expr, input);
  const keys = givenKeys.map((expr) => fitted(expr, input));
  const aggregates = givenAggregates.map((a) => fittedAggregate(a, input));
  assert(names.length === keys.length + aggregates.length, "a group names each of its columns");
  assert(
    key.every((k) => k < keys.length),
    "a group is keyed by what it groups by",
  );
  for (const a of aggregates) {
    if (a.filter !== null) {
      assert(typeOf(a.filter).name === "bool", "an aggregate's filter is boolean");
    }
    assert((a.reducer !== null) === (a.fn === "reduce"), "a reduce, and nothing else, has a reducer");
    assert(a.fn === "count" || a.fn === "reduce" || a.arg !== null, "only count and reduce take no argument");
  }
  const grouped = keys.length > 0;
  return frozen<GroupPlan>({
    kind: "group",
    input,
    keys,
    aggregates,
    schema: schemaOf([
      ...keys.map((key, i) => ({ name: names[i]!, type: typeOf(key), nullable: nullableOf(key) })),
      ...aggregates.map((a, i) => ({
        name: names[keys.length + i]!,
        type: a.type,
        nullable: aggregateNullable(a, grouped),
      })),
    ]),
    key: [...key],
    appendOnly: false,
  });
}

function fittedAggregate(a: Aggregate, input: Plan): Aggregate {
  for (const expr of aggregateExprs(a)) checkColumns(expr, input);
  return mapAggregate(a, (expr) => fitted(expr, input));
}

/** A group of GROUP BY has a row; so an aggregate over values that are never null has one to work on. */
function aggregateNullable(a: Aggregate, grouped: boolean): boolean {
  switch (a.fn) {
    case "count":
    case "regr_count":
      return false;
    case "sum":
    case "avg":
    case "min":
    case "max":
    case "bool_and":
    case "bool_or":
    case "bit_and":
    case "bit_or":
    case "bit_xor":
      return !grouped || a.filter !== null || a.arg === null || nullableOf(a.arg);
    default:
      return true;
  }
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

function checkAlike(a: Plan, b: Plan, what: string): void {
  const [x, y] = [a.schema.fields, b.schema.fields];
  assert(x.length === y.length, `${what} have equally many columns`);
  assert(
    x.every((f, i) => sameType(f.type, y[i]!.type)),
    `${what} have equal column types`,
  );
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

export interface WindowSpec {
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
  readonly functions: readonly WindowFunction[];
}

export function window(input: Plan, spec: WindowSpec, names: readonly string[]): WindowPlan {
  assert(names.length === spec.functions.length, "a window names each of its functions' columns");
  const width = input.schema.fields.length;
  for (const c of [...spec.partition, ...spec.order.map((o) => o.column)])
    assert(c >= 0 && c < width, "a window orders and partitions by columns of its input");
  for (const f of spec.functions) {
    for (const arg of f.args) checkColumns(arg, input);
    assert(
      (f.fn === "aggregate") === (f.aggregate !== null),
      "an aggregate over a frame, and nothing else, has one",
    );
  }
  return frozen<WindowPlan>({
    kind: "window",
    input,
    partition: [...spec.partition],
    order: spec.order.map((o) => ({ ...o })),
    functions: spec.functions.map((f) => ({
      ...f,
      args: f.args.map((arg) => fitted(arg, input)),
      aggregate: f.aggregate === null ? null : fittedAggregate(f.aggregate, input),
    })),
    schema: schemaOf([
      ...input.schema.fields,
      ...spec.functions.map((f, i) => ({ name: names[i]!, type: f.type, nullable: windowNullable(f) })),
    ]),
    key: input.key,
    appendOnly: false,
  });
}

function windowNullable({ fn, aggregate }: WindowFunction): boolean {
  switch (fn) {
    case "row_number":
    case "rank":
    case "dense_rank":
    case "percent_rank":
    case "cume_dist":
      return false;
    case "aggregate":
      return aggregateNullable(aggregate!, false);
    case "ntile":
    case "lag":
    case "lead":
    case "first_value":
    case "last_value":
    case "nth_value":
      return true;
  }
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

/** The input's column as an expression over it. */
export function column(input: Plan, index: number): ColumnExpr {
  const field = input.schema.fields[index];
  assert(field !== undefined, "a column is one of its input");
  return { kind: "column", index, type: field.type, nullable: field.nullable };
}

export function constant(value: Datum, type: SqlType): ConstExpr {
  assert(datumFits(value, type), "a datum has the form of its type");
  return { kind: "const", value, type };
}

function datumFits(value: Datum, type: SqlType): boolean {
  if (value === null) return true;
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "int64":
      return typeof value === "bigint";
    case "string":
      return typeof value === "string";
  }
}

/** The expression with its columns as nullable as the input's are: rewrites below may have made them less so, or more. */
function fitted<E extends Expr | null>(expr: E, input: Plan): E;
function fitted(expr: Expr | null, input: Plan): Expr | null {
  if (expr === null) return null;
  const { fields } = input.schema;
  const refit = (e: Expr): Expr => {
    if (e.kind !== "column") return mapChildren(e, refit);
    const { nullable } = fields[e.index]!;
    return nullable === e.nullable ? e : { ...e, nullable };
  };
  let fits = true;
  const look = (e: Expr): void => {
    if (e.kind === "column") fits &&= fields[e.index]!.nullable === e.nullable;
    else childrenOf(e).forEach(look);
  };
  look(expr);
  return fits ? expr : refit(expr);
}

function checkColumns(expr: Expr, input: Plan): void {
  const width = input.schema.fields.length;
  eachColumn(expr, (index) =>
    assert(index >= 0 && index < width, "an expression reads columns of its input"),
  );
}

/** Freezes what the node owns. Functions and initial values of the user are the user's; nested plans are frozen already. */
function frozen<T extends Plan>(node: T): T {
  return freezeDeep(node);
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const [name, part] of Object.entries(value)) {
    if (name !== "initial") freezeDeep(part);
  }
  return value;
}
