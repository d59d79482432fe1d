/** Calls of functions that the program gave: arguments as they declare them, by implicit casts. */
import { EvertError, notSupported } from "../base/errors.ts";
import { bool } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { branch, conjunction, nullableOf } from "../plan/inspect.ts";
import type { ReducerRoutine, Routine, ScalarRoutine } from "../plan/routines.ts";
import { type Bound, boundType, coerce } from "./bound.ts";
import type { BindContext } from "./context.ts";
import type { ExprPlace } from "./place.ts";
import type { NodeOf } from "./tree.ts";

type FuncCall = NodeOf<"FuncCall">;

/** A call in an expression. */
export function bindRoutine(call: FuncCall, fn: ScalarRoutine, place: ExprPlace): Expr {
  const { ctx } = place;
  const position = ctx.position(call.location);
  refuseVariadic(call, position);
  const bounds = (call.args ?? []).map((a) => place.bind(a, place));
  return { kind: "routine", fn, args: routineArguments(fn, bounds, ctx, position), type: fn.returns.type };
}

export function refuseVariadic(call: FuncCall, position: number | undefined): void {
  if (call.func_variadic) throw notSupported("VARIADIC for a function written in TypeScript", position);
}

/** The arguments in the types it declares. @throws EvertError undefined_function where they do not fit. */
export function routineArguments(
  routine: Routine,
  bounds: readonly Bound[],
  ctx: BindContext,
  position: number | undefined,
): Expr[] {
  const exprs = bounds.map((bound, i) => {
    const wanted = routine.args[i];
    return wanted === undefined ? undefined : coerce(bound, wanted.type, "implicit", ctx);
  });
  if (bounds.length !== routine.args.length || exprs.includes(undefined)) {
    const given = bounds.map((b) => sqlTypeName(boundType(b))).join(", ");
    const takes = routine.args.map((a) => sqlTypeName(a.type)).join(", ");
    throw new EvertError("undefined_function", `function ${routine.name}(${given}) does not exist`, {
      detail: `There is ${routine.name}(${takes}).`,
      hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
      position,
    });
  }
  return exprs as Expr[];
}

/** What is not null for the rows that a reducer counts: those without a null where it takes none. */
export function countsFor(routine: ReducerRoutine, args: readonly Expr[]): Expr {
  const present = args.flatMap((arg, i): Expr[] =>
    routine.args[i]!.nullable || !nullableOf(arg) ? [] : [{ kind: "not", arg: { kind: "isNull", arg } }],
  );
  const yes: Expr = { kind: "const", value: true, type: bool };
  const all = conjunction(present);
  if (all === undefined) return yes;
  return {
    kind: "case",
    branches: [branch(all, yes)],
    otherwise: { kind: "const", value: null, type: bool },
    type: bool,
  };
}
