/** COPY … FROM STDIN and COPY … TO STDOUT: the relation or query, its columns, and what the options say of the text. */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { type CopyFormat, csvFormat, textFormat } from "../batch/copy/format.ts";
import * as build from "../plan/build.ts";
import type { CatalogRelation } from "../plan/catalog.ts";
import { optimizeQuery } from "../plan/optimize.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import { bindQuery } from "./bind-query.ts";
import { defaultOf, stored, target, targetColumns } from "./change.ts";
import type { BindContext } from "./context.ts";
import { findRelation } from "./from.ts";
import { withoutDomain } from "./in-domain.ts";
import { boolOption, type Option, optionsOf, textOption } from "./options.ts";
import type { CopyFromStatement, CopyToStatement } from "./statement-types.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";

type CopyStmt = NodeOf<"CopyStmt">;

export function bindCopy(
  node: CopyStmt,
  text: string,
  ctx: BindContext,
): CopyFromStatement | CopyToStatement {
  if (node.is_program) throw notSupported("COPY … PROGRAM");
  if (node.filename !== undefined) {
    throw notSupported("COPY of a file of the server", undefined, "Use STDIN or STDOUT, and send the text.");
  }
  if (node.whereClause !== undefined) throw notSupported("COPY … WHERE");
  return node.is_from ? bindCopyFrom(node, text, ctx) : bindCopyTo(node, text, ctx);
}

function bindCopyFrom(node: CopyStmt, text: string, ctx: BindContext): CopyFromStatement {
  const relation = target(node.relation!, "copy to", ctx);
  const columns = listedColumns(node.attlist, relation, ctx);
  const names = columns.map((c) => relation.schema.fields[c]!.name);
  const all = relation.schema.fields.map((f) => f.name);
  const format = formatOf(node, names, all, ctx);
  const row = relation.schema.fields.map((_, i) => defaultOf(relation, i, ctx));
  const domains = relation.schema.fields.map(({ name, type }) => {
    if (type.domain === undefined) return null;
    const value = build.values([{ name, type: withoutDomain(type) }], [[null]]);
    return stored(build.column(value, 0), type, ctx);
  });
  return { kind: "copyFrom", text, relation, columns, format, row, domains };
}

function bindCopyTo(node: CopyStmt, text: string, ctx: BindContext): CopyToStatement {
  if (node.query !== undefined) {
    const select = as(node.query, "SelectStmt");
    if (select === undefined) throw notSupported("COPY of a statement that changes rows");
    const query = bindQuery(select, ctx);
    const names = query.plan.schema.fields.slice(0, query.visible).map((f) => f.name);
    return { kind: "copyTo", text, query, format: formatOf(node, names, names, ctx) };
  }
  const relation = findRelation(node.relation!, ctx);
  const columns = listedColumns(node.attlist, relation, ctx);
  const plan = build.projectColumns(relationPlan(relation), columns);
  const names = plan.schema.fields.map((f) => f.name);
  const all = relation.schema.fields.map((f) => f.name);
  const query = optimizeQuery({ plan, order: [], visible: columns.length });
  return { kind: "copyTo", text, query, format: formatOf(node, names, all, ctx) };
}

function listedColumns(
  list: readonly Node[] | undefined,
  relation: CatalogRelation,
  ctx: BindContext,
): number[] {
  const nodes = list?.map((name): Node => ({ ResTarget: { name: stringOf(name) } }));
  return targetColumns(nodes, relation, ctx);
}

// ---- options ----------------------------------------------------------------------------------------------------

const absent = ["freeze", "default", "on_error", "reject_limit", "log_verbosity"];
const known = [
  "format",
  "delimiter",
  "null",
  "header",
  "quote",
  "escape",
  "force_quote",
  "force_not_null",
  "force_null",
  "encoding",
];

