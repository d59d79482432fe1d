/** From a parsed statement to a bound one: who binds what, and what is refused by name. */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { Catalog } from "../plan/catalog.ts";
import type { OptimizedQuery } from "../plan/plan.ts";
import { bindAlterTable, bindRename } from "./alter-table.ts";
import { bindQuery } from "./bind-query.ts";
import { bindDelete, bindInsert, bindTruncate, bindUpdate } from "./change.ts";
import { BindContext, PARAMS_MAX, paramFromJson, type SqlParam, type StatementTime } from "./context.ts";
import { bindCopy } from "./copy.ts";
import { bindCreateAs, bindCreateTable, bindCreateView } from "./create.ts";
import { bindCreateDomain } from "./create-domain.ts";
import { bindCreateIndex } from "./create-index.ts";
import { bindCreateEnum, droppedType } from "./create-type.ts";
import { bindExplain } from "./explain.ts";
import { bindAlterKeeping } from "./keeping-options.ts";
import { optionsOf } from "./options.ts";
import { type ParsedStatement, parseStatements } from "./parser.ts";
import type { DropStatement, ShowStatement, Statement, TransactionStatement } from "./statement-types.ts";
import { textBehindAs } from "./tokens.ts";
import { as, kindOf, type NodeOf, stringOf } from "./tree.ts";

export interface BindOptions {
  /** now(), for statements that run once. Absent: it is refused. */
  readonly time?: StatementTime;
}

/** @throws EvertError with the SQLSTATE and the place PostgreSQL would give. */
export function bindStatement(
  parsed: ParsedStatement,
  catalog: Catalog,
  params: readonly SqlParam[] = [],
  options: BindOptions = {},
): Statement {
  checkParams(params);
  const defines = definedBy(parsed.node);
  const ctx = new BindContext({
    catalog,
    source: parsed.source,
    params: defines === null && !isKept(parsed.node) ? params : [],
    time: options.time ?? null,
    defines,
  });
  return guarded(parsed, () => bindNode(parsed, ctx));
}

/**
 * The query of a view: the text of one SELECT (or VALUES), its $n given as JSON values. `columns`: names for its first
 * columns, or null.
 */
export function bindView(
  sql: string,
  columns: readonly string[] | null,
  catalog: Catalog,
  params: readonly unknown[] = [],
): OptimizedQuery {
  const given = params.map(paramFromJson);
  checkParams(given);
  const [parsed, another] = parseStatements(sql);
  const select = parsed === undefined ? undefined : as(parsed.node, "SelectStmt");
  if (parsed === undefined || select === undefined || another !== undefined) {
    throw new EvertError("syntax_error", "a view is defined by one SELECT", {
      position: (another ?? parsed)?.position,
    });
  }
  const ctx = new BindContext({
    catalog,
    source: parsed.source,
    params: given,
    time: null,
    defines: "a view",
  });
  return guarded(parsed, () => bindQuery(select, ctx, columns ?? undefined));
}

/** The query of a plain view, from the CREATE VIEW that is kept of it. */
export function bindPlainView(text: string, catalog: Catalog): OptimizedQuery {
  return bindView(textBehindAs(text), null, catalog);
}

function checkParams(params: readonly SqlParam[]): void {
  if (params.length <= PARAMS_MAX) return;
  throw new EvertError("statement_too_complex", `a statement can have at most ${PARAMS_MAX} parameters`);
}

/**
 * Depth is bounded, but who calls may stand deep in the stack already. And what is not there yet is always refused with a place: the
 * statement's beginning where nothing nearer is known.
 */
function guarded<T>(parsed: ParsedStatement, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) {
      throw new EvertError("statement_too_complex", "statement is nested too deeply", { cause: error });
    }
    if (
      error instanceof EvertError &&
      error.code === "feature_not_supported" &&
      error.position === undefined
    ) {
      const { message, detail, hint } = error;
      throw new EvertError(error.code, message, { detail, hint, position: parsed.position, cause: error });
    }
    throw error;
  }
}

function definedBy(node: Node): string | null {
  if (as(node, "ViewStmt") !== undefined) return "a view";
  if (as(node, "CreateTableAsStmt") !== undefined) return "a materialized view";
  const explained = as(node, "ExplainStmt")?.query;
  return explained === undefined ? null : definedBy(explained);
}

/** Tables and domains keep their conditions and defaults as text, which means the same whenever it is read: it has no parameters. */
function isKept(node: Node): boolean {
  const kept = ["CreateStmt", "CreateDomainStmt", "AlterTableStmt"] as const;
  return kept.some((kind) => as(node, kind) !== undefined);
}

