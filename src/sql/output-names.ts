/** What PostgreSQL calls an output column that has no alias. */
import type { Node, SelectStmt } from "libpg-query";
import { as, kindOf, type NodeKind, type NodeOf, stringOf } from "./tree.ts";

const NAMELESS = "?column?";

export function outputName(node: Node): string {
  return figure(node)?.name ?? NAMELESS;
}

/** A weak name gives way to a better one further out or in. */
interface Figured {
  readonly name: string;
  readonly weak: boolean;
}

function figure(node: Node | undefined): Figured | undefined {
  if (node === undefined) return undefined;
  switch (kindOf(node)) {
    case "ColumnRef": {
      const last = as(node, "ColumnRef")!.fields?.at(-1);
      return as(last, "String") === undefined ? undefined : strong(stringOf(last));
    }
    case "A_Indirection": {
      const { arg, indirection } = as(node, "A_Indirection")!;
      const field = indirection?.findLast((step) => as(step, "String") !== undefined);
      return field === undefined ? figure(arg) : strong(stringOf(field));
    }
    case "FuncCall":
      return strong(stringOf(as(node, "FuncCall")!.funcname?.at(-1)));
    case "A_Expr":
      return as(node, "A_Expr")!.kind === "AEXPR_NULLIF" ? strong("nullif") : undefined;
    case "TypeCast": {
      const cast = as(node, "TypeCast")!;
      const inner = figure(cast.arg);
      const type = cast.typeName?.names?.at(-1);
      return inner !== undefined && !inner.weak ? inner : { name: stringOf(type), weak: true };
    }
    case "CollateClause":
      return figure(as(node, "CollateClause")!.arg);
    case "CaseExpr": {
      const inner = figure(as(node, "CaseExpr")!.defresult);
      return inner !== undefined && !inner.weak ? inner : { name: "case", weak: true };
    }
    case "GroupingFunc":
      return strong("grouping");
    case "A_ArrayExpr":
      return strong("array");
    case "SubLink":
      return subqueryName(as(node, "SubLink")!);
    case "RowExpr":
      return strong("row");
    case "CoalesceExpr":
      return strong("coalesce");
    case "MinMaxExpr":
      return strong(as(node, "MinMaxExpr")!.op === "IS_LEAST" ? "least" : "greatest");
    case "SQLValueFunction":
      return strong(
        as(node, "SQLValueFunction")!
          .op!.replace(/^SVFOP_/, "")
          .replace(/_N$/, "")
          .toLowerCase(),
      );
    case "JsonFuncExpr":
      return strong(as(node, "JsonFuncExpr")!.op!.replace(/_OP$/, "").toLowerCase());
    default:
      return named[kindOf(node)];
  }
}

const named: Partial<Record<NodeKind, Figured>> = {
  JsonObjectConstructor: strong("json_object"),
  JsonArrayConstructor: strong("json_array"),
  JsonArrayQueryConstructor: strong("json_array"),
  JsonObjectAgg: strong("json_objectagg"),
  JsonArrayAgg: strong("json_arrayagg"),
  JsonParseExpr: strong("json"),
  JsonScalarExpr: strong("json_scalar"),
  JsonSerializeExpr: strong("json_serialize"),
};

function subqueryName(link: NodeOf<"SubLink">): Figured | undefined {
  switch (link.subLinkType) {
    case "EXISTS_SUBLINK":
      return strong("exists");
    case "ARRAY_SUBLINK":
      return strong("array");
    case "EXPR_SUBLINK":
      return columnName(as(link.subselect, "SelectStmt"));
    default:
      return undefined;
  }
}

/** Of a query's first column, as far as it can be seen without its tables. */
function columnName(select: SelectStmt | undefined): Figured | undefined {
  if (select === undefined) return undefined;
  if (select.larg !== undefined) return columnName(select.larg);
  if (select.valuesLists !== undefined) return strong("column1");
  const target = as(select.targetList?.[0], "ResTarget");
  return target?.name === undefined ? figure(target?.val) : strong(target.name);
}

function strong(name: string): Figured {
  return { name, weak: false };
}