/** `columns`: those copied; `all`: those there are. */
function formatOf(
  node: CopyStmt,
  columns: readonly string[],
  all: readonly string[],
  ctx: BindContext,
): CopyFormat {
  const options = optionsOf(node.options);
  const byName = new Map<string, Option>();
  for (const option of options) {
    const { name, location } = option;
    const position = ctx.position(location);
    if (absent.includes(name)) throw notSupported(`COPY (${name.toUpperCase()})`, position);
    if (!known.includes(name)) throw refused("syntax_error", `option "${name}" not recognized`, position);
    if (byName.has(name)) throw refused("syntax_error", "conflicting or redundant options", position);
    byName.set(name, option);
  }
  const said = (name: string): string | undefined => {
    const option = byName.get(name);
    return option === undefined ? undefined : textOption(option, ctx);
  };
  const kind = said("format") ?? "text";
  if (kind === "binary") throw notSupported("COPY (FORMAT binary)");
  if (kind !== "text" && kind !== "csv")
    throw refused("invalid_argument", `COPY format "${kind}" not recognized`);
  const encoding = said("encoding");
  if (encoding !== undefined && !/^utf-?8$/i.test(encoding))
    throw notSupported(`COPY (ENCODING '${encoding}')`);
  const base = kind === "csv" ? csvFormat : textFormat;
  const quote = said("quote") ?? base.quote;
  const format: CopyFormat = {
    format: kind,
    delimiter: said("delimiter") ?? base.delimiter,
    null: said("null") ?? base.null,
    header: headerOf(byName.get("header"), node.is_from === true, ctx),
    quote,
    escape: said("escape") ?? quote,
    forceQuote: listed(byName.get("force_quote"), columns, all, ctx),
    forceNull: listed(byName.get("force_null"), columns, all, ctx) ?? columns.map((_, i) => i),
    forceNotNull: listed(byName.get("force_not_null"), columns, all, ctx) ?? columns.map((_, i) => i),
  };
  check(format, byName, node.is_from === true);
  return format;
}

function headerOf(option: Option | undefined, isFrom: boolean, ctx: BindContext): boolean | "match" {
  if (option === undefined) return false;
  if (option.value === undefined || textOption(option, ctx).toLowerCase() !== "match")
    return boolOption(option, ctx);
  if (isFrom) return "match";
  throw refused("feature_not_supported", 'cannot use "match" with HEADER in COPY TO');
}

/** Places of the columns named; null: all of them. */
function listed(
  option: Option | undefined,
  columns: readonly string[],
  all: readonly string[],
  ctx: BindContext,
): number[] | null {
  if (option === undefined) return [];
  if (as(option.value, "A_Star") !== undefined) return null;
  return (as(option.value, "List")?.items ?? []).map((item) => {
    const at = columns.indexOf(stringOf(item));
    if (at >= 0) return at;
    const position = ctx.position(option.location);
    const name = stringOf(item);
    throw all.includes(name)
      ? refused(
          "invalid_column_reference",
          `${option.name.toUpperCase()} column "${name}" not referenced by COPY`,
          position,
        )
      : refused("undefined_column", `column "${name}" does not exist`, position);
  });
}

/** PostgreSQL's own rules, in its order. */
function check(format: CopyFormat, options: ReadonlyMap<string, Option>, isFrom: boolean): void {
  const { delimiter, quote, escape: escaping, null: none } = format;
  const isCsv = format.format === "csv";
  const isOneByte = (c: string): boolean => c.length === 1 && c.charCodeAt(0) < 128;
  if (!isOneByte(delimiter))
    throw refused("feature_not_supported", "COPY delimiter must be a single one-byte character");
  if (/[\n\r]/.test(delimiter))
    throw refused("invalid_argument", "COPY delimiter cannot be newline or carriage return");
  if (/[\n\r]/.test(none))
    throw refused("invalid_argument", "COPY null representation cannot use newline or carriage return");
  if (!isCsv && /[\\.a-z0-9]/.test(delimiter))
    throw refused("invalid_argument", `COPY delimiter cannot be "${delimiter}"`);
  for (const name of ["quote", "escape", "force_quote", "force_not_null", "force_null"]) {
    if (options.has(name) && !isCsv)
      throw refused("feature_not_supported", `COPY ${name.toUpperCase()} requires CSV mode`);
  }
  if (isCsv && !isOneByte(quote))
    throw refused("feature_not_supported", "COPY quote must be a single one-byte character");
  if (isCsv && delimiter === quote)
    throw refused("invalid_argument", "COPY delimiter and quote must be different");
  if (isCsv && !isOneByte(escaping))
    throw refused("feature_not_supported", "COPY escape must be a single one-byte character");
  if (options.has("force_quote") && isFrom)
    throw refused("feature_not_supported", "COPY FORCE_QUOTE cannot be used with COPY FROM");
  for (const name of ["force_not_null", "force_null"]) {
    if (options.has(name) && !isFrom)
      throw refused("feature_not_supported", `COPY ${name.toUpperCase()} cannot be used with COPY TO`);
  }
  if (none.includes(delimiter))
    throw refused("invalid_argument", "COPY delimiter character must not appear in the NULL specification");
  if (isCsv && none.includes(quote))
    throw refused("invalid_argument", "CSV quote character must not appear in the NULL specification");
}

function refused(
  code:
    | "syntax_error"
    | "invalid_argument"
    | "feature_not_supported"
    | "invalid_column_reference"
    | "undefined_column",
  message: string,
  position?: number,
): EvertError {
  return new EvertError(code, message, { position });
}
