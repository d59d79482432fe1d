/** What tables show where nothing is under way, held against the log: the last record of each key that is not its delete. */
import type { TopicEntry } from "../../../src/engine/catalog/catalog.ts";
import type { Database } from "../../../src/engine/database.ts";
import { TableRows } from "../../../src/engine/write/table-rows.ts";
import { cellOf, columnOf, isShaped } from "./columns.ts";
import { type Commit, Violation } from "./commits.ts";

/**
 * @returns the rows of each table, as text
 * @throws Violation where they are not those that the log has
 */
export async function shownTables(
  name: string,
  { core }: Database,
  commits: readonly Commit[],
): Promise<ReadonlyMap<string, string>> {
  const last = lastRows(commits);
  const shown = new Map<string, string>();
  for (const topic of core.catalog.topics()) {
    const store = core.tables.store(topic.id);
    // A table without a primary key has ids of its own, which no record has.
    if (store === null || topic.hiddenRowId) continue;
    const rows: string[] = [];
    for await (const piece of new TableRows(topic, store, []).all(core.publisher.published.epoch))
      for (const row of piece) rows.push(textOf(topic, row));
    const text = rows.sort().join("\n  ");
    const wanted = (last.get(topic.name) ?? []).sort().join("\n  ");
    if (text !== wanted)
      throw new Violation(
        `${topic.name} of ${name} at ${core.position} is\n  ${text}\n  and should be\n  ${wanted}`,
      );
    shown.set(topic.name, text);
  }
  return shown;
}

/** By topic. Of one that was dropped and made again: `commits` have what there is of it now. */
function lastRows(commits: readonly Commit[]): Map<string, string[]> {
  const rows = new Map<string, Map<unknown, string>>();
  for (const { records } of commits)
    for (const { topic, key, value } of records) {
      if (key === null) continue;
      const of = rows.get(topic) ?? new Map<unknown, string>();
      rows.set(topic, of);
      if (value === null) of.delete(key);
      else of.set(key, JSON.stringify(value));
    }
  return new Map([...rows].map(([topic, of]) => [topic, [...of.values()]]));
}

/** As records are read (commits.ts). */
function textOf({ name, schema }: TopicEntry, row: readonly unknown[]): string {
  const shaped = isShaped(name);
  return JSON.stringify(
    Object.fromEntries(
      schema.fields.map((field, i) =>
        shaped ? [columnOf(field.name), cellOf(row[i])] : [field.name, row[i]],
      ),
    ),
  );
}
