/** A bound statement, or the error it ended in, as the lines of a case file. */
import { EvertError } from "../../src/base/errors.ts";
import type { Schema } from "../../src/batch/schema.ts";
import { typeToString } from "../../src/batch/types.ts";
import type { CatalogRelation } from "../../src/plan/catalog.ts";
import { explainPlan, explainQuery, exprText } from "../../src/plan/explain.ts";
import type { Expr } from "../../src/plan/expression.ts";
import type { Plan, Query } from "../../src/plan/plan.ts";
import { commandTag, type Statement } from "../../src/sql/statement.ts";

export function renderStatement(statement: Statement): string[] {
  switch (statement.kind) {
    case "select":
    case "explain":
      return [...queryHead(statement.query), ...explainQuery(statement.query)];
    case "createIndex": {
      const { name, relation, items, unique } = statement;
      const columns = items.map(
        (i) => `${i.column}${i.descending ? " desc" : ""}${i.nullsFirst ? " nulls first" : ""}`,
      );
      return [
        `${unique ? "unique index" : "index"} ${name ?? "without name"} on ${relation.name} (${columns.join(", ")})`,
      ];
    }
    case "alterKeeping":
      return [`${statement.name} keeps ${JSON.stringify(statement.change)}`];
    case "createType":
      if (statement.type.domain !== undefined) return [`domain ${JSON.stringify(statement.type)}`];
      return [`type ${statement.name} (${statement.type.labels!.join(", ")})`];
    case "createView":
      return [viewHead(statement), ...queryHead(statement.query), ...explainQuery(statement.query)];
    case "createTable": {
      const { schema, key, appendOnly, defaults, constraints, ifNotExists } = statement;
      const options = [appendOnly ? "append only" : "", ifNotExists ? "if not exists" : ""].filter(
        (o) => o !== "",
      );
      const values = defaults.flatMap((d, i) => {
        const text = statement.defaultTexts[i];
        if (text != null) return [`default ${schema.fields[i]!.name} = <${text}>`];
        return d === null ? [] : [`default ${schema.fields[i]!.name} = ${d}`];
      });
      const uniques = constraints.uniques.map(
        (u) => `unique ${u.name} (${u.columns.map((c) => schema.fields[c]!.name).join(", ")})`,
      );
      const checks = constraints.checks.map(({ name, text }) => `check ${name} (${text})`);
      const rest = [...options, ...values, ...uniques, ...checks];
      return [["table", columns(schema), keyText(key, schema), ...rest].join("  ")];
    }
    case "insert":
      return [`into ${statement.relation.name}`, ...explainPlan(statement.source), ...conflict(statement)];
    case "update":
      if (statement.source !== null)
        return [`in ${statement.relation.name}`, ...explainPlan(statement.source)];
      return [
        ...statement.assigned.map(
          (c) => `set ${named(statement.relation, c)} = ${over(statement, statement.row[c]!)}`,
        ),
        ...whereText(statement, statement.where),
      ];
    case "delete":
      if (statement.source !== null)
        return [`from ${statement.relation.name}`, ...explainPlan(statement.source)];
      return [`from ${statement.relation.name}`, ...whereText(statement, statement.where)];
    case "truncate":
      return [`truncate ${statement.relations.map((r) => r.name).join(", ")}`];
    case "copyFrom": {
      const names = statement.columns.map((c) => statement.relation.schema.fields[c]!.name);
      return [`copy ${statement.relation.name} (${names.join(", ")})  ${JSON.stringify(statement.format)}`];
    }
    case "copyTo":
      return [...queryHead(statement.query), JSON.stringify(statement.format)];
    case "drop":
      return [
        `drop ${statement.object} ${statement.names.join(", ")}${statement.ifExists ? "  if exists" : ""}${statement.cascade ? "  cascade" : ""}`,
      ];
    case "alterTable":
      return [`alter ${statement.name}`, ...statement.actions.map((action) => JSON.stringify(action))];
    case "show":
      return [`${statement.name} = ${statement.value}`];
    case "begin":
    case "commit":
    case "rollback":
      return [commandTag(statement, 0)];
  }
}

/** sqlstate, place, message; then detail and hint. */
export function renderError(error: unknown): string[] {
  if (!(error instanceof EvertError)) throw error;
  const place = error.position === undefined ? "" : ` at ${error.position}`;
  return [
    `error ${error.sqlstate}${place}: ${error.message}`,
    ...(error.detail === undefined ? [] : [`detail: ${error.detail}`]),
    ...(error.hint === undefined ? [] : [`hint: ${error.hint}`]),
  ];
}

function queryHead(query: Query): string[] {
  const { schema, key, appendOnly } = query.plan;
  const shown: Schema = { fields: schema.fields.slice(0, query.visible) };
  const hidden = schema.fields.length - query.visible;
  const notes = [keyText(key, schema), appendOnly ? "append only" : "", hidden > 0 ? `${hidden} hidden` : ""];
  return [[columns(shown), ...notes.filter((n) => n !== "")].join("  ")];
}

function viewHead(statement: Statement & { kind: "createView" }): string {
  const { materialized, onError, version, sql } = statement;
  const options = [onError === "skip" ? "skip" : "", version === null ? "" : `version ${version}`];
  return [
    "view",
    materialized ? "materialized" : "plain",
    ...options.filter((o) => o !== ""),
    `<${sql}>`,
  ].join("  ");
}

/** Types; an exclamation mark: never null. */
function columns(schema: Schema): string {
  return `(${schema.fields.map((f) => `${f.name} ${typeToString(f.type)}${f.nullable ? "" : "!"}`).join(", ")})`;
}

function keyText(key: readonly number[] | null, schema: Schema): string {
  return key === null ? "no key" : `key (${key.map((k) => schema.fields[k]!.name).join(", ")})`;
}

function named(relation: CatalogRelation, column: number): string {
  return relation.schema.fields[column]!.name;
}

function over(statement: { relation: CatalogRelation }, expr: Expr): string {
  return exprText(expr, statement.relation.schema);
}

function whereText(statement: { relation: CatalogRelation }, where: Expr | null): string[] {
  return where === null ? [] : [`where ${over(statement, where)}`];
}

function conflict({ relation, conflict }: Statement & { kind: "insert" }): string[] {
  if (conflict === null) return [];
  if (conflict.action === "nothing") return ["on conflict nothing"];
  const fields = relation.schema.fields;
  const both: Schema = { fields: [...fields, ...fields.map((f) => ({ ...f, name: `excluded.${f.name}` }))] };
  const changed = conflict.row.flatMap((e, i) =>
    e.kind === "column" && e.index === i ? [] : [`on conflict set ${fields[i]!.name} = ${exprText(e, both)}`],
  );
  return [
    ...changed,
    ...(conflict.where === null ? [] : [`on conflict where ${exprText(conflict.where, both)}`]),
  ];
}

/** Every node of a plan, for checks. */
export function nodesOf(plan: Plan, inputsOf: (plan: Plan) => readonly Plan[]): Plan[] {
  return [plan, ...inputsOf(plan).flatMap((input) => nodesOf(input, inputsOf))];
}
