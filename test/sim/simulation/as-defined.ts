/** What the engine's parts have by heart of definitions is what the catalog says where nothing is under way; and nothing is kept of what was dropped. */
import type { Database } from "../../../src/engine/database.ts";
import { Violation } from "./commits.ts";

/** @throws Violation */
export function checkAsDefined(name: string, { core }: Database): void {
  const { catalog, circuit, committer, views } = core;
  for (const { entry } of views.all())
    if (catalog.byId(entry.id) !== entry)
      throw new Violation(
        `view ${entry.name} of ${name} is kept as ${JSON.stringify(entry)}\n  and is defined as ${JSON.stringify(catalog.byId(entry.id))}`,
      );
  for (const { id } of circuit.stores()) {
    const table = /^table:(\d+)\b/.exec(id)?.[1];
    if (table !== undefined && catalog.byId(Number(table)) === undefined)
      throw new Violation(`${name} keeps ${id}, whose table was dropped`);
  }
  for (const id of catalog.dropped)
    if (committer.lastWritten.of(id).after > 0)
      throw new Violation(`${name} remembers when topic ${id} was written to, which was dropped`);
}
