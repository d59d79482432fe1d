/** Views hold what their queries give, computed anew. */
import { expect } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../../src/engine/open-engine.ts";
import { recomputed } from "./anew.ts";
import { difference, maintained, type TextRow } from "./views.ts";

/** `queries`: of each view by its name. `functions`: those that the database has. */
export async function allHold(
  db: Database,
  queries: Readonly<Record<string, string>>,
  functions: OpenEngineOptions["functions"] = [],
): Promise<void> {
  const ours: (TextRow[] | { sqlstate: string })[] = [];
  for (const name of Object.keys(queries)) ours.push(await maintained(db, name));
  const theirs = await recomputed(db, Object.values(queries), functions);
  for (const [i, name] of Object.keys(queries).entries()) {
    const [held, fresh] = [ours[i], theirs[i]];
    expect([name, held, fresh]).toEqual([name, expect.any(Array), expect.any(Array)]);
    expect([name, difference(held as TextRow[], fresh as TextRow[])]).toEqual([name, null]);
  }
}

export function holds(
  db: Database,
  name: string,
  query: string,
  functions: OpenEngineOptions["functions"] = [],
): Promise<void> {
  return allHold(db, { [name]: query }, functions);
}
