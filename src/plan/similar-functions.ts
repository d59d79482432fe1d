/** The function somebody may have meant by a name that is none. */
import { editDistance } from "../base/edit-distance.ts";
import { aggregateNames } from "./aggregate-functions.ts";
import { windowFunctionNames } from "./built-in-names.ts";
import { functionNames } from "./functions.ts";
import { tableFunctionNames } from "./table-functions.ts";

/** The name most like it of those that can be called; undefined where none is like it. The same letters in another order count as one mistake. */
export function similarFunction(name: string): string | undefined {
  const letters = lettersOf(name);
  let best: string | undefined;
  let most = Math.min(2, Math.floor((name.length * 2) / 5));
  const names = [...functionNames(), ...aggregateNames, ...tableFunctionNames, ...windowFunctionNames];
  for (const candidate of names) {
    const distance = lettersOf(candidate) === letters ? 1 : editDistance(name, candidate, most);
    if (distance > most || (best !== undefined && distance === most)) continue;
    best = candidate;
    most = distance;
  }
  return best;
}

function lettersOf(name: string): string {
  return [...name].sort().join("");
}
