/**
 * From a chain to a plan.
 *
 * Node by node from the sources up, with the catalog's schemas at hand: each step's functions are read against the columns
 * of the step below (columns-of.ts), so a renamed or retyped column is met here, when the view is opened, and not in a row.
 * Where a step needs a value that is no column (a computed join key, an order by a function), the input gets a hidden
 * column at its end, which the step's output leaves out again.
 */
import { unreachable } from "../base/assert.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import type { Field } from "../batch/schema.ts";
import { bool, jsonb, sameType } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Catalog, CatalogRelation } from "../plan/catalog.ts";
import { commonType } from "../plan/functions.ts";
import { inputsOf, typeOf } from "../plan/inspect.ts";
import type { OrderItem, Plan, Query } from "../plan/plan.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import type { ChainNode, OrderSpec } from "./chain.ts";
import { checkName, type Declaration, schemaOfDeclaration } from "./columns.ts";
import {
  castTo,
  columnNamed,
  firstColumns,
  inputRow,
  isScalar,
  keyColumns,
  type NamedExpr,
  plainExpr,
  scalarExpr,
  withColumns,
} from "./columns-of.ts";
import { aggregateOf } from "./compile-aggregate.ts";
import { checkStep, iteratePlan } from "./compile-iterate.ts";
import { joinPlan } from "./compile-join.ts";
import { orderExprs, orderItems } from "./compile-order.ts";
import { timeWindowPlan } from "./compile-time-window.ts";
import { windowPlan } from "./compile-window.ts";
import { shorten, type UserCode } from "./function-source.ts";
import type { View } from "./handles.ts";
import { type InputRow, readElements, readFunction } from "./read-function.ts";
import { besideRows } from "./row-routine.ts";
import { guessOf, isPlainObject, type Value } from "./value.ts";

/** The plan of a view made from a chain. A SQL view has its text instead, which the engine binds. */
export function toQuery(view: View<unknown>, catalog: Catalog): Query {
  if (view.definition.kind !== "chain") {
    throw new EvertError("wrong_object_type", `view "${view.name}" is defined in SQL, not by a chain`);
  }
  try {
    return queryOf(view.definition.node, { catalog, found: new Map() });
  } catch (thrown) {
    const error = toEvertError(thrown);
    const { code, message, detail, hint, sqlstate } = error;
    throw new EvertError(code, `view "${view.name}": ${message}`, { detail, hint, sqlstate, cause: error });
  }
}

/** What a chain's nodes stand for. */
interface Env {
  readonly catalog: Catalog;
  /** What the steps around read. */
  readonly found: ReadonlyMap<ChainNode, Plan>;
}

function queryOf(node: ChainNode, env: Env): Query {
  if (node.kind === "order") {
    const input = planOf(node.input, env);
    return ordered(input, node.order, []);
  }
  if (node.kind === "topK") {
    const { plan, order, width } = topKOf(node, env);
    return { plan, order, visible: width };
  }
  const plan = planOf(node, env);
  return { plan, order: [], visible: plan.schema.fields.length };
}

function ordered(input: Plan, order: readonly OrderSpec[], before: readonly OrderItem[]): Query {
  const { plan, columns } = withColumns(input, orderExprs(input, order));
  return { plan, order: [...before, ...orderItems(order, columns)], visible: input.schema.fields.length };
}

