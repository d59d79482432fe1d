/** Which names a text reads from, before anything is bound: to put views in the order in which they can be made. */
import { parseStatements } from "./parser.ts";

/**
 * Every name that stands where a relation may, names of its own WITH queries included.
 * @throws EvertError as parseStatements.
 */
export function relationNames(sql: string): Set<string> {
  const names = new Set<string>();
  const rest: unknown[] = parseStatements(sql).map((statement) => statement.node);
  for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
    if (typeof item !== "object" || item === null) continue;
    for (const [kind, value] of Object.entries(item)) {
      if (kind === "RangeVar") names.add((value as { readonly relname?: string }).relname ?? "");
      if (value !== undefined) rest.push(value);
    }
  }
  return names;
}
