/** Which topic a view may be appended to: one that has its columns and its key, that nothing else writes, and that the view does not read. */
import { EvertError } from "../base/errors.ts";
import { type SqlType, sameType, typeToString, withoutModifiers } from "../batch/types.ts";
import { sourceIds } from "../plan/inspect.ts";
import type { Query } from "../plan/plan.ts";
import type { TopicEntry } from "./catalog/catalog.ts";
import { visibleSchema } from "./catalog/entries.ts";
import type { Core } from "./core.ts";
import { refuseOwnTable } from "./own/own-tables.ts";

/** The id of the topic. `replaces`: the view in whose place this one is made. @throws EvertError why it cannot be the view's sink. */
export function sinkOf(core: Core, name: string, query: Query, topicName: string, replaces?: number): number {
  const topic = core.catalog.topic(topicName);
  refuseOwnTable(topic);
  const refuse = (message: string, detail: string, hint: string): never => {
    throw new EvertError("invalid_table_definition", message, { detail, hint });
  };
  const other = core.catalog.views().find((v) => v.sink === topic.id && v.id !== replaces);
  const cannot = `view "${name}" cannot be appended to "${topicName}"`;
  if (other !== undefined)
    refuse(cannot, `View "${other.name}" is appended to it already.`, "Give each view a topic of its own.");
  checkColumns(cannot, query, topic);
  const shown = query.plan.key?.every((c) => c < query.visible) === true ? query.plan.key : null;
  const key = shown?.map((c) => query.plan.schema.fields[c]!.name) ?? null;
  if (topic.topicKind === "stream") {
    if (!query.plan.appendOnly)
      refuse(
        cannot,
        "It is a stream, whose records are kept, and rows of the view can change or leave.",
        "Use a table with the view's key, or a view that only adds rows.",
      );
  } else {
    const wanted = topic.hiddenRowId
      ? []
      : (topic.key as readonly number[]).map((c) => topic.schema.fields[c]!.name);
    const same = key !== null && key.length === wanted.length && wanted.every((k) => key.includes(k));
    if (!same || wanted.length === 0)
      refuse(
        cannot,
        `Its key is ${words(wanted)}; the view's is ${words(key ?? [])}.`,
        "Declare the topic with the view's key.",
      );
  }
  const circle = pathTo(core, query, topic.id, []);
  if (circle !== null) {
    throw new EvertError("invalid_table_definition", `${cannot}, which it reads`, {
      sqlstate: "42P19",
      detail: `${said([topicName, ...circle])} is read by "${name}".`,
      hint: "A recursion belongs in one view: WITH RECURSIVE.",
    });
  }
  return topic.id;
}

function checkColumns(cannot: string, { plan, visible }: Query, topic: TopicEntry): void {
  const fields = plan.schema.fields.slice(0, visible);
  const wanted = visibleSchema(topic).fields;
  for (const field of wanted) {
    const own = fields.find((f) => f.name === field.name);
    const detail =
      own === undefined
        ? `The view has no column "${field.name}".`
        : !fits(own.type, field.type)
          ? `Column "${field.name}" is ${typeToString(own.type)} in the view and ${typeToString(field.type)} in the topic.`
          : own.nullable && !field.nullable
            ? `Column "${field.name}" may be null in the view, and not in the topic.`
            : null;
    if (detail === null) continue;
    throw new EvertError("datatype_mismatch", cannot, {
      detail,
      hint: "Name and cast the view's columns as the topic's; coalesce() gives one that is never null.",
    });
  }
  const surplus = fields.find((f) => !wanted.some((w) => w.name === f.name));
  if (surplus === undefined) return;
  throw new EvertError("datatype_mismatch", cannot, {
    detail: `The topic has no column "${surplus.name}".`,
    hint: "Select the topic's columns alone.",
  });
}

function fits(from: SqlType, to: SqlType): boolean {
  if (sameType(from, to)) return true;
  return sameType(to, withoutModifiers(to)) && sameType(withoutModifiers(from), to);
}

function words(names: readonly string[]): string {
  return names.length === 0 ? "none" : `(${names.join(", ")})`;
}

/**
 * A view that is made anew may come to read what its own readers append, whether it has a sink itself or not. @throws EvertError if it does, by way
 * of the view with this id, in whose place it is made.
 */
export function refuseCircle(core: Core, name: string, query: Query, replaces: number): void {
  const circle = pathTo(core, query, replaces, []);
  if (circle === null) return;
  throw new EvertError("invalid_table_definition", `view "${name}" cannot read what comes from itself`, {
    sqlstate: "42P19",
    detail: `${said([name, ...circle])} is read by "${name}".`,
    hint: "A recursion belongs in one view: WITH RECURSIVE.",
  });
}

function said(names: readonly string[]): string {
  return names.map((n) => `"${n}"`).join(" is read by ");
}

/**
 * What stands between the relation with this id and the query that reads it, from the relation on; null: it does not read it. A view whose code is
 * not there yet is passed over: it is asked when it is declared.
 */
function pathTo(core: Core, query: Query, wanted: number, seen: readonly number[]): string[] | null {
  for (const id of sourceIds(query.plan)) {
    if (id === wanted) return [];
    if (seen.includes(id)) continue;
    const entry = core.catalog.byId(id);
    if (entry === undefined || entry.kind === "type") continue;
    const above = entry.kind === "view" ? entry : core.catalog.views().find((v) => v.sink === id);
    if (above === undefined) continue;
    // The view itself appends what is read.
    if (above.id === wanted) return [entry.name];
    const known = core.views.get(above.id)?.query ?? null;
    const path = known === null ? null : pathTo(core, known, wanted, [...seen, id]);
    if (path !== null) return [...path, ...(above.id === id ? [entry.name] : [above.name, entry.name])];
  }
  return null;
}
