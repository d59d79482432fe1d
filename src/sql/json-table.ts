/**
 * JSON_TABLE as the query it stands for:
 *
 *   LATERAL (SELECT the columns FROM jsonb_path_query(document, path, variables, silent) WITH ORDINALITY AS a (item, n))
 *
 * A column is a JSON_VALUE of the item, or a JSON_QUERY or JSON_EXISTS; FOR ORDINALITY is the number. NESTED PATH is a LEFT JOIN LATERAL of
 * jsonb_path_query over the item around it; several beside each other are UNION ALL of their rows, each with nulls in the others' columns.
 */
import type {
  JsonTableColumn,
  JsonTablePathSpec,
  Node,
  RangeSubselect,
  SelectStmt,
  TypeName,
} from "libpg-query";
import { EvertError } from "../base/errors.ts";
import type { BindContext } from "./context.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";

type JsonTable = NodeOf<"JsonTable">;

export function jsonTableQuery(node: JsonTable, ctx: BindContext): RangeSubselect {
  checkNames(node, ctx);
  const context = node.context_item!.raw_expr!;
  const { select } = new Writer(node).level(node.columns ?? [], cast(context, "jsonb"), node.pathspec!);
  return {
    lateral: true,
    subquery: { SelectStmt: select },
    alias: node.alias ?? { aliasname: "json_table" },
  };
}

/** All columns, nested ones too, have different names. */
function checkNames(node: JsonTable, ctx: BindContext): void {
  const names = new Set<string>();
  const visit = (columns: readonly Node[]): void => {
    for (const { name, location, columns: inner, coltype } of columns.map((n) => as(n, "JsonTableColumn")!)) {
      if (coltype === "JTC_NESTED") visit(inner ?? []);
      else if (names.has(name!)) {
        const message = `duplicate JSON_TABLE column or path name: ${name}`;
        throw new EvertError("syntax_error", message, {
          sqlstate: "42712",
          position: ctx.position(location),
        });
      } else names.add(name!);
    }
  };
  visit(node.columns ?? []);
}

/** A SELECT, and the names of its columns. */
interface Level {
  readonly select: SelectStmt;
  readonly names: readonly string[];
}

class Writer {
  readonly #node: JsonTable;
  /** Names of relations: no name in SQL begins with a blank unless somebody wants it to. */
  #relations = 0;

  constructor(node: JsonTable) {
    this.#node = node;
  }

  level(columns: readonly Node[], context: Node, path: JsonTablePathSpec): Level {
    const relation = this.#relation();
    const items = this.#items(relation, context, path);
    const item = column(relation, "item");
    const all = columns.map((n) => as(n, "JsonTableColumn")!);
    const own = all.filter((c) => c.coltype !== "JTC_NESTED");
    const nested = all
      .filter((c) => c.coltype === "JTC_NESTED")
      .map((c) => this.level(c.columns ?? [], item, c.pathspec!));
    const inner = this.#relation();
    // A row's own columns stand before those of what is nested in it, wherever that is written.
    const below = nested.flatMap((level) => level.names);
    const names = [...own.map((c) => c.name!), ...below];
    const targets = [
      ...own.map((c) => target(c.name!, this.#value(c, relation))),
      ...below.map((name) => target(name, column(inner, name))),
    ];
    const from = nested.length === 0 ? items : leftJoin(items, union(nested), inner);
    return { select: selectOf(targets, from), names };
  }

  #relation(): string {
    return ` json_table ${++this.#relations}`;
  }

  #items(relation: string, context: Node, { string: path }: JsonTablePathSpec): Node {
    const { passing = [], on_error } = this.#node;
    const variables = passing.flatMap((n) => {
      const { name, val } = as(n, "JsonArgument")!;
      return [text(name ?? ""), val!.raw_expr!];
    });
    const silent = on_error?.btype !== "JSON_BEHAVIOR_ERROR";
    const args = [context, path!, call("jsonb_build_object", variables), truth(silent)];
    return {
      RangeFunction: {
        lateral: true,
        ordinality: true,
        functions: [{ List: { items: [call("jsonb_path_query", args), { List: {} }] } }],
        alias: { aliasname: relation, colnames: [name("item"), name("n")] },
      },
    };
  }

