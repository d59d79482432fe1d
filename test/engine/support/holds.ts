/** A view holds what its query gives, run from scratch. */
import { expect } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import { difference, maintained, recomputed, type TextRow } from "./views.ts";

export async function holds(db: Database, name: string, query: string): Promise<void> {
  const [ours, theirs] = [await maintained(db, name), await recomputed(db, query)];
  expect([name, ours, theirs]).toEqual([name, expect.any(Array), expect.any(Array)]);
  expect([name, difference(ours as TextRow[], theirs as TextRow[])]).toEqual([name, null]);
}
