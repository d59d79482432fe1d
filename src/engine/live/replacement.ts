/** A view in the place of one that is defined otherwise. */

import type { EngineCatalog, ViewEntry } from "../catalog/catalog.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";

/** The new view is there before the old one goes: it inherits its rows, and its indexes as far as it has their columns. */
export function replacement(
  { catalog }: { readonly catalog: EngineCatalog },
  id: number,
  entry: ViewEntry,
): CatalogEvent[] {
  const indexes = catalog.indexesOn(id).map((index) => ({ ...index, on: entry.id }));
  return [
    { event: "create", entry },
    ...indexes.map((index): CatalogEvent => ({ event: "create", entry: index })),
    { event: "drop", id },
  ];
}
