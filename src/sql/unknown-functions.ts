/** Calls of functions that there are not. */
import { EvertError } from "../base/errors.ts";
import { baseTypes } from "../batch/types.ts";
import { isBuiltInName } from "../plan/built-in-names.ts";
import { sqlTypeName } from "../plan/functions.ts";
import { boundType } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import type { NodeOf } from "./tree.ts";

type FuncCall = NodeOf<"FuncCall">;

export function unknownFunction(call: FuncCall, name: string, place: ExprPlace, hint: string): EvertError {
  const types = (call.args ?? []).map((a) => sqlTypeName(boundType(place.bind(a, place))));
  return new EvertError("undefined_function", `function ${name}(${types.join(", ")}) does not exist`, {
    position: place.ctx.position(call.location),
    hint,
  });
}

/** @throws undefined_function where there is no function of that name, whatever is said of it in the call. */
export function refuseUnknown(call: FuncCall, name: string, place: ExprPlace): void {
  if (isBuiltInName(name) || baseTypes.some((type) => type.name === name)) return;
  const hint =
    "No function matches the given name and argument types. You might need to add explicit type casts.";
  throw unknownFunction(call, name, place, hint);
}
