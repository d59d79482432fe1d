/**
 * What queries give when they are computed anew, by nothing that the database in question has.
 *
 * Asked for a view's own query the database would answer with what the view keeps (dataflow/README.md: equal nodes are one), and so would one opened over its
 * checkpoint, or one in which the same view is kept. So:
 *
 * 1. The log is copied, up to its durable position, to a disk of its own: no checkpoint, no rows on disk, no worker comes with it.
 * 2. Definitions are appended to the copy by which every view is a plain one, which is written out where it is named; indexes go, and so does every rule of what may be
 *    given up. So nothing is maintained there but the rows of tables, all in memory, and these are replayed from the first record.
 * 3. Each query is run there: one circuit, views that it names included, filled from history in one step.
 *
 * What it does not prove: operators are the same ones, so one that is wrong in every step is wrong there, too (PostgreSQL and the oracle of test/sim are there for that); and
 * rows of tables come from records in the same way. REQUIRES that nothing has been given up or erased of which a view still has what was made of it,
 * that nobody appends meanwhile, and that no query asks for the time: a view's is the log's, and the copy's would be another.
 */
import { systemRandom } from "../../../src/base/random.ts";
import type { EngineCatalog } from "../../../src/engine/catalog/catalog.ts";
import { type CatalogEvent, eventToJson } from "../../../src/engine/catalog/catalog-events.ts";
import type { RelationEntry } from "../../../src/engine/catalog/entries.ts";
import { CATALOG_ENTRY } from "../../../src/engine/catalog/hidden-topics.ts";
import { readCatalog } from "../../../src/engine/checkpoint/restore.ts";
import type { Database } from "../../../src/engine/database.ts";
import { type OpenEngineOptions, openEngine } from "../../../src/engine/open-engine.ts";
import { routinesByName } from "../../../src/engine/routines.ts";
import { backupLog } from "../../../src/log/backup.ts";
import { openLog } from "../../../src/log/open-log.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import type { TextRow } from "./views.ts";

type Functions = OpenEngineOptions["functions"];

const directory = "/anew";

/** The answers, or why there is none. `functions`: those that the database has. */
export async function recomputed(
  db: Database,
  queries: readonly string[],
  functions: Functions = [],
): Promise<(TextRow[] | { sqlstate: string })[]> {
  const timed = queries.find((query) => /\bnow\s*\(|\bcurrent_timestamp\b/i.test(query));
  if (timed !== undefined) throw new Error(`what the time is cannot be computed anew: ${timed}`);
  const disk = new SimulatedDisk();
  await backupLog({ source: db.backupSource, directory, disk, now: 0 });
  await makePlain(disk, functions);
  const anew = await openEngine({
    directory,
    disk,
    clock: new SimulatedClock(),
    checkpointIntervalMs: 0,
    functions,
    report: (message) => {
      throw new Error(message);
    },
  });
  try {
    if (anew.views().length > 0) throw new Error("a view is kept where everything is to be computed anew");
    const answers: (TextRow[] | { sqlstate: string })[] = [];
    for (const query of queries) {
      const { results, error } = await anew.sql(query);
      answers.push(error === undefined ? results[0]!.rowsText() : { sqlstate: error.sqlstate });
    }
    return answers;
  } finally {
    await anew.close();
  }
}

/** Ends the log in the directory with definitions by which nothing is maintained. */
async function makePlain(disk: SimulatedDisk, functions: Functions): Promise<void> {
  const log = await openLog({ directory, disk, clock: new SimulatedClock(), random: systemRandom });
  try {
    const { id, schema, schemaVersion } = CATALOG_ENTRY;
    log.registerTopic({ topicId: id, schema, schemaVersion });
    const { catalog } = await readCatalog(log, null, routinesByName(functions ?? []));
    const events = [...catalog.topics(), ...catalog.views()].flatMap((entry) => plain(entry, catalog));
    if (events.length === 0) return;
    await log.room(1 << 20);
    const draft = log.begin();
    for (const event of events) draft.appendRow(id, { definition: eventToJson(event) });
    await draft.commit().durable;
  } finally {
    await log.close();
  }
}

function plain(entry: RelationEntry, catalog: EngineCatalog): CatalogEvent[] {
  const { id } = entry;
  const indexes = catalog.indexesOn(id).map((index): CatalogEvent => ({ event: "drop", id: index.id }));
  if (entry.kind === "topic")
    return entry.keeping === undefined ? indexes : [...indexes, { event: "keep", id, keeping: null }];
  const { sink: _, ...view } = entry;
  const { sql, columns, params } = view;
  // One in TypeScript has no text to be written out.
  if (sql === null) return [...indexes, { event: "drop", id }];
  if (params.length > 0) throw new Error(`view "${view.name}" has parameters, and a plain view cannot`);
  if (!view.materialized) return indexes;
  const names = columns === null ? "" : ` (${columns.map(quoted).join(", ")})`;
  const text = `CREATE VIEW ${quoted(view.name)}${names} AS ${sql}`;
  return [...indexes, { event: "create", entry: { ...view, sql: text, materialized: false } }];
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
