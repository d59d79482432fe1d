/**
 * What a program declares, made true: topics that are not there are created, views that are not there or were made by other code
 * are created anew, everything else is left as it is.
 */
import { EvertError } from "../base/errors.ts";
import { type Field, fieldIndex } from "../batch/schema.ts";
import { sameType, typeToString } from "../batch/types.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import { type CatalogEvent, newTopic, type TopicEntry } from "./catalog.ts";
import type { Core } from "./core.ts";
import { viewEntryOf } from "./planner.ts";

export async function declareApp(
  core: Core,
  topics: readonly AnyTopic[],
  views: readonly AnyView[],
): Promise<void> {
  if (topics.length > 0) await core.define(() => newTopics(core, topics));
  for (const handle of topics) core.topicHandles.set(handle.name, handle);
  for (const handle of views) {
    core.views.registerHandle(handle);
    await core.define(() => newView(core, handle));
    const entry = core.catalog.view(handle.name);
    core.views.replan(entry.id);
  }
}

function newTopics(core: Core, topics: readonly AnyTopic[]): CatalogEvent[] {
  const events: CatalogEvent[] = [];
  let id = core.catalog.nextId();
  for (const handle of topics) {
    const kind = handle.kind === "topic" ? "stream" : "table";
    const key = handle.kind === "table" ? handle.key.map((name) => fieldIndex(handle.schema, name)) : null;
    const existing = core.catalog.entry(handle.name);
    if (existing === undefined) {
      events.push({ event: "create", entry: newTopic(id++, handle.name, kind, handle.schema.fields, key) });
      continue;
    }
    if (existing.kind !== "topic") {
      throw new EvertError("duplicate_table", `"${handle.name}" is already a view`, {
        hint: "Give the topic another name.",
      });
    }
    const difference = differenceOf(existing, kind, handle.schema.fields, key);
    if (difference !== null) {
      throw new EvertError("datatype_mismatch", `topic "${handle.name}" was made with another definition`, {
        detail: difference,
        hint: "Declare it as it is, or give the new one another name.",
      });
    }
  }
  return events;
}

function differenceOf(
  entry: TopicEntry,
  kind: "stream" | "table",
  fields: readonly Field[],
  key: readonly number[] | null,
): string | null {
  if (entry.topicKind !== kind) return `It is a ${entry.topicKind}, not a ${kind}.`;
  const there = entry.hiddenRowId ? entry.schema.fields.slice(0, -1) : entry.schema.fields;
  for (let i = 0; i < Math.max(there.length, fields.length); i++) {
    const a = there[i];
    const b = fields[i];
    if (a === undefined) return `It has no column "${b?.name}".`;
    if (b === undefined) return `It has a column "${a.name}", which is not declared.`;
    if (a.name !== b.name) return `Its column ${i + 1} is "${a.name}", not "${b.name}".`;
    if (!sameType(a.type, b.type) || a.nullable !== b.nullable) {
      return `Its column "${a.name}" is ${describe(a)}, not ${describe(b)}.`;
    }
  }
  const keyThere = entry.hiddenRowId ? null : entry.key;
  if (String(keyThere) !== String(key)) return "Its key is made of other columns.";
  return null;
}

function describe(field: Field): string {
  return `${typeToString(field.type)}${field.nullable ? "" : " not null"}`;
}

function newView(core: Core, handle: AnyView): CatalogEvent[] {
  const existing = core.catalog.entry(handle.name);
  if (existing?.kind === "topic") {
    throw new EvertError("duplicate_table", `"${handle.name}" is already a topic`, {
      hint: "Give the view another name.",
    });
  }
  const entry = viewEntryOf(core.catalog.nextId(), handle, core.catalog);
  if (existing === undefined) return [{ event: "create", entry }];
  if (existing.fingerprint === entry.fingerprint) return [];
  // Readers of the old one that the program declares too come after it and are made anew in their turn.
  return [
    { event: "create", entry },
    { event: "drop", id: existing.id },
  ];
}
