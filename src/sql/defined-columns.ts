/** Functions in FROM whose columns the query defines: json_to_record(j) AS x (a int, b text). */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { type SqlType, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import type { Routine } from "../plan/routines.ts";
import { resolveDefined, type TableResolution } from "../plan/table-functions.ts";
import { type Bound, boundType } from "./bound.ts";
import type { BindContext } from "./context.ts";
import { argument } from "./table-calls.ts";
import { as } from "./tree.ts";
import { bindTypeName } from "./type-names.ts";

export function bindDefined(
  name: string,
  args: readonly Bound[],
  definitions: readonly Node[],
  ctx: BindContext,
  position: number | undefined,
): { readonly resolution: TableResolution; readonly exprs: readonly Expr[] } {
  if (definitions.length === 0) {
    const message = 'a column definition list is required for functions returning "record"';
    throw new EvertError("syntax_error", message, { position });
  }
  const columns: { name: string; type: SqlType }[] = [];
  for (const node of definitions) {
    const { colname = "", typeName, location } = as(node, "ColumnDef")!;
    const type = bindTypeName(typeName!, ctx);
    const at = ctx.position(location);
    if (type.domain !== undefined) throw notSupported("a domain in a column definition list", at);
    if (columns.some((c) => c.name === colname)) {
      const message = `column name "${colname}" specified more than once`;
      throw new EvertError("duplicate_column", message, { position: at });
    }
    columns.push({ name: colname, type });
  }
  const given = args.map(boundType);
  const resolution = resolveDefined(name, given, columns);
  if (resolution === undefined) {
    const said = `function ${name}(${given.map(sqlTypeName).join(", ")}) does not exist`;
    throw new EvertError("undefined_function", said, {
      hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
      position,
    });
  }
  const names: Expr = { kind: "const", value: JSON.stringify(columns.map((c) => c.name)), type: text };
  return { resolution, exprs: [argument(args[0]!, resolution, 0, ctx), names] };
}

/** Any other function says itself what its columns are. */
export function needlessDefinitions(
  routine: Routine | undefined,
  name: string,
  position: number | undefined,
): EvertError {
  const several = routine?.kind === "rows" ? routine.columns.length > 1 : /_each(_text)?$/.test(name);
  const message = several
    ? "a column definition list is redundant for a function with OUT parameters"
    : 'a column definition list is only allowed for functions returning "record"';
  return new EvertError("syntax_error", message, { position });
}
