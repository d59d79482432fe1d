/**
 * A declared topic beside what the log has under its name: what ALTER TABLE would have to do that the one becomes the other. Columns are known by
 * their names, in any order.
 */
import { EvertError } from "../../base/errors.ts";
import type { Field } from "../../batch/schema.ts";
import { sameType, typeToString } from "../../batch/types.ts";
import { canWiden } from "../../batch/widen.ts";
import type { AnyTopic } from "../../face/handles.ts";
import type { AlterAction } from "../../sql/statement.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import { visibleSchema } from "../catalog/entries.ts";

/** None: it is what is declared. @throws EvertError where records would get another meaning, or no value. */
export function evolutionTo(entry: TopicEntry, handle: AnyTopic): AlterAction[] {
  const kind = handle.kind === "topic" ? "stream" : "table";
  if (entry.topicKind !== kind) throw incompatible(handle, `It is a ${entry.topicKind}, not a ${kind}.`);
  const schema = visibleSchema(entry);
  const { fields } = handle.schema;
  const keyThere = entry.hiddenRowId ? null : (entry.key?.map((c) => entry.schema.fields[c]!.name) ?? null);
  const key = handle.kind === "table" ? handle.key : null;
  if (String(keyThere) !== String(key)) throw incompatible(handle, "Its key is made of other columns.");
  for (const there of schema.fields) {
    if (there.nullable || fields.some((f) => f.name === there.name)) continue;
    throw incompatible(
      handle,
      `It has a column "${there.name}", which is not declared and must have a value.`,
    );
  }
  return fields.flatMap((field) => {
    const there = schema.fields.find((f) => f.name === field.name);
    if (there !== undefined) return changesOf(handle, there, field);
    const alias = schema.aliases?.find((a) => a.name === field.name);
    if (alias !== undefined)
      throw incompatible(handle, `Its column "${field.name}" is called "${alias.column}" now.`);
    const fallback = { value: null, text: null };
    return [{ action: "addColumn", field, fallback, given: null, ifNotExists: false } satisfies AlterAction];
  });
}

function changesOf(handle: AnyTopic, there: Field, field: Field): AlterAction[] {
  const { name: column } = field;
  const actions: AlterAction[] = [];
  if (!sameType(there.type, field.type)) {
    if (!canWiden(there.type, field.type)) {
      throw incompatible(handle, `Its column "${column}" is ${describe(there)}, not ${describe(field)}.`);
    }
    actions.push({ action: "alterType", column, type: field.type });
  }
  if (there.nullable && !field.nullable) actions.push({ action: "setNotNull", column });
  if (!there.nullable && field.nullable) actions.push({ action: "dropNotNull", column });
  return actions;
}

function incompatible({ name }: AnyTopic, detail: string): EvertError {
  return new EvertError("datatype_mismatch", `topic "${name}" was made with another definition`, {
    detail,
    hint: "Declare it as it is, or give the new one another name and fill it with INSERT ... SELECT.",
  });
}

function describe(field: Field): string {
  return `${typeToString(field.type)}${field.nullable ? "" : " not null"}`;
}
