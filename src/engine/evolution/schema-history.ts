/** The schemas that a topic has had, for whoever asks. */
import type { SchemaVersionInfo } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { EarlierSchema } from "../catalog/entries.ts";
import { visibleSchema } from "../catalog/entries.ts";
import { idsOf } from "./evolved.ts";

/** Oldest first, the present one last. */
export function schemaHistory(entry: TopicEntry): SchemaVersionInfo[] {
  const { evolved, schemaVersion, hiddenRowId } = entry;
  const newestIds = idsOf(entry);
  const keyIds = hiddenRowId ? null : (entry.key?.map((c) => newestIds[c]) ?? null);
  /** The same columns, as they were called then. */
  const keyOf = (ids: readonly number[], fields: EarlierSchema["fields"]): readonly string[] | null => {
    const names = keyIds?.map((id) => fields[ids.indexOf(id as number)]?.name) ?? [];
    return keyIds !== null && names.every((name) => name !== undefined) ? names : null;
  };
  const earlier = (evolved?.earlier ?? []).map(({ version, fields, ids, since, changes }: EarlierSchema) =>
    info(version, since, hiddenRowId ? fields.slice(0, -1) : fields, keyOf(ids, fields), changes),
  );
  const { fields } = visibleSchema(entry);
  const key = keyOf(newestIds, fields);
  return [...earlier, info(schemaVersion, evolved?.since ?? null, fields, key, evolved?.changes ?? [])];
}

function info(
  version: number,
  since: EarlierSchema["since"],
  fields: EarlierSchema["fields"],
  key: readonly string[] | null,
  changes: readonly string[],
): SchemaVersionInfo {
  return {
    version,
    position: since === null ? null : String(since.position),
    timestamp: since === null ? null : new Date(since.timeUs / 1000).toISOString(),
    schema: { fields },
    key,
    changes,
  };
}
