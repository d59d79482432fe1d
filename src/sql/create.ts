/** CREATE TABLE and CREATE [MATERIALIZED] VIEW. */
import type { ColumnDef, Constraint, IntoClause, Node, RangeVar } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { type Field, schemaOf } from "../batch/schema.ts";
import type { Datum } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { bindQuery } from "./bind-query.ts";
import { type Bound, boundType, coerce } from "./bound.ts";
import { DEFAULTS } from "./clock.ts";
import { bindConstraints, type Declared, primaryKey, refuseConstraint, saysNothing } from "./constraints.ts";
import { type BindContext, checkColumnCount } from "./context.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import { withoutDomain } from "./in-domain.ts";
import { textOfDefault } from "./kept-text.ts";
import { boolOption, optionsOf, textOption } from "./options.ts";
import { emptyScope } from "./scope.ts";
import type { CreateTableStatement, CreateViewStatement } from "./statement-types.ts";
import { textBehindAs } from "./tokens.ts";
import { as, kindOf, locationOf, type NodeOf, startOf, stringOf } from "./tree.ts";
import { bindTypeName } from "./type-names.ts";

/** A constant or, where that is not known before rows are stored, its text. */
interface Default {
  readonly value: Datum;
  readonly text: string | null;
}

interface Column {
  readonly field: Field;
  readonly fallback: Default;
  /** What else is said of it: its keys and checks. */
  readonly constraints: readonly Constraint[];
}

export function bindCreateTable(
  node: NodeOf<"CreateStmt">,
  text: string,
  ctx: BindContext,
): CreateTableStatement {
  const name = relationName(node.relation!, ctx);
  const place = ctx.position(node.relation?.location);
  if (node.inhRelations !== undefined || node.partspec !== undefined || node.partbound !== undefined) {
    throw notSupported("a table that inherits or is partitioned", place);
  }
  if (node.ofTypename !== undefined) throw notSupported("CREATE TABLE OF", place);
  const appendOnly = tableOptions(node, ctx);
  const columns: Column[] = [];
  const constraints: Constraint[] = [];
  for (const element of node.tableElts ?? []) {
    const definition = as(element, "ColumnDef");
    const constraint = as(element, "Constraint");
    if (definition !== undefined) columns.push(bindColumnDef(definition, name, columns, ctx));
    else if (constraint !== undefined) constraints.push(constraint);
    else
      throw notSupported(
        kindOf(element) === "TableLikeClause" ? "CREATE TABLE (LIKE ...)" : kindOf(element),
        place,
      );
  }
  checkColumnCount(columns.length);
  if (columns.length === 0) throw notSupported("a table without columns", place);
  const declared: Declared[] = [
    ...columns.flatMap((c, column) => c.constraints.map((constraint) => ({ constraint, column }))),
    ...constraints.map((constraint) => ({ constraint, column: null })),
  ];
  const table = { name, fields: columns.map((c) => c.field), appendOnly };
  const key = primaryKey(declared, table, ctx);
  const fields = columns.map(({ field }, i) =>
    key?.columns.includes(i) === true ? { ...field, nullable: false } : field,
  );
  return {
    kind: "createTable",
    text,
    name,
    ifNotExists: node.if_not_exists ?? false,
    schema: schemaOf(fields),
    key: key?.columns ?? null,
    appendOnly,
    defaults: columns.map((c) => c.fallback.value),
    defaultTexts: columns.map((c) => c.fallback.text),
    constraints: bindConstraints(declared, { ...table, fields }, key, ctx),
  };
}

/** The name of something to be made: in the only schema there is. */
function relationName(relation: RangeVar, ctx: BindContext): string {
  const position = ctx.position(relation.location);
  if (relation.relpersistence === "t") throw notSupported("a temporary table", position);
  if (relation.relpersistence === "u") throw notSupported("an unlogged table", position);
  if (relation.schemaname !== undefined && relation.schemaname !== "public") {
    throw new EvertError("undefined_object", `schema "${relation.schemaname}" does not exist`, {
      sqlstate: "3F000",
      position,
    });
  }
  return relation.relname ?? "";
}

