/**
 * The DEFAULTs of a topic's columns, for records that do not name them: what INSERT gives a row whose column list leaves one out, an append gives a
 * record without the key. A null that is written is a null.
 *
 * A default that is no constant, such as now(), has one value for all records of a request. A topic that the program declared with a schema of
 * its own has its records go through that first; what it fills in is named by then.
 */
import type { Clock } from "../../base/clock.ts";
import { type Datum, exactValue } from "../../batch/convert.ts";
import { setProperty } from "../../batch/json.ts";
import type { Schema } from "../../batch/schema.ts";
import { sameType } from "../../batch/types.ts";
import { type EvaluationContext, evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import { bindDefaults } from "../../sql/statement.ts";
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import { visibleSchema } from "../catalog/entries.ts";
import type { Part } from "../write/part.ts";

/** What defaults are of, and computed with. */
export interface DefaultsOf {
  readonly catalog: EngineCatalog;
  readonly clock: Clock;
  readonly evaluation: EvaluationContext;
}

/** By visible column. */
export interface Fallbacks {
  /** null: none. */
  readonly datums: readonly Datum[];
  /** The same as records have them (BatchBuilder.setFallbacks); undefined: none. */
  readonly values: readonly unknown[];
}

/** Those of constants only; null: no column has a default. */
const constants = new WeakMap<TopicEntry, Fallbacks | null>();

/** For one request, of this moment; null: no column has a default. */
export function fallbacksOf({ catalog, clock, evaluation }: DefaultsOf, topic: TopicEntry): Fallbacks | null {
  const known = constants.get(topic);
  if (known !== undefined) return known;
  const { fields } = visibleSchema(topic);
  const texts = topic.defaultTexts;
  if (texts === undefined || texts.every((text) => text === null)) {
    const fallbacks = fallbacksFrom(
      fields,
      fields.map((_, k) => topic.defaults[k] ?? null),
    );
    constants.set(topic, fallbacks);
    return fallbacks;
  }
  const bound = bindDefaults(fields, texts, catalog, BigInt(clock.wallUs()));
  const datums = bound.map((expr, k) =>
    expr === null ? (topic.defaults[k] ?? null) : evaluateExpr(expr, [], evaluation),
  );
  return fallbacksFrom(fields, datums);
}

/** Whether no column has a default, whenever one asks. REQUIRES that fallbacksOf() has been asked. */
export function hasNoDefaults(topic: TopicEntry): boolean {
  return constants.get(topic) === null;
}

/** Names of the columns that have a default. */
export function withDefault(topic: TopicEntry): string[] {
  return visibleSchema(topic).fields.flatMap(({ name }, k) =>
    (topic.defaults[k] ?? null) === null && (topic.defaultTexts?.[k] ?? null) === null ? [] : [name],
  );
}

/** The same for records that are taken apart by a schema which the topic has, or had before it was changed meanwhile. */
export function fallbacksFor(core: DefaultsOf, name: string, schema: Schema): readonly unknown[] | null {
  const topic = core.catalog.entry(name);
  if (topic?.kind !== "topic") return null; // dropped meanwhile, which the append will be told
  const values = fallbacksOf(core, topic)?.values ?? null;
  const { fields } = visibleSchema(topic);
  if (values === null || fields === schema.fields) return values;
  return schema.fields.map(({ name: column, type }) => {
    const now = fields.findIndex((field) => field.name === column && sameType(field.type, type));
    return now === -1 ? undefined : values[now];
  });
}

/** Parts that were made before their topics were changed: their records have the defaults of the columns that there are by now. */
export function completedAnew(core: DefaultsOf, parts: readonly Part[]): readonly Part[] {
  let changed: Part[] | null = null;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Part;
    if (part.op !== "upsert") continue;
    const now = core.catalog.byId(part.topic.id);
    if (now?.kind !== "topic" || now.schema === part.topic.schema) continue;
    const fallbacks = fallbacksOf(core, now);
    // What the defaults of before have named may be no column any more.
    const given = part.given ?? part.rows;
    if (fallbacks === null && part.given === undefined) continue;
    changed ??= [...parts];
    changed[i] = { ...part, rows: fallbacks === null ? given : completed(now, given, fallbacks) };
  }
  return changed ?? parts;
}

function fallbacksFrom(fields: Schema["fields"], datums: readonly Datum[]): Fallbacks | null {
  if (datums.every((datum) => datum === null)) return null;
  const values = datums.map((datum, k) => exactValue(fields[k]!.type, datum) ?? undefined);
  return { datums, values };
}

/** Records with the defaults of what they do not name: those that are given, or copies. */
export function completed(
  topic: TopicEntry,
  rows: readonly unknown[],
  { values }: Fallbacks,
): readonly unknown[] {
  const { fields, aliases } = topic.schema;
  return rows.map((row) => {
    // What is no record is refused where it is taken apart.
    if (typeof row !== "object" || row === null || Array.isArray(row)) return row;
    let made: Record<string, unknown> | null = null;
    for (let k = 0; k < values.length; k++) {
      const value = values[k];
      const { name } = fields[k]!;
      if (value === undefined || names(row, name)) continue;
      if (aliases?.some((alias) => alias.column === name && names(row, alias.name)) === true) continue;
      made ??= { ...row };
      setProperty(made, name, value);
    }
    return made ?? row;
  });
}

function names(row: object, column: string): boolean {
  return Object.hasOwn(row, column) && (row as Record<string, unknown>)[column] !== undefined;
}
