/**
 * What a program declares, made true: topics that are not there are created, views that are not there or were made by other code
 * are created anew, everything else is left as it is.
 */
import { EvertError } from "../base/errors.ts";
import { fieldIndex } from "../batch/schema.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import { relationsOf } from "../face/load-app.ts";
import { relationNames } from "../sql/statement.ts";
import type { TopicEntry, ViewEntry } from "./catalog/catalog.ts";
import type { CatalogEvent } from "./catalog/catalog-events.ts";
import { newTopic } from "./catalog/entries.ts";
import type { Core } from "./core.ts";
import { Alteration } from "./evolution/alteration.ts";
import { evolutionTo } from "./evolution/evolve-declared.ts";
import { keepingEvents } from "./keeping.ts";
import { replacement } from "./live/replacement.ts";
import { fingerprintOf, planView, viewEntryOf } from "./planner.ts";
import { refuseCircle, sinkOf } from "./sink-rules.ts";
import { deadLetterEvents } from "./write/dead-letters.ts";

/**
 * A view that is created anew changes what those that read it mean, which are then created anew in their turn: declared ones, and those made by a
 * statement, whose text may also mean another plan to this version than to the one that made their rows. All of it comes before what others write
 * (Committer.reserve).
 */
export async function declareApp(
  core: Core,
  topics: readonly AnyTopic[],
  views: readonly AnyView[],
  report: (message: string) => void = () => {},
): Promise<void> {
  if (topics.length > 0) await core.define(() => newTopics(core, topics), true);
  for (const handle of topics) await evolve(core, handle, report);
  for (const handle of topics) core.declareTopic(handle);
  const ordered = inOrder(views);
  const declared = new Set(views.map(({ name }) => name));
  for (let again = true; again; ) {
    again = false;
    const create = async (make: () => readonly CatalogEvent[]): Promise<void> => {
      await core.define(() => {
        const events = make();
        again ||= events.length > 0;
        return events;
      }, true);
    };
    for (const handle of ordered) {
      await create(() => namingIt(handle.name, () => newView(core, handle)));
      const defined = core.catalog.defined(handle.name);
      if (defined !== undefined) core.views.replan(defined.id);
    }
    for (const { name } of core.catalog.views().sort((a, b) => a.id - b.id)) {
      if (!declared.has(name)) await create(() => renewedView(core, name));
    }
  }
}

/** The topic gets the columns that are declared, where its records can be read with them. */
async function evolve(core: Core, handle: AnyTopic, report: (message: string) => void): Promise<void> {
  await core.defineAfter(async () => {
    const entry = core.catalog.topic(handle.name);
    const actions = evolutionTo(entry, handle);
    if (actions.length === 0) return [];
    const { events, changes } = await new Alteration(core, entry, "rebuilds views").events(actions);
    report(`topic "${handle.name}" has changed as it is declared: ${changes.join(", ")}`);
    return events;
  }, true);
}

/** What is wrong with a view says which: a program declares many. */
function namingIt<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof EvertError ? named(name, error) : error;
  }
}

/** The error as one of the view. */
export function named(view: string, error: EvertError): EvertError {
  const { code, message, detail, hint, sqlstate, position } = error;
  if (message.includes(`"${view}"`)) return error;
  return new EvertError(code, `view "${view}": ${message}`, {
    detail,
    hint,
    sqlstate,
    position,
    cause: error,
  });
}

/** Nothing for a view that is what it was, or that cannot be planned, which its readers are told. */
function renewedView(core: Core, name: string): CatalogEvent[] {
  const entry = core.catalog.defined(name);
  // While the log was replayed, somebody may have asked for it to be dropped.
  if (entry?.kind !== "view") return [];
  if (entry.sql === null || !entry.materialized || core.views.get(entry.id)?.node !== null) return [];
  try {
    const fingerprint = fingerprintOf(planView(entry, core.catalog, new Map()), entry);
    return fingerprint === entry.fingerprint
      ? []
      : replacement(core, entry.id, { ...entry, id: core.catalog.nextId(), fingerprint });
  } catch (error) {
    if (error instanceof EvertError) return [];
    throw error;
  }
}

