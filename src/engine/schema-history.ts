/** The schemas that a topic has had, for whoever asks. */
import type { SchemaVersionInfo } from "./api.ts";
import { type TopicEntry, visibleSchema } from "./catalog.ts";
import type { EarlierSchema } from "./entries.ts";

/** Oldest first, the present one last. */
export function schemaHistory(entry: TopicEntry): SchemaVersionInfo[] {
  const { evolved, schemaVersion, hiddenRowId } = entry;
  const earlier = (evolved?.earlier ?? []).map(({ version, fields, since, changes }: EarlierSchema) =>
    info(version, since, hiddenRowId ? fields.slice(0, -1) : fields, changes),
  );
  const { fields } = visibleSchema(entry);
  return [...earlier, info(schemaVersion, evolved?.since ?? null, fields, evolved?.changes ?? [])];
}

function info(
  version: number,
  since: EarlierSchema["since"],
  fields: EarlierSchema["fields"],
  changes: readonly string[],
): SchemaVersionInfo {
  return {
    version,
    position: since === null ? null : String(since.position),
    timestamp: since === null ? null : new Date(since.timeUs / 1000).toISOString(),
    schema: { fields },
    changes,
  };
}
