/** How many rows a reader is given. */
import type { Database } from "../../../src/engine/database.ts";

/** Whoever begins to watch a view. */
export async function firstRows(db: Database, view: string): Promise<number> {
  let rows = 0;
  for await (const event of db.subscribe([{ view }])) {
    if (event.type !== "snapshot") continue;
    rows += event.rowsJson.length;
    if (event.last) break;
  }
  return rows;
}

/** Whoever takes a view's rows in chunks of JSON, at once. */
export async function rowsInChunks(db: Database, view: string): Promise<number> {
  let rows = 0;
  for await (const chunk of (await db.view(view).rowsJson()).rowsJson) rows += chunk.length;
  return rows;
}
