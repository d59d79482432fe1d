/** CREATE INDEX. */
import { EvertError, notSupported } from "../base/errors.ts";
import type { CatalogRelation } from "../plan/catalog.ts";
import { checkIndexable, checkIndexWidth } from "./constraints.ts";
import type { BindContext } from "./context.ts";
import { findRelation } from "./from.ts";
import { similar } from "./scope.ts";
import type { CreateIndexStatement, IndexItem } from "./statement-types.ts";
import { as, type NodeOf } from "./tree.ts";

/** What PostgreSQL has besides; none of it can be read in order or compared for equality alone. */
const otherMethods = ["gin", "gist", "spgist", "brin"];

export function bindCreateIndex(
  node: NodeOf<"IndexStmt">,
  text: string,
  ctx: BindContext,
): CreateIndexStatement {
  const position = ctx.position(node.relation?.location);
  const isHash = checkMethod(node, position);
  if (node.whereClause !== undefined) throw notSupported("a partial index (WHERE)", position);
  if (node.indexIncludingParams !== undefined) throw notSupported("INCLUDE", position);
  if (node.options !== undefined) throw notSupported("storage parameters of an index", position);
  if (node.tableSpace !== undefined) throw notSupported("TABLESPACE", position);
  const relation = indexed(node, ctx);
  const unique = node.unique ?? false;
  if (unique && isHash) throw notSupported("a unique index USING hash", position);
  if (unique && relation.kind === "view") {
    const hint = "What is unique in a view follows from its query.";
    throw notSupported("a unique index on a materialized view", position, hint);
  }
  const items = (node.indexParams ?? []).map((param) =>
    bindItem(as(param, "IndexElem")!, relation, position),
  );
  checkIndexWidth(items.length, position);
  if (isHash && items.length > 1) throw notSupported("an index of several columns USING hash", position);
  return {
    kind: "createIndex",
    text,
    name: node.idxname ?? null,
    relation,
    items,
    unique,
    nullsNotDistinct: node.nulls_not_distinct ?? false,
    ifNotExists: node.if_not_exists ?? false,
  };
}

/** Whether it is to be a hash index, which answers nothing that one in order does not. */
function checkMethod({ accessMethod = "btree" }: NodeOf<"IndexStmt">, position: number | undefined): boolean {
  if (otherMethods.includes(accessMethod)) throw notSupported(`an index USING ${accessMethod}`, position);
  if (accessMethod === "btree" || accessMethod === "hash") return accessMethod === "hash";
  const message = `access method "${accessMethod}" does not exist`;
  throw new EvertError("undefined_object", message, { position });
}

function indexed(node: NodeOf<"IndexStmt">, ctx: BindContext): CatalogRelation {
  const target = node.relation!;
  const position = ctx.position(target.location);
  const name = target.relname ?? "";
  if (ctx.catalog.relation(name) === undefined && ctx.catalog.inlineView?.(name) !== undefined) {
    throw new EvertError("wrong_object_type", `cannot create index on relation "${name}"`, {
      position,
      detail: "This operation is not supported for views.",
    });
  }
  const relation = findRelation(target, ctx);
  if (relation.kind !== "stream") return relation;
  const hint = "Index a materialized view of it.";
  throw notSupported("an index on an append-only table", position, hint);
}

function bindItem(
  element: NodeOf<"IndexElem">,
  relation: CatalogRelation,
  position: number | undefined,
): IndexItem {
  const { name } = element;
  if (name === undefined) throw notSupported("an index on an expression", position);
  if (element.collation !== undefined) throw notSupported("COLLATE in an index", position);
  if (element.opclass !== undefined) throw notSupported("an operator class in an index", position);
  const { fields } = relation.schema;
  const field = fields.find((f) => f.name === name);
  if (field === undefined) {
    throw new EvertError("undefined_column", `column "${name}" does not exist`, {
      position,
      hint: similar(
        name,
        fields.map((f) => f.name),
      ),
    });
  }
  checkIndexable(field, position);
  const descending = element.ordering === "SORTBY_DESC";
  const nulls = element.nulls_ordering;
  const nullsFirst = nulls === "SORTBY_NULLS_FIRST" || (nulls !== "SORTBY_NULLS_LAST" && descending);
  return { column: name, descending, nullsFirst };
}