function planOf(node: ChainNode, env: Env): Plan {
  switch (node.kind) {
    case "source":
      return relationPlan(relationNamed(node.relation.name, env));
    case "filter":
      return filterOf(planOf(node.input, env), node.predicate);
    case "map": {
      const input = planOf(node.input, env);
      return mapOf(input, [inputRow(input)], node.fn, node.flat, node.declared);
    }
    case "select": {
      const input = planOf(node.input, env);
      return build.projectColumns(
        input,
        node.columns.map((name) => columnNamed(input, name)),
      );
    }
    case "join": {
      const joined = joinPlan(node, planOf(node.left, env), planOf(node.right, env));
      if (node.combine === null) return build.projectColumns(joined.plan, joined.columns);
      return mapOf(joined.plan, [joined.left, joined.right], node.combine, false, node.declared);
    }
    case "group":
      return groupOf(node, planOf(node.input, env));
    case "topK": {
      const { plan, width } = topKOf(node, env);
      return firstColumns(plan, width);
    }
    case "union":
      return unionOf(node.inputs.map((input) => planOf(input, env)));
    case "distinct":
      return build.distinct(planOf(node.input, env));
    case "window":
      return windowPlan(node, planOf(node.input, env));
    case "timeWindow":
      return timeWindowPlan(node, planOf(node.input, env));
    case "iterate":
      return iterateOf(node, env);
    case "found":
      return env.found.get(node) ?? strayStep();
    case "order":
      return planOf(node.input, env);
    default:
      return unreachable(node);
  }
}

/** Its number is its depth: nested ones differ. */
function iterateOf(node: ChainNode & { kind: "iterate" }, env: Env): Plan {
  checkStep(node.step, node.found);
  const id = env.found.size;
  const base = planOf(node.base, env);
  const ref = build.recursiveRef(id, "found", base.schema.fields);
  const step = planOf(node.step, { ...env, found: new Map([...env.found, [node.found, ref]]) });
  return iteratePlan(id, base, step, node.all);
}

function strayStep(): never {
  throw new EvertError("invalid_table_definition", "rows of an iterate are read outside its step");
}

function relationNamed(name: string, { catalog }: Env): CatalogRelation {
  const relation = catalog.relation(name);
  if (relation !== undefined) return relation;
  throw new EvertError("undefined_table", `relation "${name}" does not exist`, {
    hint: `Pass it to open() too. There are ${catalog.relationNames().join(", ") || "none yet"}.`,
  });
}

function filterOf(input: Plan, predicate: UserCode): Plan {
  return build.filter(input, scalarExpr(input, predicate, bool, bool));
}

function mapOf(
  input: Plan,
  rows: readonly InputRow[],
  code: UserCode,
  flat: boolean,
  declaration: Declaration | null,
): Plan {
  const declared = declaration === null ? null : schemaOfDeclaration(declaration).fields;
  const reading = flat ? readElements(code, rows) : readFunction(code, rows);
  const fields = resultFields(reading.value, declared, code);
  if (!flat && reading.plain && isPlainObject(reading.value)) {
    const exprs = [...reading.value.properties.values()].map((value, i) =>
      isScalar(value) ? castTo(plainExpr(input, value), fields[i]!.type) : undefined,
    );
    if (exprs.every((e) => e !== undefined)) {
      return build.project(
        input,
        exprs,
        fields.map((f) => f.name),
      );
    }
  }
  if (!readsFound(input)) return build.mapFunction(input, reading.fn, flat, fields);
  const made = besideRows(input, reading.fn, flat, fields);
  const width = input.schema.fields.length;
  return build.projectColumns(
    made,
    fields.map((_, i) => width + i),
  );
}

function readsFound(plan: Plan): boolean {
  return plan.kind === "recursiveRef" || inputsOf(plan).some(readsFound);
}

/** The columns of what a function makes: names from its text or the declaration, types from the declaration or its text. */
function resultFields(value: Value, declared: readonly Field[] | null, code: UserCode): readonly Field[] {
  const text = shorten(Function.prototype.toString.call(code));
  if (value.kind !== "object") {
    if (declared !== null) return declared;
    throw new EvertError("invalid_table_definition", "the columns of a function's result are not known", {
      detail: `Its text does not show one object literal: ${text}`,
      hint: "Return object literals with the same properties, or declare the columns: map(fn, { total: float8, label: text }).",
    });
  }
  const extra = declared?.find((f) => !value.properties.has(f.name));
  if (extra !== undefined) {
    throw new EvertError(
      "undefined_column",
      `column "${extra.name}" is declared, but the function does not make it`,
      {
        detail: text,
      },
    );
  }
  if (value.properties.size === 0) {
    throw new EvertError("invalid_table_definition", "a row needs at least one column", { detail: text });
  }
  return [...value.properties].map(([name, part]) => {
    checkName("column", name);
    return declared?.find((f) => f.name === name) ?? fieldFor(name, part);
  });
}

