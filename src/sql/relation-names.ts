/** Which names a text reads from, before anything is bound: to put views in the order in which they can be made. */
import type { FuncCall, RangeVar } from "libpg-query";
import { parseStatements } from "./parser.ts";
import { as, partsOf, stringOf } from "./tree.ts";

/**
 * Every name that stands where a relation may, names of its own WITH queries included.
 * @throws EvertError as parseStatements.
 */
export function relationNames(sql: string): Set<string> {
  const names = new Set<string>();
  for (const [kind, fields] of partsOf(parseStatements(sql).map(({ node }) => node))) {
    if (kind === "RangeVar") names.add((fields as RangeVar).relname ?? "");
    if (kind === "FuncCall") for (const name of asOfNames(fields as FuncCall)) names.add(name);
  }
  return names;
}

/** The table that as_of() names. */
function asOfNames({ funcname, args }: FuncCall): string[] {
  const fields = as(args?.[0], "ColumnRef")?.fields;
  const last = fields?.at(-1);
  const isAsOf = funcname?.length === 1 && stringOf(funcname[0]) === "as_of";
  return isAsOf && as(last, "String") !== undefined ? [stringOf(last)] : [];
}