function tableOptions(node: NodeOf<"CreateStmt">, ctx: BindContext): boolean {
  let appendOnly = false;
  for (const option of optionsOf(node.options)) {
    if (option.name !== "append_only") {
      throw new EvertError("invalid_argument", `unrecognized parameter "${option.name}"`, {
        position: ctx.position(option.location),
        hint: "CREATE TABLE knows one: append_only.",
      });
    }
    appendOnly = boolOption(option, ctx);
  }
  return appendOnly;
}

function bindColumnDef(node: ColumnDef, table: string, before: readonly Column[], ctx: BindContext): Column {
  const name = node.colname ?? "";
  const position = ctx.position(node.location);
  if (before.some((c) => c.field.name === name)) {
    throw new EvertError("duplicate_column", `column "${name}" specified more than once`, { position });
  }
  if (node.collClause !== undefined) bindCollation(node.collClause, ctx);
  const type = bindTypeName(node.typeName!, ctx);
  let says: "CONSTR_NULL" | "CONSTR_NOTNULL" | null = null;
  let fallback: Default | null = null;
  const constraints: Constraint[] = [];
  for (const wrapped of node.constraints ?? []) {
    const constraint = as(wrapped, "Constraint")!;
    switch (constraint.contype) {
      case "CONSTR_NULL":
      case "CONSTR_NOTNULL":
        if (says !== null && says !== constraint.contype) {
          const message = `conflicting NULL/NOT NULL declarations for column "${name}" of table "${table}"`;
          throw new EvertError("syntax_error", message, { position: ctx.position(constraint.location) });
        }
        says = constraint.contype;
        break;
      case "CONSTR_DEFAULT":
        if (fallback !== null) {
          const message = `multiple default values specified for column "${name}" of table "${table}"`;
          throw new EvertError("syntax_error", message, { position: ctx.position(constraint.location) });
        }
        fallback = bindDefault(constraint, nextPlace(node, constraint), name, type, ctx);
        break;
      case "CONSTR_PRIMARY":
      case "CONSTR_UNIQUE":
      case "CONSTR_CHECK":
        constraints.push(constraint);
        break;
      default:
        if (!saysNothing(constraint)) throw refuseConstraint(constraint, ctx);
    }
  }
  const field = { name, type, nullable: says !== "CONSTR_NOTNULL" };
  return { field, fallback: fallback ?? { value: null, text: null }, constraints };
}

function bindCollation(clause: NodeOf<"CollateClause">, ctx: BindContext): void {
  const literal: Node = { A_Const: { sval: { sval: "" }, location: clause.location } };
  bindExpr(
    { CollateClause: { ...clause, arg: literal } },
    plainPlace(ctx, emptyScope(), "column definitions"),
  );
}

function bindFallback(node: Node, position: number | undefined, ctx: BindContext): Bound {
  try {
    return bindExpr(node, plainPlace(ctx, emptyScope(), DEFAULTS));
  } catch (error) {
    if (!(error instanceof EvertError) || !["undefined_column", "undefined_table"].includes(error.code))
      throw error;
    // No column has a value before the row is there.
    throw new EvertError("feature_not_supported", "cannot use column reference in DEFAULT expression", {
      position: error.position ?? position,
      cause: error,
    });
  }
}

/** Where the column's next constraint begins, if there is one. */
function nextPlace(node: ColumnDef, { location = 0 }: Constraint): number {
  const places = (node.constraints ?? []).map((n) => as(n, "Constraint")!.location ?? 0);
  return Math.min(...places.filter((place) => place > location), Number.MAX_SAFE_INTEGER);
}

function bindDefault(
  { raw_expr, location }: Constraint,
  end: number,
  column: string,
  type: Field["type"],
  ctx: BindContext,
): Default {
  const position = ctx.position(startOf(raw_expr!));
  // What a row is given must not depend on when the table was made.
  ctx.literalClock = null;
  const bound = bindFallback(raw_expr!, position, ctx);
  const expr = coerce(bound, withoutDomain(type), "assignment", ctx);
  if (expr === undefined) {
    const from = sqlTypeName(boundType(bound));
    const message = `column "${column}" is of type ${sqlTypeName(type)} but default expression is of type ${from}`;
    throw new EvertError("datatype_mismatch", message, { position });
  }
  if (expr.kind === "const") return { value: expr.value, text: null };
  return { value: null, text: textOfDefault(ctx.source.slice(location ?? 0, end)) };
}

