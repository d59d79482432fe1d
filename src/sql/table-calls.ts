/** Calls of functions that give rows, wherever they stand: which one is meant, its arguments, its plan. */
import { EvertError } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { type FunctionId, sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import { fieldsOf, resolveTableFunction, type TableResolution } from "../plan/table-functions.ts";
import { type Bound, boundType, castCall, settle } from "./bound.ts";
import type { BindContext } from "./context.ts";

export function resolved(
  name: string,
  args: readonly Bound[],
  position: number | undefined,
): TableResolution {
  const given = args.map(boundType);
  const found = resolveTableFunction(name, given, position);
  const said = `function ${name}(${given.map(sqlTypeName).join(", ")})`;
  if (found === "none") {
    throw new EvertError("undefined_function", `${said} does not exist`, {
      hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
      position,
    });
  }
  if (found === "many") {
    throw new EvertError("ambiguous_function", `${said} is not unique`, {
      hint: "Could not choose a best candidate function. You might need to add explicit type casts.",
      position,
    });
  }
  return found;
}

export function argument(bound: Bound, resolution: TableResolution, index: number, ctx: BindContext): Expr {
  const type = resolution.argTypes[index]!;
  if (bound.kind === "literal") return settle(bound, type, ctx);
  const fn: FunctionId | null = resolution.argCasts[index] ?? null;
  return fn === null ? bound.expr : castCall(bound.expr, fn, type);
}

/** Counting in integers has a plan of its own. */
export function planOf(
  input: Plan,
  resolution: TableResolution,
  exprs: readonly Expr[],
  names: readonly string[],
  ordinality: boolean,
): Plan {
  const [start, stop, step] = exprs;
  if (resolution.fn === "series_integer" && !ordinality) {
    const type = typeOf(start!);
    const one = build.constant(type.name === "int4" ? 1 : 1n, type);
    return build.series(input, start!, stop!, step ?? one, names[0]!);
  }
  return build.tableFunction(input, {
    fn: resolution.fn,
    args: exprs,
    columns: fieldsOf(resolution, names),
    ordinality: ordinality ? names.at(-1)! : null,
    outer: false,
  });
}