function bindNode(parsed: ParsedStatement, ctx: BindContext): Statement {
  const { node, text } = parsed;
  switch (kindOf(node)) {
    case "SelectStmt":
      return { kind: "select", text, query: bindQuery(as(node, "SelectStmt")!, ctx) };
    case "InsertStmt":
      return bindInsert(as(node, "InsertStmt")!, text, ctx);
    case "UpdateStmt":
      return bindUpdate(as(node, "UpdateStmt")!, text, ctx);
    case "DeleteStmt":
      return bindDelete(as(node, "DeleteStmt")!, text, ctx);
    case "TruncateStmt":
      return bindTruncate(as(node, "TruncateStmt")!, text, ctx);
    case "CopyStmt":
      return bindCopy(as(node, "CopyStmt")!, text, ctx);
    case "CreateStmt":
      return bindCreateTable(as(node, "CreateStmt")!, text, ctx);
    case "CreateTableAsStmt":
      return bindCreateAs(as(node, "CreateTableAsStmt")!, text, ctx);
    case "ViewStmt":
      return bindCreateView(as(node, "ViewStmt")!, text, ctx);
    case "CreateEnumStmt":
      return bindCreateEnum(as(node, "CreateEnumStmt")!, text);
    case "CreateDomainStmt":
      return bindCreateDomain(as(node, "CreateDomainStmt")!, text, ctx);
    case "IndexStmt":
      return bindCreateIndex(as(node, "IndexStmt")!, text, ctx);
    case "AlterTableStmt": {
      const alter = as(node, "AlterTableStmt")!;
      return bindAlterKeeping(alter, text, ctx) ?? bindAlterTable(alter, text, ctx);
    }
    case "RenameStmt":
      return bindRename(as(node, "RenameStmt")!, text, ctx);
    case "DropStmt":
      return bindDrop(as(node, "DropStmt")!, parsed);
    case "TransactionStmt":
      return bindTransaction(as(node, "TransactionStmt")!, parsed);
    case "ExplainStmt":
      return bindExplain(as(node, "ExplainStmt")!, parsed, ctx, (inner) =>
        bindNode({ ...parsed, node: inner }, ctx),
      );
    case "VariableShowStmt":
      return bindShow(as(node, "VariableShowStmt")!, parsed);
    case "RefreshMatViewStmt":
      throw notSupported(
        "REFRESH MATERIALIZED VIEW",
        parsed.position,
        "A view is always up to date. DROP it and CREATE it WITH (version = '2') to build it anew.",
      );
    default:
      throw notSupported(statementWords(parsed), parsed.position);
  }
}

/** The statement's first words in capitals, as far as they say what it is: `CREATE INDEX`. */
function statementWords({ text }: ParsedStatement): string {
  const words = (firstWords.exec(text)?.[0] ?? "this statement").replace(/\s+/g, " ").toUpperCase();
  // An enum is made by it.
  return words === "CREATE TYPE" ? "CREATE TYPE of anything but an enum" : words;
}

const kinds =
  "access|aggregate|by|cast|class|collation|configuration|conversion|data|database|default|dictionary|domain|event|extension|family|" +
  "foreign|function|index|label|language|materialized|method|operator|or|owned|parser|policy|privileges|procedure|publication|replace|role|" +
  "rule|schema|search|sequence|server|statistics|subscription|system|table|tablespace|template|text|transaction|transform|trigger|type|" +
  "unique|user|view|wrapper";
const firstWords = new RegExp(`^[a-z]+(\\s+(${kinds})\\b)*`, "i");

const droppable: Readonly<Record<string, DropStatement["object"]>> = {
  OBJECT_TABLE: "table",
  OBJECT_VIEW: "view",
  OBJECT_MATVIEW: "materialized view",
  OBJECT_TYPE: "type",
  OBJECT_DOMAIN: "domain",
  OBJECT_INDEX: "index",
};

function bindDrop(node: NodeOf<"DropStmt">, parsed: ParsedStatement): DropStatement {
  const object = droppable[node.removeType ?? ""];
  if (object === undefined) throw notSupported(statementWords(parsed), parsed.position);
  const names = (node.objects ?? []).map((wrapped) => {
    if (object === "type" || object === "domain") return droppedType(wrapped);
    const parts = (as(wrapped, "List")?.items ?? []).map(stringOf);
    if (parts.length === 1 || (parts.length === 2 && parts[0] === "public")) return parts.at(-1)!;
    throw new EvertError("undefined_object", `schema "${parts.at(-2)}" does not exist`, {
      sqlstate: "3F000",
    });
  });
  const { text } = parsed;
  const cascade = node.behavior === "DROP_CASCADE";
  return { kind: "drop", text, object, names, ifExists: node.missing_ok ?? false, cascade };
}

function bindTransaction(node: NodeOf<"TransactionStmt">, parsed: ParsedStatement): TransactionStatement {
  const { text, position } = parsed;
  const option = optionsOf(node.options).find((o) => o.name !== "transaction_isolation");
  if (option !== undefined)
    throw notSupported(
      "READ ONLY and DEFERRABLE of a transaction",
      parsed.source.position(option.location) ?? position,
    );
  if (node.chain) throw notSupported("AND CHAIN", position);
  switch (node.kind) {
    case "TRANS_STMT_BEGIN":
    case "TRANS_STMT_START":
      return { kind: "begin", text };
    case "TRANS_STMT_COMMIT":
      return { kind: "commit", text };
    case "TRANS_STMT_ROLLBACK":
      return { kind: "rollback", text };
    default:
      throw notSupported(statementWords(parsed), position);
  }
}

/** Settings that say how this database is, for clients that ask. None can be changed. */
const settings: Readonly<Record<string, string>> = {
  client_encoding: "UTF8",
  datestyle: "ISO, MDY",
  default_transaction_isolation: "serializable",
  integer_datetimes: "on",
  intervalstyle: "postgres",
  lc_collate: "C",
  lc_ctype: "C.UTF-8",
  max_identifier_length: "63",
  search_path: "public",
  server_encoding: "UTF8",
  server_version: "18.0",
  server_version_num: "180000",
  standard_conforming_strings: "on",
  timezone: "UTC",
  transaction_isolation: "serializable",
};

function bindShow(node: NodeOf<"VariableShowStmt">, { text, position }: ParsedStatement): ShowStatement {
  const asked = node.name ?? "";
  const value = settings[asked.toLowerCase()];
  if (value !== undefined) return { kind: "show", text, name: asked, value };
  if (asked === "all") throw notSupported("SHOW ALL", position);
  throw new EvertError("undefined_object", `unrecognized configuration parameter "${asked}"`, { position });
}
