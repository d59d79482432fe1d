/**
 * DROP TABLE, VIEW and MATERIALIZED VIEW: who reads what is to go, and the order in which all go.
 *
 * A view in SQL stands on what its text names, so that a plain view, which is written out where it is named, stands between its readers and its
 * tables; one in TypeScript on what its plan reads.
 */
import { EvertError } from "../../base/errors.ts";
import { type DropStatement, relationNames } from "../../sql/statement.ts";
import type { EngineCatalog, RelationEntry, ViewEntry } from "../catalog/catalog.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import type { Core } from "../core.ts";
import { alsoGoing } from "../live/going-versions.ts";
import { refuseOwnTable } from "../own/own-tables.ts";
import { refuseNeededForDeadLetters } from "../write/dead-letters.ts";

export function dropRelations(core: Core, statement: DropStatement): Promise<string> {
  return core.define((): CatalogEvent[] => {
    let named = alsoGoing(core, namedBy(core, statement), statement.cascade);
    let users = usersOf(core, named);
    if (users.length > 0 && !statement.cascade) throw inUse(named, users);
    refuseNeededForDeadLetters(core.catalog, new Set(named.map(({ id }) => id)));
    // A user may be the version that a name means: then the others go, and so do those who read them.
    for (;;) {
      const going = [...named, ...users.map(({ view }) => view)];
      const all = alsoGoing(core, going, true);
      if (all.length === going.length) break;
      named = all;
      users = usersOf(core, named);
    }
    const all = new Map([...named, ...users.map((u) => u.view)].map((e) => [e.id, e]));
    // Views first, latest first: what is read goes after its readers.
    const ordered = [...all.values()].sort((a, b) => rank(a) - rank(b) || b.id - a.id);
    return ordered.map((e) => ({ event: "drop", id: e.id }));
  });
}

/** As DROP VIEW, of a view of any make. @throws EvertError dependent_objects */
export function dropView(core: Core, name: string): Promise<string> {
  return core.define(() => {
    const entry = core.catalog.view(name);
    alsoGoing(core, [entry], false);
    const users = usersOf(core, [entry]);
    if (users.length === 0) return [{ event: "drop", id: entry.id }];
    throw new EvertError("dependent_objects", `cannot drop view "${name}": others depend on it`, {
      detail: users.map(({ view, of }) => `${words(view)} depends on ${words(of)}`).join("\n"),
      hint: "Drop them first.",
    });
  });
}

/** A view, and what it reads of what is to go: the latest of them, as PostgreSQL says it. */
export interface User {
  readonly view: ViewEntry;
  readonly of: RelationEntry;
}

/** Views over these relations, and over those, in the order in which they were made. */
export function usersOf(core: Core, relations: readonly RelationEntry[]): User[] {
  const going = new Map(relations.map((e) => [e.id, e]));
  const reads = core.catalog.views().map((view) => ({ view, ids: needsOf(core, view) }));
  const users: User[] = [];
  // Nobody reads what was made later: one pass in that order finds all. A view that was defined anew may be younger than its readers.
  for (let found = -1; found < users.length; ) {
    found = users.length;
    for (const { view, ids } of reads) {
      if (going.has(view.id)) continue;
      const of = ids.filter((id) => going.has(id)).sort((a, b) => b - a)[0];
      if (of === undefined) continue;
      going.set(view.id, view);
      users.push({ view, of: going.get(of) as RelationEntry });
    }
  }
  return users.sort((a, b) => a.view.id - b.view.id);
}

/** What the view reads, and the topic that it is appended to. */
function needsOf({ catalog, views }: Core, view: ViewEntry): number[] {
  const sink = view.sink === undefined ? [] : [view.sink];
  if (view.sql === null) return [...sink, ...views.reads(view.id)];
  return [...sink, ...namedIn(catalog, view).values()];
}

/** What the text of a view in SQL names, by the names it has there. */
export function namedIn(catalog: EngineCatalog, { id, sql, over, pinned }: ViewEntry): Map<string, number> {
  const named = new Map<string, number>();
  for (const name of sql === null ? [] : relationNames(sql)) {
    const then = over !== undefined && Object.hasOwn(over, name) ? over[name]?.id : undefined;
    const version = pinned !== undefined && Object.hasOwn(pinned, name) ? pinned[name] : undefined;
    const meant =
      then ?? (version === undefined ? catalog.decidedEntry(name) : catalog.version(name, version))?.id;
    if (meant !== undefined && meant !== id) named.set(name, meant);
  }
  return named;
}

function inUse(named: readonly RelationEntry[], users: readonly User[]): EvertError {
  const [first] = named;
  const message =
    named.length === 1 && first !== undefined
      ? `cannot drop ${words(first)} because other objects depend on it`
      : "cannot drop desired object(s) because other objects depend on them";
  return new EvertError("dependent_objects", message, {
    detail: users.map(({ view, of }) => `${words(view)} depends on ${words(of)}`).join("\n"),
    hint: "Use DROP ... CASCADE to drop the dependent objects too.",
  });
}

/** `materialized view v`. */
export function words(entry: RelationEntry): string {
  return `${objectOf(entry)} ${entry.name}`;
}

export function objectOf(entry: RelationEntry): "table" | "view" | "materialized view" {
  return entry.kind === "topic" ? "table" : entry.materialized ? "materialized view" : "view";
}

function namedBy({ catalog }: Core, { names, object, ifExists }: DropStatement): RelationEntry[] {
  return names.flatMap((name) => {
    const entry = catalog.entry(name);
    if (entry === undefined) {
      if (catalog.index(name) !== undefined) throw notA(name, object, "index");
      if (ifExists) return [];
      // Of a view whose version is lost it says which, and what can be done.
      if (catalog.promotions.has(name)) catalog.view(name);
      throw new EvertError("undefined_table", `${object} "${name}" does not exist`);
    }
    refuseOwnTable(entry);
    if (objectOf(entry) === object) return [entry];
    throw notA(name, object, objectOf(entry));
  });
}

/** A name that is another thing's. */
export function notA(name: string, asked: DropStatement["object"], is: DropStatement["object"]): EvertError {
  const article = (noun: string): string => `${noun === "index" ? "an" : "a"} ${noun}`;
  return new EvertError("wrong_object_type", `"${name}" is not ${article(asked)}`, {
    hint: `Use DROP ${is.toUpperCase()} to remove ${article(is)}.`,
  });
}

function rank(entry: RelationEntry): number {
  return entry.kind === "view" ? 0 : 1;
}
