/**
 * Who keeps so many rows in memory that a commit finds no room: told to whom it is refused, who else would have to guess which of all views and
 * indexes is meant. It is looked for when a commit is refused, and at no other time.
 */
import type { Circuit } from "../../dataflow/circuit.ts";
import type { KeptRows } from "../../dataflow/row-keepers.ts";
import type { Store } from "../../state/store.ts";
import type { EngineCatalog } from "../catalog/catalog.ts";

/** A store with a smaller part of the limit is not what fills it. */
const SMALL_PART = 16;
const STORES_MAX = 3;
/** Named of each kind; of others is said how many there are. */
const NAMES_MAX = 6;

export interface MemoryCausesContext {
  readonly circuit: Pick<Circuit, "memory" | "keptRows">;
  readonly catalog: EngineCatalog;
}

export interface MemoryCauses {
  /** Whose rows stay in memory, and for whom; "" where nobody is to blame. */
  readonly detail: string;
  /** What would let them go, to be followed by what else helps; "" likewise. */
  readonly drop: string;
}

interface Names {
  readonly views: Set<string>;
  readonly indexes: Set<string>;
  readonly constraints: Set<string>;
}

/** Of all state; of these stores alone, however small they are, where some are given. */
export function memoryCauses(
  { circuit, catalog }: MemoryCausesContext,
  stores: ReadonlySet<Store> | null = null,
): MemoryCauses {
  const least = stores === null ? circuit.memory.bytes / SMALL_PART : 0;
  const told: string[] = [];
  const all = noNames();
  for (const kept of circuit.keptRows(least)) {
    if (stores !== null && !stores.has(kept.store)) continue;
    const names = namesOf(kept, catalog);
    const whom = listed(names);
    if (whom === "") continue;
    told.push(`${whoseRows(kept, catalog)} (${kept.store.bytes} bytes) stay in memory for ${whom}.`);
    for (const kind of ["views", "indexes", "constraints"] as const)
      for (const name of names[kind]) all[kind].add(name);
    if (told.length === STORES_MAX) break;
  }
  return { detail: told.join(" "), drop: listed(all) };
}

const noNames = (): Names => ({ views: new Set(), indexes: new Set(), constraints: new Set() });

function namesOf({ owner, views }: KeptRows, catalog: EngineCatalog): Names {
  const names = noNames();
  for (const id of views) names.views.add(catalog.byId(id)?.name ?? String(id));
  if (owner === null) return names;
  const entry = catalog.byId(owner.id);
  // Rows in an order of their own are for the view itself.
  if (owner.kind === "view" && (catalog.relationById(owner.id)?.order.length ?? 0) > 0 && entry !== undefined)
    names.views.add(entry.name);
  for (const index of catalog.indexesOn(owner.id)) names.indexes.add(index.name);
  if (entry?.kind === "topic") for (const unique of entry.uniques ?? []) names.constraints.add(unique.name);
  return names;
}

function whoseRows({ owner }: KeptRows, catalog: EngineCatalog): string {
  const name = owner === null ? undefined : catalog.byId(owner.id)?.name;
  return owner === null || name === undefined ? "Rows kept beside" : `All rows of ${owner.kind} "${name}"`;
}

function listed({ views, indexes, constraints }: Names): string {
  return [
    kind(views, "view", "views"),
    kind(indexes, "index", "indexes"),
    kind(constraints, "unique constraint", "unique constraints"),
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function kind(names: ReadonlySet<string>, one: string, several: string): string {
  if (names.size === 0) return "";
  const first = [...names].slice(0, NAMES_MAX).map((name) => `"${name}"`);
  const more = names.size > first.length ? ` and ${names.size - first.length} more` : "";
  return `${names.size === 1 ? one : several} ${first.join(", ")}${more}`;
}
