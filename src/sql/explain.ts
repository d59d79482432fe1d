/**
 * EXPLAIN [(option, ...)] of a query, of a view's definition, of what a change asks before it changes anything, or, as REFRESH MATERIALIZED VIEW, of what
 * keeps a view up to date.
 */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { quoteIdent } from "../base/quoted-name.ts";
import * as build from "../plan/build.ts";
import { optimize } from "../plan/optimize.ts";
import type { Query } from "../plan/plan.ts";
import { relationPlan } from "../plan/relation-plan.ts";
import type { BindContext } from "./context.ts";
import { boolOption, type Option, optionsOf, textOption } from "./options.ts";
import type { ParsedStatement } from "./parser.ts";
import type {
  DeleteStatement,
  ExplainStatement,
  InsertStatement,
  Statement,
  UpdateStatement,
} from "./statement-types.ts";
import { as, kindOf, type NodeKind, type NodeOf } from "./tree.ts";

/** `bind` binds what is explained. */
export function bindExplain(
  node: NodeOf<"ExplainStmt">,
  parsed: ParsedStatement,
  ctx: BindContext,
  bind: (inner: Node) => Statement,
): ExplainStatement {
  const options = explainOptions(node.options, ctx);
  const { text } = parsed;
  const inner = node.query!;
  const refresh = as(inner, "RefreshMatViewStmt");
  if (refresh !== undefined) {
    const relation = ctx.catalog.relation(refresh.relation!.relname!);
    const position = ctx.position(refresh.relation!.location);
    if (relation === undefined)
      throw new EvertError("undefined_table", `relation "${refresh.relation!.relname}" does not exist`, {
        position,
      });
    if (relation.kind !== "view")
      throw new EvertError("wrong_object_type", `"${relation.name}" is not a materialized view`, {
        position,
      });
    const query = { plan: build.source(relation), order: [], visible: relation.schema.fields.length };
    return { kind: "explain", text, query, once: false, view: relation.name, change: null, ...options };
  }
  const bound = bind(inner);
  if (bound.kind === "createView" && options.analyze) {
    throw notSupported(
      "EXPLAIN (ANALYZE) of a definition",
      parsed.position,
      `Create the view, then EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW ${bound.name}.`,
    );
  }
  if (bound.kind === "select" || bound.kind === "createView")
    return {
      kind: "explain",
      text,
      query: bound.query,
      once: bound.kind === "select",
      view: null,
      change: null,
      ...options,
    };
  if (bound.kind === "insert" || bound.kind === "update" || bound.kind === "delete") {
    if (options.analyze)
      throw notSupported(
        `EXPLAIN (ANALYZE) of ${bound.kind.toUpperCase()}`,
        parsed.position,
        "It would change rows: EXPLAIN ANALYZE a SELECT with the same conditions.",
      );
    const change = changeText(bound);
    return { kind: "explain", text, query: askedBy(bound), once: true, view: null, change, ...options };
  }
  throw notSupported(`EXPLAIN of ${words[kindOf(inner)] ?? "this statement"}`, parsed.position);
}

/** What is asked before anything is changed: of INSERT the rows that it brings, of UPDATE and DELETE those that they change. */
function askedBy(statement: InsertStatement | UpdateStatement | DeleteStatement): Query {
  if (statement.kind === "insert") {
    const { source, order, relation } = statement;
    return { plan: optimize(source), order, visible: relation.schema.fields.length };
  }
  const { relation, where, source } = statement;
  const rows = relationPlan({ ...relation, ...relation.identified });
  const plan = optimize(source ?? (where === null ? rows : build.filter(rows, where)));
  return { plan, order: [], visible: plan.schema.fields.length };
}

/** As PostgreSQL heads such plans. */
function changeText(statement: InsertStatement | UpdateStatement | DeleteStatement): string {
  const name = quoteIdent(statement.relation.name);
  if (statement.kind !== "insert") return `${statement.kind === "update" ? "Update" : "Delete"} on ${name}`;
  const { conflict } = statement;
  return `Insert on ${name}${conflict === null ? "" : `, on conflict do ${conflict.action}`}`;
}

const words: Partial<Record<NodeKind, string>> = {
  MergeStmt: "MERGE",
  CreateTableAsStmt: "CREATE TABLE AS",
  ExecuteStmt: "EXECUTE",
  DeclareCursorStmt: "DECLARE",
};

type Options = Pick<ExplainStatement, "code" | "analyze" | "views" | "timing" | "summary" | "format">;

function explainOptions(nodes: NodeOf<"ExplainStmt">["options"], ctx: BindContext): Options {
  let [code, analyze, views] = [false, false, false];
  let [timing, summary]: (boolean | null)[] = [null, null];
  let format: Options["format"] = "text";
  let viewsAt: Option | undefined;
  for (const option of optionsOf(nodes)) {
    const position = ctx.position(option.location);
    switch (option.name) {
      case "code":
        code = boolOption(option, ctx);
        break;
      case "analyze":
        analyze = boolOption(option, ctx);
        break;
      case "views":
        views = boolOption(option, ctx);
        viewsAt = option;
        break;
      case "timing":
        timing = boolOption(option, ctx);
        break;
      case "summary":
        summary = boolOption(option, ctx);
        break;
      case "costs":
      case "verbose":
        boolOption(option, ctx);
        break;
      case "format":
        format = formatOf(option, ctx);
        break;
      case "buffers":
      case "wal":
      case "settings":
      case "generic_plan":
      case "memory":
      case "serialize":
        if (option.name === "serialize" || boolOption(option, ctx))
          throw notSupported(`EXPLAIN (${option.name.toUpperCase()})`, position);
        break;
      default:
        throw new EvertError("syntax_error", `unrecognized EXPLAIN option "${option.name}"`, { position });
    }
  }
  if (timing === true && !analyze) throw needsAnalyze("TIMING");
  if (views && !analyze) throw needsAnalyze("VIEWS", ctx.position(viewsAt?.location));
  if (code && (analyze || format === "json"))
    throw notSupported(`EXPLAIN (CODE, ${analyze ? "ANALYZE" : "FORMAT JSON"})`);
  return { code, analyze, views, timing: timing ?? analyze, summary: summary ?? analyze, format };
}

function formatOf(option: Option, ctx: BindContext): Options["format"] {
  const format = textOption(option, ctx).toLowerCase();
  if (format === "text" || format === "json") return format;
  const position = ctx.position(option.location);
  if (format === "xml" || format === "yaml")
    throw notSupported(`EXPLAIN (FORMAT ${format.toUpperCase()})`, position);
  throw new EvertError("invalid_argument", `unrecognized value for EXPLAIN option "format": "${format}"`, {
    position,
  });
}

/** In PostgreSQL's words. */
function needsAnalyze(option: string, position?: number): EvertError {
  return new EvertError("invalid_argument", `EXPLAIN option ${option} requires ANALYZE`, { position });
}
