/**
 * Columns that were made before their topic was changed: what was read from a body, or made ready aside, while ALTER TABLE went on. They are taken
 * like what was appended just before the change: as a reader of that would have them. So whoever appends notices nothing of a change that its records
 * still fit. Records of a topic that has been dropped meanwhile are refused: nobody would ever read them.
 */
import { EvertError } from "../../base/errors.ts";
import { type Field, type Schema, schemaOf } from "../../batch/schema.ts";
import { sameType } from "../../batch/types.ts";
import { Evolution } from "../../log/evolution.ts";
import type { CatalogEntry, TopicEntry } from "../catalog/catalog.ts";
import { visibleSchema } from "../catalog/entries.ts";
import { isHidden } from "../catalog/hidden-topics.ts";
import type { Part } from "../write/part.ts";
import { idsOf } from "./evolved.ts";

/**
 * The parts for the topics as they are now. `entry`: of an id. @throws EvertError undefined_table; conflict: the columns are those of no schema that
 * the topic has had
 */
export function upToDate(
  parts: readonly Part[],
  entry: (id: number) => CatalogEntry | undefined,
): readonly Part[] {
  let changed: Part[] | null = null;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part;
    const now = entry(part.topic.id);
    if (now === undefined && !isHidden(part.topic)) throw dropped(part.topic);
    if (part.op !== "batch" || now?.kind !== "topic" || now.evolved === undefined) continue;
    const schema = visibleSchema(now);
    if (isOf(part.batch.schema, schema.fields)) continue;
    changed ??= [...parts];
    changed[i] = { ...part, topic: now, batch: evolutionOf(part.batch.schema, now).batch(part.batch) };
  }
  return changed ?? parts;
}

function dropped({ name }: TopicEntry): EvertError {
  return new EvertError("undefined_table", `"${name}" was dropped before the records were stored`, {
    detail: "Nothing of the request is stored.",
  });
}

/** From the newest earlier schema that has such columns. */
function evolutionOf(given: Schema, now: TopicEntry): Evolution {
  const { evolved, id: topicId, schemaVersion } = now;
  const visible = <T>(columns: readonly T[]): readonly T[] =>
    now.hiddenRowId ? columns.slice(0, -1) : columns;
  const earlier = evolved?.earlier.findLast(({ fields }) => isOf(given, visible(fields)));
  if (earlier === undefined) {
    throw new EvertError("conflict", `the columns of "${now.name}" were changed meanwhile`, {
      hint: "Append the records again.",
    });
  }
  const before = {
    topicId,
    schemaVersion: earlier.version,
    schema: schemaOf(visible(earlier.fields)),
    columnIds: visible(earlier.ids),
  };
  const newest = {
    topicId,
    schemaVersion,
    schema: visibleSchema(now),
    columnIds: visible(idsOf(now)),
    missing: visible(evolved?.missing ?? []),
  };
  return new Evolution(before, newest);
}

function isOf({ fields: given }: Schema, fields: readonly Field[]): boolean {
  if (given.length !== fields.length) return false;
  return given.every(({ name, type }, i) => name === fields[i]?.name && sameType(type, fields[i].type));
}