  #value(given: JsonTableColumn, relation: string): Node {
    const { coltype, typeName, pathspec, location } = given;
    if (coltype === "JTC_FOR_ORDINALITY") return cast(column(relation, "n"), "int4");
    const exists = coltype === "JTC_EXISTS";
    const whole = coltype === "JTC_FORMATTED" || isWhole(given);
    const query: NodeOf<"JsonFuncExpr"> = {
      op: exists ? "JSON_EXISTS_OP" : whole ? "JSON_QUERY_OP" : "JSON_VALUE_OP",
      context_item: { raw_expr: column(relation, "item") },
      pathspec: pathspec?.string ?? text(`$.${JSON.stringify(given.name)}`),
      ...(this.#node.passing === undefined ? {} : { passing: this.#node.passing }),
      ...(exists ? {} : { output: { typeName: typeName! } }),
      ...(given.on_empty === undefined ? {} : { on_empty: given.on_empty }),
      ...(given.on_error === undefined ? {} : { on_error: given.on_error }),
      ...(whole
        ? { wrapper: given.wrapper ?? "JSW_UNSPEC", quotes: given.quotes ?? "JS_QUOTES_UNSPEC" }
        : {}),
      ...(location === undefined ? {} : { location }),
    };
    return exists
      ? { TypeCast: { arg: { JsonFuncExpr: query }, typeName: typeName! } }
      : { JsonFuncExpr: query };
  }
}

/** What may be an object or an array is queried, not a value. */
function isWhole({ typeName, wrapper, quotes }: JsonTableColumn): boolean {
  const type = stringOf(typeName!.names?.at(-1));
  const isList = (typeName!.arrayBounds?.length ?? 0) > 0;
  const said =
    (wrapper ?? "JSW_UNSPEC") !== "JSW_UNSPEC" || (quotes ?? "JS_QUOTES_UNSPEC") !== "JS_QUOTES_UNSPEC";
  return said || isList || type === "json" || type === "jsonb";
}

// ---- nodes ------------------------------------------------------------------------------------------------------

function name(sval: string): Node {
  return { String: { sval } };
}

function text(sval: string): Node {
  return { A_Const: { sval: { sval } } };
}

function truth(boolval: boolean): Node {
  return { A_Const: { boolval: { boolval } } };
}

function column(relation: string, field: string): Node {
  return { ColumnRef: { fields: [name(relation), name(field)] } };
}

function call(fn: string, args: Node[]): Node {
  return { FuncCall: { funcname: [name(fn)], args } };
}

function cast(arg: Node, type: string): Node {
  const typeName: TypeName = { names: [name(type)], typemod: -1 };
  return { TypeCast: { arg, typeName } };
}

function target(named: string, val: Node): Node {
  return { ResTarget: { name: named, val } };
}

function selectOf(targetList: Node[], from: Node): SelectStmt {
  return { targetList, fromClause: [from], limitOption: "LIMIT_OPTION_DEFAULT", op: "SETOP_NONE" };
}

/** The rows of all, in the columns of all. */
function union(levels: readonly Level[]): SelectStmt {
  const [only] = levels;
  if (levels.length === 1) return only!.select;
  const padded = levels.map(({ select }, own): SelectStmt => {
    const targets = levels.flatMap((level, i) =>
      i === own ? select.targetList! : level.names.map((n) => target(n, { A_Const: { isnull: true } })),
    );
    return { ...select, targetList: targets };
  });
  return padded.reduce((larg, rarg) => ({
    op: "SETOP_UNION",
    all: true,
    limitOption: "LIMIT_OPTION_DEFAULT",
    larg,
    rarg,
  }));
}

function leftJoin(larg: Node, select: SelectStmt, relation: string): Node {
  const rarg: Node = {
    RangeSubselect: { lateral: true, subquery: { SelectStmt: select }, alias: { aliasname: relation } },
  };
  return { JoinExpr: { jointype: "JOIN_LEFT", larg, rarg, quals: truth(true) } };
}