/**
 * A view after the views it reads. Those it names by handle stand before it already (collect); SQL may name a view in its text alone, and
 * a module gives its exports by the alphabet.
 */
function inOrder(views: readonly AnyView[]): AnyView[] {
  const byName = new Map(views.map((view) => [view.name, view]));
  const ordered = new Set<AnyView>();
  const visited = new Set<AnyView>();
  const add = (view: AnyView): void => {
    // A circle stays as it came: binding says what is missing.
    if (visited.has(view)) return;
    visited.add(view);
    const named = view.definition.kind === "sql" ? relationNames(view.definition.text) : relationsOf(view);
    for (const one of named) {
      const other = byName.get(typeof one === "string" ? one : one.name);
      if (other !== undefined) add(other);
    }
    ordered.add(view);
  };
  views.forEach(add);
  return [...ordered];
}

function newTopics(core: Core, topics: readonly AnyTopic[]): CatalogEvent[] {
  const events: CatalogEvent[] = [];
  let id = core.catalog.nextId();
  for (const handle of topics) {
    const kind = handle.kind === "topic" ? "stream" : "table";
    const key = handle.kind === "table" ? handle.key.map((name) => fieldIndex(handle.schema, name)) : null;
    const existing = core.catalog.defined(handle.name);
    if (existing === undefined) {
      const entry = newTopic(id, handle.name, kind, handle.schema.fields, key);
      id = core.catalog.nextId(id);
      const { keeping } = handle;
      events.push({ event: "create", entry: keeping === undefined ? entry : { ...entry, keeping } });
      continue;
    }
    if (existing.kind !== "topic") {
      throw new EvertError("duplicate_table", `"${handle.name}" is already a view`, {
        hint: "Give the topic another name.",
      });
    }
    events.push(...keepingEvents(core, existing, handle.keeping));
  }
  // All of them are there by then.
  for (const handle of topics) {
    const made = events.flatMap((event) => (event.event === "create" ? [event.entry] : []));
    const entry = core.catalog.entry(handle.name) ?? made.find((known) => known.name === handle.name);
    const said = deadLetterEvents(core.catalog, entry as TopicEntry, handle.deadLetters, events, id);
    if (said.some(({ event }) => event === "create")) id = core.catalog.nextId(id);
    events.push(...said);
  }
  return events;
}

/** Held to the rules of sinks: its own, and those of the views that read it. */
function declaredSink(core: Core, handle: AnyView, entry: ViewEntry, replaces: number | undefined) {
  const { sink } = handle.options;
  const hasSinks = sink !== undefined || core.catalog.views().some((v) => v.sink !== undefined);
  if (!hasSinks) return {};
  const query = planView(entry, core.catalog, new Map([[handle.name, handle]]));
  if (replaces !== undefined) refuseCircle(core, handle.name, query, replaces);
  return sink === undefined ? {} : { sink: sinkOf(core, handle.name, query, sink.name, replaces) };
}

function newView(core: Core, handle: AnyView): CatalogEvent[] {
  const existing = core.catalog.defined(handle.name);
  if (existing?.kind === "topic") {
    throw new EvertError("duplicate_table", `"${handle.name}" is already a topic`, {
      hint: "Give the view another name.",
    });
  }
  const made = viewEntryOf(core.catalog.nextId(), handle, core.catalog, existing?.pinned);
  const entry = { ...made, ...declaredSink(core, handle, made, existing?.id) };
  if (existing === undefined) return [{ event: "create", entry }];
  if (existing.fingerprint === entry.fingerprint && existing.sink === entry.sink) return [];
  return replacement(core, existing.id, entry);
}
