/** The rows of a view as a reader over HTTP gets them. */
import type { RowsQuery } from "../../../src/engine/api.ts";
import type { Database } from "../../../src/engine/database.ts";

export async function rowsJsonOf(db: Database, view: string, query: RowsQuery = {}): Promise<string[]> {
  const { rowsJson } = await db.view(view).rowsJson(query);
  const rows: string[] = [];
  for await (const chunk of rowsJson) rows.push(...chunk);
  return rows;
}