function fieldFor(name: string, value: Value): Field {
  const guess = guessOf(value);
  return typeof guess === "object" ? { name, ...guess } : { name, type: jsonb, nullable: true };
}

function groupOf(node: ChainNode & { kind: "group" }, input: Plan): Plan {
  const declared = node.declared === null ? null : schemaOfDeclaration(node.declared);
  const keys = node.key === null ? [] : keyColumns(input, node.key, declared);
  const aggregates = Object.entries(node.aggregates);
  const names = [...keys.map((k) => k.name), ...aggregates.map(([name]) => name)];
  names.forEach((name, i) => {
    checkName("column", name);
    if (names.indexOf(name) === i) return;
    throw new EvertError("duplicate_column", `column "${name}" of the group is named twice`, {
      hint: "Rename the aggregate, or the key: groupBy((row) => ({ other_name: row.id }), …).",
    });
  });
  return build.group(
    input,
    keys.map((k) => k.expr),
    aggregates.map(([name, spec]) => aggregateOf(input, name, spec)),
    names,
  );
}

function topKOf(
  node: ChainNode & { kind: "topK" },
  env: Env,
): { plan: Plan; order: readonly OrderItem[]; width: number } {
  checkCount("limit", node.limit);
  checkCount("offset", node.offset);
  const input = planOf(node.input, env);
  const partition: NamedExpr[] = node.partitionBy === null ? [] : keyColumns(input, node.partitionBy, null);
  const { plan, columns } = withColumns(input, [
    ...partition.map((p) => p.expr),
    ...orderExprs(input, node.order),
  ]);
  const partitionColumns = columns.slice(0, partition.length);
  const order = orderItems(node.order, columns.slice(partition.length));
  const { limit, offset } = node;
  return {
    plan: build.topK(plan, { partition: partitionColumns, order, limit, offset }),
    order: [...partitionColumns.map((c) => ({ column: c, descending: false, nullsFirst: false })), ...order],
    width: input.schema.fields.length,
  };
}

function checkCount(what: string, count: number | null): void {
  if (count === null || (Number.isSafeInteger(count) && count >= 0)) return;
  throw new EvertError("invalid_row_count", `${what} ${count} of topK is not a count`, {
    hint: "Give a whole number, 0 or more.",
  });
}

/** Rows matched by column name; their types made one. */
function unionOf(inputs: readonly Plan[]): Plan {
  const first = inputs[0]!;
  const names = first.schema.fields.map((f) => f.name);
  const exprs = inputs.map((input) => {
    if (input.schema.fields.length !== names.length) {
      const given = input.schema.fields.map((f) => f.name).join(", ");
      throw new EvertError("datatype_mismatch", "inputs of a union have different columns", {
        detail: `One has ${names.join(", ")}, another ${given}.`,
        hint: "Use select or map to give them the same columns.",
      });
    }
    return names.map((name) => build.column(input, columnNamed(input, name)));
  });
  const types = names.map((name, i) => {
    const given = exprs.map((row) => typeOf(row[i]!));
    const type = commonType(given);
    if (type !== undefined) return type;
    throw new EvertError("datatype_mismatch", `inputs of a union disagree on the type of column "${name}"`, {
      detail: `It is ${[...new Set(given.map((t) => t.name))].join(" and ")}.`,
    });
  });
  return build.union(
    inputs.map((input, k) => {
      const asIs = types.every(
        (t, i) => input.schema.fields[i]!.name === names[i] && sameType(input.schema.fields[i]!.type, t),
      );
      if (asIs) return input;
      return build.project(
        input,
        exprs[k]!.map((expr, i) => castTo(expr, types[i]!)!),
        names,
      );
    }),
  );
}
