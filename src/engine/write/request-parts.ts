/** What a request appends or deletes, as parts of a commit. */
import { EvertError } from "../../base/errors.ts";
import { type Datum, datumFromJson } from "../../batch/convert.ts";
import { prefixPath } from "../../batch/value-error.ts";
import { checkedRecord } from "../../face/validate.ts";
import type { Key } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";
import { completed, fallbacksOf, hasNoDefaults } from "../evolution/fallbacks.ts";
import type { Part } from "./part.ts";

/** Records as the topic's own schema leaves them, where the program declared one, with the defaults of what they do not name. */
export function upsertPart(core: Core, name: string, rows: readonly unknown[], path: string): Part {
  const plain = core.plainTopics.find(name);
  if (plain !== undefined) return { topic: plain.topic, op: "upsert", rows, path, rowBytes: plain.rowBytes };
  const topic = core.catalog.topic(name);
  const handle = core.topicHandles.get(name);
  const fallbacks = fallbacksOf(core, topic);
  if (handle === undefined || handle.standard === null) {
    if (hasNoDefaults(topic)) core.plainTopics.note(name, topic);
    if (fallbacks === null) return { topic, op: "upsert", rows, path };
    return { topic, op: "upsert", rows: completed(topic, rows, fallbacks), given: rows, path };
  }
  const checked = rows.map((row, i) => {
    try {
      return checkedRecord(handle, row);
    } catch (error) {
      throw prefixPath(error, `${path}[${i}]`);
    }
  });
  if (fallbacks === null) return { topic, op: "upsert", rows: checked, path };
  return { topic, op: "upsert", rows: completed(topic, checked, fallbacks), given: checked, path };
}

export function deletePart(core: Core, name: string, keys: readonly Key[], path: string): Part {
  const topic = keyTopic(core, name);
  return { topic, op: "delete", rows: listOfKeys(topic, keys).map((key) => keyObject(topic, key)), path };
}

/** A composite key is a list itself: one of plain values is that key, where a list of keys has a list or an object for each. */
function listOfKeys(topic: TopicEntry, keys: readonly Key[]): readonly Key[] {
  const columns = topic.key?.length ?? 0;
  const isOneKey =
    columns > 1 && keys.length === columns && keys.every((key) => typeof key !== "object" || key === null);
  return isOneKey ? [keys as Key] : keys;
}

/** A topic whose rows are named by a key. @throws EvertError wrong_object_type */
export function keyTopic(core: Core, name: string): TopicEntry {
  const topic = core.catalog.topic(name);
  if (topic.topicKind === "stream") {
    throw new EvertError("wrong_object_type", `"${name}" is a stream: its records are kept`, {
      hint: "Append an event that says what happened instead.",
    });
  }
  if (topic.hiddenRowId) {
    throw new EvertError("wrong_object_type", `"${name}" has no primary key to name a row by`, {
      hint: "Use DELETE with a condition.",
    });
  }
  return topic;
}

/** The key columns by name. @throws EvertError invalid_request */
function keyObject(topic: TopicEntry, key: Key): object {
  if (key !== null && typeof key === "object" && !Array.isArray(key)) return key;
  const names = (topic.key as readonly number[]).map((c) => topic.schema.fields[c]!.name);
  const values = names.length === 1 || !Array.isArray(key) ? [key] : key;
  if (values.length !== names.length) {
    throw new EvertError("invalid_request", `the key of "${topic.name}" is (${names.join(", ")})`, {
      hint: `Give a list of its ${names.length} values, or an object of them.`,
    });
  }
  return Object.fromEntries(names.map((n, i) => [n, values[i]]));
}

/** The values of the key's columns. @throws EvertError naming the path of one that does not fit */
export function keyDatums(topic: TopicEntry, key: Key, path: string): Datum[] {
  const object = keyObject(topic, key) as Record<string, unknown>;
  return (topic.key as readonly number[]).map((c) => {
    const { name, type } = topic.schema.fields[c]!;
    const datum = datumFromJson(type, object[name], `${path}.${name}`);
    if (datum !== null) return datum;
    throw new EvertError(
      "not_null_violation",
      `${path}.${name} is null: it is part of the key of "${topic.name}"`,
    );
  });
}
