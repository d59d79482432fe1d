/** CREATE TYPE and DROP TYPE: types in the catalog, and who still needs them. */
import { EvertError, notSupported } from "../../base/errors.ts";
import type { SqlType } from "../../batch/types.ts";
import type { CreateTypeStatement, DropStatement } from "../../sql/statement.ts";
import type { TypeEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";

export function createType(core: Core, { name, type }: CreateTypeStatement): Promise<string> {
  return core.define(() => {
    if (core.catalog.typeEntry(name) !== undefined) {
      throw new EvertError("duplicate_table", `type "${name}" already exists`, { sqlstate: "42710" });
    }
    return [{ event: "create", entry: { kind: "type", id: core.catalog.nextId(), name, type } }];
  });
}

export function dropTypes(core: Core, { object, names, ifExists, cascade }: DropStatement): Promise<string> {
  return core.define(() =>
    names.flatMap((name) => {
      const entry = core.catalog.typeEntry(name);
      if (entry === undefined) {
        if (ifExists) return [];
        throw new EvertError("undefined_object", `type "${name}" does not exist`);
      }
      if (object === "domain" && entry.type.domain === undefined)
        throw new EvertError("wrong_object_type", `"${name}" is not a domain`);
      const users = usersOf(core, entry);
      if (users.length > 0 && cascade) throw notSupported("DROP TYPE ... CASCADE of a type in use");
      if (users.length > 0) {
        throw new EvertError(
          "dependent_objects",
          `cannot drop type ${name} because other objects depend on it`,
          { detail: users.join("\n"), hint: "Drop them first." },
        );
      }
      return [{ event: "drop" as const, id: entry.id }];
    }),
  );
}

/** Tables with a column of the type, and constraints and views whose text names it. */
function usersOf({ catalog }: Core, { name }: TypeEntry): string[] {
  const isOfType = (type: SqlType): boolean =>
    [type.enumName, type.element?.enumName, type.domain?.name].includes(name);
  const domains = catalog
    .types()
    .filter(({ type }) => type.domain?.over === name)
    .map((other) => `type ${other.name} depends on type ${name}`);
  const tables = catalog
    .topics()
    .flatMap((topic) =>
      topic.schema.fields
        .filter((field) => isOfType(field.type))
        .map((field) => `column ${field.name} of table ${topic.name} depends on type ${name}`),
    );
  const checks = catalog
    .topics()
    .flatMap((topic) =>
      (topic.checks ?? [])
        .filter(({ text }) => text.toLowerCase().includes(name.toLowerCase()))
        .map((check) => `constraint ${check.name} on table ${topic.name} names type ${name}`),
    );
  const views = catalog
    .views()
    .filter((view) => view.sql?.toLowerCase().includes(name.toLowerCase()))
    .map((view) => `view ${view.name} names type ${name}`);
  return [...domains, ...tables, ...checks, ...views];
}