// ---- views ------------------------------------------------------------------------------------------------------

export function bindCreateView(
  node: NodeOf<"ViewStmt">,
  text: string,
  ctx: BindContext,
): CreateViewStatement {
  const position = ctx.position(node.view?.location);
  if (node.replace) throw notSupported("CREATE OR REPLACE VIEW", position, "Drop the view first.");
  if (node.withCheckOption !== undefined && node.withCheckOption !== "NO_CHECK_OPTION") {
    throw notSupported("WITH CHECK OPTION", position);
  }
  const target = { relation: node.view!, aliases: node.aliases, options: node.options };
  return bindViewOf(node.query!, target, { materialized: false, ifNotExists: false, text }, ctx);
}

export function bindCreateAs(
  node: NodeOf<"CreateTableAsStmt">,
  text: string,
  ctx: BindContext,
): CreateViewStatement {
  const into = node.into as IntoClause;
  const position = ctx.position(into.rel?.location);
  if (node.objtype !== "OBJECT_MATVIEW") throw notSupported("CREATE TABLE AS", position);
  if (into.skipData) throw notSupported("WITH NO DATA", position);
  const target = { relation: into.rel!, aliases: into.colNames, options: into.options };
  return bindViewOf(
    node.query!,
    target,
    { materialized: true, ifNotExists: node.if_not_exists ?? false, text },
    ctx,
  );
}

function bindViewOf(
  queryNode: Node,
  target: { relation: RangeVar; aliases: Node[] | undefined; options: Node[] | undefined },
  form: { materialized: boolean; ifNotExists: boolean; text: string },
  ctx: BindContext,
): CreateViewStatement {
  const name = relationName(target.relation, ctx);
  const position = ctx.position(target.relation.location);
  const select = as(queryNode, "SelectStmt");
  if (select === undefined)
    throw notSupported("a view of anything but a SELECT", ctx.position(locationOf(queryNode)));
  const columns = target.aliases?.map(stringOf) ?? null;
  const { onError, version, sink } = viewOptions(target.options, ctx);
  if (sink !== null && !form.materialized) {
    throw notSupported("a sink of a view without rows of its own", position, "Make it MATERIALIZED.");
  }
  const query = bindQuery(select, ctx, columns ?? undefined);
  checkColumnNames(
    query.plan.schema.fields.slice(0, query.visible).map((f) => f.name),
    columns,
    position,
  );
  return {
    kind: "createView",
    name,
    ...form,
    sql: textBehindAs(form.text),
    columns,
    query,
    onError,
    version,
    sink,
  };
}

function checkColumnNames(
  names: readonly string[],
  given: readonly string[] | null,
  position: number | undefined,
): void {
  if (given !== null && given.length > names.length) {
    const message = "CREATE VIEW specifies more column names than columns";
    throw new EvertError("syntax_error", message, { position });
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new EvertError("duplicate_column", `column "${twice}" specified more than once`, {
      position,
      hint: "Give each column of the view a name of its own, with AS or in CREATE VIEW name (a, b, ...).",
    });
  }
}

function viewOptions(nodes: readonly Node[] | undefined, ctx: BindContext) {
  let onError: "fail" | "skip" = "fail";
  let version: string | null = null;
  let sink: string | null = null;
  for (const option of optionsOf(nodes)) {
    const position = ctx.position(option.location);
    if (option.name === "version") version = textOption(option, ctx);
    else if (option.name === "sink") sink = textOption(option, ctx);
    else if (option.name === "on_error") {
      const value = textOption(option, ctx);
      if (value !== "skip" && value !== "fail") {
        const message = `invalid value for option "on_error": "${value}"`;
        throw new EvertError("invalid_argument", message, { position, hint: "It is 'fail' or 'skip'." });
      }
      onError = value;
    } else {
      throw new EvertError("invalid_argument", `unrecognized parameter "${option.name}"`, {
        position,
        hint: "A view knows three: on_error, sink and version.",
      });
    }
  }
  return { onError, version, sink };
}
