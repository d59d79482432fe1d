/** Names that already mean something where a function may be called: a program's own cannot have them. */
import { isAbsentAggregate, isAggregate } from "./aggregate-functions.ts";
import { isFunctionName } from "./functions.ts";
import type { WindowFunctionName } from "./plan.ts";
import { isTableFunction } from "./table-functions.ts";

const windowFunctions: Readonly<Record<WindowFunctionName, true>> = {
  row_number: true,
  rank: true,
  dense_rank: true,
  percent_rank: true,
  cume_dist: true,
  ntile: true,
  lag: true,
  lead: true,
  first_value: true,
  last_value: true,
  nth_value: true,
};

export const windowFunctionNames: readonly string[] = Object.freeze(Object.keys(windowFunctions));

/** Words of the grammar that look like calls, and our as-of join. */
const words: ReadonlySet<string> = new Set(
  "as_of cast coalesce exists extract greatest grouping least normalize nullif overlay position row substring treat trim".split(
    " ",
  ),
);

export function isBuiltInName(name: string): boolean {
  return (
    isFunctionName(name) ||
    isAggregate(name) ||
    isAbsentAggregate(name) ||
    isTableFunction(name) ||
    Object.hasOwn(windowFunctions, name) ||
    words.has(name)
  );
}
