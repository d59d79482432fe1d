/** CREATE TABLE and CREATE [MATERIALIZED] VIEW. */
import type { ColumnDef, Constraint, IntoClause, Node, RangeVar } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { type Field, schemaOf } from "../batch/schema.ts";
import { checkKeeping, type Keeping } from "../plan/keeping.ts";
import { bindQuery } from "./bind-query.ts";
import { bindConstraints, type Declared, primaryKey, refuseConstraint, saysNothing } from "./constraints.ts";
import { type BindContext, checkColumnCount } from "./context.ts";
import { bindDefault, domainDefault, nextPlace } from "./declared-default.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import {
  changedKeeping,
  deadLettersOption,
  KEEPING_OPTIONS,
  keepingOptions,
  unknownOption,
} from "./keeping-options.ts";
import { boolOption, optionsOf, textOption } from "./options.ts";
import { emptyScope } from "./scope.ts";
import type { CreateTableStatement, CreateViewStatement, Default } from "./statement-types.ts";
import { textBehindAs } from "./tokens.ts";
import { as, kindOf, locationOf, type NodeOf, stringOf } from "./tree.ts";
import { bindTypeName } from "./type-names.ts";

/** A column as it is declared. */
export interface Column {
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
  checkStorage(
    { onCommit: node.oncommit, accessMethod: node.accessMethod, tablespace: node.tablespacename },
    place,
  );
  const { appendOnly, keeping, deadLetters } = tableOptions(node, ctx);
  const columns: Column[] = [];
  const constraints: Constraint[] = [];
  for (const element of node.tableElts ?? []) {
    const definition = as(element, "ColumnDef");
    const constraint = as(element, "Constraint");
    if (definition !== undefined) columns.push(bindColumnOf(definition, name, columns, ctx));
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
    deadLetters,
    keeping: keptBy(keeping, appendOnly ? "stream" : "table", key !== null),
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

/** Where and how rows lie is not for SQL to say here; what nobody would do is refused, not passed over. */
function checkStorage(
  said: {
    readonly onCommit: NodeOf<"CreateStmt">["oncommit"];
    readonly accessMethod: string | undefined;
    readonly tablespace: string | undefined;
  },
  position: number | undefined,
): void {
  if (said.onCommit !== undefined && said.onCommit !== "ONCOMMIT_NOOP") {
    const message = "ON COMMIT can only be used on temporary tables";
    throw new EvertError("invalid_table_definition", message, { position });
  }
  if (said.accessMethod !== undefined) throw notSupported("USING of a table's access method", position);
  if (said.tablespace !== undefined) throw notSupported("TABLESPACE", position);
}

function keptBy(
  keeping: Keeping | undefined,
  topicKind: "stream" | "table",
  hasKey: boolean,
): Keeping | undefined {
  if (keeping !== undefined) checkKeeping(keeping, topicKind, hasKey);
  return keeping;
}

function tableOptions(
  node: NodeOf<"CreateStmt">,
  ctx: BindContext,
): Pick<CreateTableStatement, "appendOnly" | "keeping" | "deadLetters"> {
  const all = optionsOf(node.options);
  for (const option of all)
    if (option.name !== "append_only" && !KEEPING_OPTIONS.includes(option.name))
      throw unknownOption(option, ctx);
  const appendOnly = all.findLast(({ name }) => name === "append_only");
  const others = all.filter(({ name }) => name !== "append_only");
  return {
    appendOnly: appendOnly !== undefined && boolOption(appendOnly, ctx),
    keeping: changedKeeping(undefined, keepingOptions(others, ctx)),
    deadLetters: deadLettersOption(others, ctx),
  };
}

function bindColumnOf(node: ColumnDef, table: string, before: readonly Column[], ctx: BindContext): Column {
  const name = node.colname ?? "";
  const position = ctx.position(node.location);
  if (before.some((c) => c.field.name === name)) {
    throw new EvertError("duplicate_column", `column "${name}" specified more than once`, { position });
  }
  return bindColumnDef(node, table, ctx);
}

export function bindColumnDef(node: ColumnDef, table: string, ctx: BindContext): Column {
  const name = node.colname ?? "";
  if (node.collClause !== undefined) bindCollation(node.collClause, ctx);
  const place = ctx.position(node.location);
  if (node.storage_name !== undefined) throw notSupported("STORAGE of a column", place);
  if (node.compression !== undefined) throw notSupported("COMPRESSION of a column", place);
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
        fallback = bindDefault(constraint, nextPlace(node.constraints, constraint), name, type, ctx);
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
  return { field, fallback: fallback ?? domainDefault(type, name, ctx), constraints };
}

function bindCollation(clause: NodeOf<"CollateClause">, ctx: BindContext): void {
  const literal: Node = { A_Const: { sval: { sval: "" }, location: clause.location } };
  bindExpr(
    { CollateClause: { ...clause, arg: literal } },
    plainPlace(ctx, emptyScope(), "column definitions"),
  );
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
  checkStorage(
    { onCommit: into.onCommit, accessMethod: into.accessMethod, tablespace: into.tableSpaceName },
    position,
  );
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
