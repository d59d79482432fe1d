/** CREATE TABLE, CREATE VIEW and CREATE MATERIALIZED VIEW: definitions for the catalog. */
import { EvertError } from "../../base/errors.ts";
import type { OptimizedQuery } from "../../plan/plan.ts";
import type { CreateTableStatement, CreateViewStatement } from "../../sql/statement.ts";
import { newTopic, type ViewEntry } from "../catalog/entries.ts";
import type { Core } from "../core.ts";
import { fingerprintOf, planView } from "../planner.ts";
import { sinkOf } from "../sink-rules.ts";
import { deadLetterTopic } from "../write/dead-letters.ts";

export function createTable(core: Core, statement: CreateTableStatement): Promise<string> {
  const { name, schema, key, appendOnly, defaults, defaultTexts, constraints, ifNotExists } = statement;
  const { keeping, deadLetters } = statement;
  return core.define(() => {
    if (exists(core, name, ifNotExists)) return [];
    const id = core.catalog.nextId();
    const topic = newTopic(id, name, appendOnly ? "stream" : "table", schema.fields, key, defaults, {
      ...(constraints.keyName === null ? {} : { keyName: constraints.keyName }),
      ...(constraints.uniques.length === 0 ? {} : { uniques: constraints.uniques }),
      ...(constraints.checks.length === 0 ? {} : { checks: constraints.checks }),
    });
    const entry = {
      ...topic,
      ...(defaultTexts.every((t) => t === null) ? {} : { defaultTexts }),
      ...(keeping === undefined ? {} : { keeping }),
    };
    if (deadLetters === undefined) return [{ event: "create", entry }];
    const { catalog } = core;
    const to = deadLetterTopic(catalog, deadLetters, name, [], catalog.nextId(id));
    return [...to.events, { event: "create", entry: { ...entry, deadLetters: to.id } }];
  });
}

export async function createView(core: Core, statement: CreateViewStatement): Promise<string> {
  const { name, materialized, columns, onError, version, sink, ifNotExists } = statement;
  const { catalog, views } = core;
  let made: number | null = null;
  const position = await core.define(() => {
    if (exists(core, name, ifNotExists)) return [];
    const draft: ViewEntry = {
      kind: "view",
      id: catalog.nextId(),
      name,
      sql: materialized ? statement.sql : statement.text,
      params: [],
      columns,
      materialized,
      onError,
      version,
      fingerprint: "",
      ...counted(core, statement.query),
    };
    if (!materialized) return [{ event: "create", entry: draft }];
    made = draft.id;
    const query = planView(draft, catalog, new Map());
    const to = sink === null ? {} : { sink: sinkOf(core, name, query, sink) };
    return [{ event: "create", entry: { ...draft, ...to, fingerprint: fingerprintOf(query, draft) } }];
  });
  const live = made === null ? undefined : views.get(made);
  if (live === undefined) return position;
  // As in PostgreSQL, the statement is done when the view has its rows.
  await views.filled(live);
  if (live.error !== null) throw live.error;
  return core.position;
}

/** What a join of several is to be planned with. */
function counted(core: Core, { names }: OptimizedQuery): Pick<ViewEntry, "rows"> {
  if (names.size < 2) return {};
  const rows: Record<string, number> = {};
  for (const id of names) {
    const count = core.catalog.rowsOf(id);
    if (count !== undefined) rows[id] = count;
  }
  return { rows };
}

function exists({ catalog }: Core, name: string, allowed: boolean): boolean {
  if (!catalog.isTaken(name)) return false;
  if (allowed) return true;
  const isLost = catalog.promotions.has(name) && catalog.entry(name) === undefined;
  const lost = `"${name}@${catalog.promotions.decided(name).version}"`;
  throw new EvertError("duplicate_table", `relation "${name}" already exists`, {
    hint: isLost ? `It means a version that a repair has lost: make ${lost}.` : undefined,
  });
}
