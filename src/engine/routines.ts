/** The functions a program gives SQL, by name. */
import { EvertError } from "../base/errors.ts";
import type { SqlFunction } from "../face/routines.ts";
import { isBuiltInName } from "../plan/built-in-names.ts";
import type { Routine } from "../plan/routines.ts";

/** @throws EvertError duplicate_function where a name is taken. */
export function routinesByName(functions: readonly SqlFunction[]): ReadonlyMap<string, Routine> {
  const routines = new Map<string, Routine>();
  for (const { name, routine } of functions) {
    if (isBuiltInName(name)) {
      throw new EvertError("duplicate_function", `function "${name}" is built in`, {
        detail: "What a built-in function means is the same in every database.",
        hint: "Give yours another name.",
      });
    }
    const known = routines.get(name);
    if (known !== undefined && known !== routine) {
      throw new EvertError("duplicate_function", `function "${name}" is given twice`, {
        hint: "A name stands for one function: rename the other.",
      });
    }
    routines.set(name, routine);
  }
  return routines;
}
