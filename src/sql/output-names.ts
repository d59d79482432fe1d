/** What PostgreSQL calls an output column that has no alias. */
import type { Node } from "libpg-query";
import { as, kindOf, stringOf } from "./tree.ts";

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
    default:
      return undefined;
  }
}

function strong(name: string): Figured {
  return { name, weak: false };
}
