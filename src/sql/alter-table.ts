/**
 * ALTER TABLE: what is to become of a topic's columns and of its name. What its columns are when it is done is known to the engine alone; here the new
 * ones are bound, and the order is PostgreSQL's: what is dropped goes first, then types change, then columns come, then what is said of them.
 */
import type { AlterTableCmd, Constraint } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { SqlType } from "../batch/types.ts";
import type { CatalogRelation } from "../plan/catalog.ts";
import type { BindContext } from "./context.ts";
import { bindColumnDef, type Column } from "./create.ts";
import { bindSetDefault } from "./declared-default.ts";
import { bindDefaultText } from "./default-text.ts";
import type { AlterAction, AlterTableStatement } from "./statement-types.ts";
import { as, type NodeOf, startOf } from "./tree.ts";
import { bindTypeName } from "./type-names.ts";

const passes: readonly (readonly AlterAction["action"][])[] = [
  ["dropColumn", "dropDefault", "dropNotNull"],
  ["alterType"],
  ["addColumn"],
  ["setNotNull"],
  ["setDefault"],
];

export function bindAlterTable(
  node: NodeOf<"AlterTableStmt">,
  text: string,
  ctx: BindContext,
): AlterTableStatement {
  if (node.objtype !== "OBJECT_TABLE") {
    throw notSupported("ALTER of anything but a table", ctx.position(node.relation?.location));
  }
  const { name, relation } = altered(node.relation!, ctx);
  const ifExists = node.missing_ok ?? false;
  const actions: AlterAction[] = [];
  for (const wrapped of node.cmds ?? []) {
    const action = bindAction(as(wrapped, "AlterTableCmd")!, name, relation, actions, ctx);
    if (action !== null) actions.push(action);
  }
  const pass = ({ action }: AlterAction): number => passes.findIndex((kinds) => kinds.includes(action));
  actions.sort((a, b) => pass(a) - pass(b));
  return { kind: "alterTable", text, name, ifExists, actions };
}

/** RENAME COLUMN and RENAME TO. */
export function bindRename(node: NodeOf<"RenameStmt">, text: string, ctx: BindContext): AlterTableStatement {
  const position = ctx.position(node.relation?.location);
  const isColumn = node.renameType === "OBJECT_COLUMN" && node.relationType === "OBJECT_TABLE";
  if (!isColumn && node.renameType !== "OBJECT_TABLE") {
    throw notSupported("RENAME of anything but a table or its columns", position);
  }
  const { name } = altered(node.relation!, ctx);
  const to = node.newname ?? "";
  const action: AlterAction = isColumn
    ? { action: "renameColumn", column: node.subname ?? "", to }
    : { action: "renameTo", to };
  return { kind: "alterTable", text, name, ifExists: node.missing_ok ?? false, actions: [action] };
}

function altered(
  node: NodeOf<"RangeVar">,
  ctx: BindContext,
): { name: string; relation: CatalogRelation | undefined } {
  const name = node.relname ?? "";
  if (node.schemaname !== undefined && node.schemaname !== "public") {
    throw new EvertError("undefined_object", `schema "${node.schemaname}" does not exist`, {
      sqlstate: "3F000",
      position: ctx.position(node.location),
    });
  }
  return { name, relation: ctx.catalog.relation(name) };
}

/** Null: it says what holds anyway. */
function bindAction(
  command: AlterTableCmd,
  table: string,
  relation: CatalogRelation | undefined,
  before: readonly AlterAction[],
  ctx: BindContext,
): AlterAction | null {
  const column = command.name ?? "";
  const position = command.def === undefined ? undefined : ctx.position(startOf(command.def));
  const ifExists = command.missing_ok ?? false;
  switch (command.subtype) {
    case "AT_AddColumn":
      return bindAdd(as(command.def, "ColumnDef")!, table, ifExists, ctx);
    case "AT_DropColumn":
      return { action: "dropColumn", column, ifExists, cascade: command.behavior === "DROP_CASCADE" };
    case "AT_ColumnDefault": {
      if (command.def === undefined) return { action: "dropDefault", column };
      const type = typeOfColumn(column, relation, before);
      // What is no column is refused by the engine, which knows when.
      if (type === undefined) return { action: "dropDefault", column };
      return { action: "setDefault", column, type, fallback: bindSetDefault(command.def, column, type, ctx) };
    }
    case "AT_SetNotNull":
      return { action: "setNotNull", column };
    case "AT_DropNotNull":
      return { action: "dropNotNull", column };
    case "AT_AlterColumnType": {
      const { typeName, raw_default, collClause } = as(command.def, "ColumnDef")!;
      if (collClause !== undefined) throw notSupported("COLLATE in ALTER TABLE", position);
      if (raw_default !== undefined) {
        const hint = "Make a new column, or a new table, and fill it with UPDATE or INSERT ... SELECT.";
        throw notSupported("ALTER COLUMN ... TYPE ... USING", position, hint);
      }
      return { action: "alterType", column, type: bindTypeName(typeName!, ctx) };
    }
    case "AT_AddConstraint": {
      const { contype } = as(command.def, "Constraint")!;
      const hint =
        contype === "CONSTR_UNIQUE"
          ? "CREATE UNIQUE INDEX does the same."
          : contype === "CONSTR_NOTNULL"
            ? "ALTER COLUMN ... SET NOT NULL does the same."
            : contype === "CONSTR_PRIMARY" || contype === "CONSTR_CHECK"
              ? "Make a new table that has it, and fill it with INSERT ... SELECT."
              : undefined;
      throw notSupported("ALTER TABLE ... ADD CONSTRAINT", position, hint);
    }
    default:
      throw notSupported(`ALTER TABLE ... ${wordsOf(command)}`, position);
  }
}

function bindAdd(
  node: NodeOf<"ColumnDef">,
  table: string,
  ifNotExists: boolean,
  ctx: BindContext,
): AlterAction {
  const { field, fallback, constraints }: Column = bindColumnDef(node, table, ctx);
  const [constraint] = constraints as readonly Constraint[];
  if (constraint !== undefined) {
    const hint = "Add the column, then CREATE UNIQUE INDEX where its values are to be unique.";
    throw notSupported("ADD COLUMN with a key or a CHECK", ctx.position(constraint.location), hint);
  }
  const given = fallback.text === null ? null : bindDefaultText(fallback.text, field.type, field.name, ctx);
  return { action: "addColumn", field, fallback, given, ifNotExists };
}

function typeOfColumn(
  name: string,
  relation: CatalogRelation | undefined,
  before: readonly AlterAction[],
): SqlType | undefined {
  let type = relation?.schema.fields.find((f) => f.name === name)?.type;
  for (const action of before) {
    if (action.action === "addColumn" && action.field.name === name) type ??= action.field.type;
    if (action.action === "alterType" && action.column === name) type = action.type;
  }
  return type;
}

function wordsOf({ subtype = "AT_AddColumn" }: AlterTableCmd): string {
  return subtype
    .slice(3)
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toUpperCase();
}
