/** ALTER TABLE … ADD, DROP, RENAME and ALTER COLUMN, and RENAME TO: of which topic, and then its alteration. */
import { EvertError } from "../../base/errors.ts";
import type { AlterAction, AlterTableStatement } from "../../sql/statement.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import type { Core } from "../core.ts";
import { Alteration } from "./alteration.ts";

export function alterTable(core: Core, { name, ifExists, actions }: AlterTableStatement): Promise<string> {
  return core.defineAfter(async (): Promise<readonly CatalogEvent[]> => {
    const entry = core.catalog.entry(name);
    if (entry === undefined) {
      if (ifExists) return [];
      throw new EvertError("undefined_table", `relation "${name}" does not exist`);
    }
    if (entry.kind !== "topic") {
      const [first] = actions;
      throw new EvertError(
        "wrong_object_type",
        `ALTER action ${wordsOf(first)} cannot be performed on relation "${name}"`,
        {
          detail: `This operation is not supported for ${entry.materialized ? "materialized views" : "views"}.`,
        },
      );
    }
    return (await new Alteration(core, entry, "names users").events(actions)).events;
  });
}

function wordsOf(action: AlterAction | undefined): string {
  switch (action?.action) {
    case "addColumn":
      return "ADD COLUMN";
    case "dropColumn":
      return "DROP COLUMN";
    case "alterType":
      return "ALTER COLUMN ... SET DATA TYPE";
    case "setNotNull":
      return "ALTER COLUMN ... SET NOT NULL";
    case "dropNotNull":
      return "ALTER COLUMN ... DROP NOT NULL";
    case "setDefault":
    case "dropDefault":
      return "ALTER COLUMN ... SET DEFAULT";
    default:
      return "RENAME";
  }
}
