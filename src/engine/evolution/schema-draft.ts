/**
 * What ALTER TABLE makes of a topic: its actions, one after the other, on a draft of its columns; and what has to be looked at before that may be.
 *
 * Nothing here looks at rows or at other entries of the catalog. A change that would give old records another meaning, or none, is refused, with the
 * way out.
 */
import { EvertError, notSupported } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import { type Field, schemaOf } from "../../batch/schema.ts";
import { valueToText } from "../../batch/text-form.ts";
import { type SqlType, sameType, typeToString } from "../../batch/types.ts";
import { canWiden, widenDatum } from "../../batch/widen.ts";
import { castOf } from "../../plan/function-casts.ts";
import { sqlTypeName } from "../../plan/functions.ts";
import type { AlterAction, Default } from "../../sql/statement.ts";
import type { ColumnAlias, SchemaSince, TopicEntry } from "../catalog/entries.ts";
import { idsOf, placedOf, placeOf } from "./evolved.ts";

interface DraftColumn {
  readonly id: number;
  field: Field;
  place: number;
  missing: Datum;
  fallback: Default;
}

/** PostgreSQL's limit, a hidden row id left out. */
const COLUMNS_MAX = 1600;

const WAY_OUT = "Make a new table, fill it with INSERT ... SELECT, and put a view in the old one's place.";

export class SchemaDraft {
  readonly #entry: TopicEntry;
  /** Whether there is any record: if not, nothing is ever missing. */
  readonly #hasRecords: boolean;
  readonly #version: number;
  name: string;
  readonly #columns: DraftColumn[];
  readonly #hidden: DraftColumn | null;
  readonly #placed: Field[];
  #aliases: readonly ColumnAlias[];
  #nextId: number;
  readonly changes: string[] = [];
  /** Whether records look otherwise from here on. */
  #isNewSchema = false;
  /** Columns of the topic that go, and whether with those who use them. */
  readonly dropped = new Map<number, { readonly cascade: boolean }>();
  /** Columns of the topic that get another type. */
  readonly retyped = new Set<number>();
  /** Names of columns, as they are called then, whose rows must have no null. */
  readonly filled = new Map<number, string>();

  /** `newestVersion`: of the topic's records, which may be above the entry's where a definition was lost (log/repair). */
  constructor(entry: TopicEntry, hasRecords: boolean, newestVersion = 0) {
    this.#entry = entry;
    this.#version = Math.max(entry.schemaVersion, newestVersion);
    this.#hasRecords = hasRecords;
    this.name = entry.name;
    const ids = idsOf(entry);
    const columns = entry.schema.fields.map((field, c): DraftColumn => {
      return {
        id: ids[c] as number,
        field,
        place: placeOf(entry, c),
        missing: entry.evolved?.missing[c] ?? null,
        fallback: { value: entry.defaults[c] ?? null, text: entry.defaultTexts?.[c] ?? null },
      };
    });
    this.#hidden = entry.hiddenRowId ? (columns.pop() as DraftColumn) : null;
    this.#columns = columns;
    this.#placed = [...placedOf(entry).schema.fields];
    this.#aliases = entry.evolved?.aliases ?? [];
    const earlier = entry.evolved?.earlier.flatMap((e) => e.ids) ?? [];
    this.#nextId = Math.max(0, ...ids, ...earlier) + 1;
  }

  /** `given`: what rows that are there get of a column that is added. */
  apply(action: AlterAction, given: Datum): void {
    switch (action.action) {
      case "addColumn":
        this.#add(action, given);
        return;
      case "dropColumn":
        this.#drop(action);
        return;
      case "renameColumn":
        this.#rename(action.column, action.to);
        return;
      case "renameTo":
        this.changes.push(`renamed from ${this.name} to ${action.to}`);
        this.name = action.to;
        return;
      case "alterType":
        this.#retype(this.#named(action.column), action.type);
        return;
      case "setDefault": {
        const column = this.#named(action.column);
        if (!sameType(column.field.type, action.type)) throw changedMeanwhile(this.#entry.name);
        column.fallback = action.fallback;
        return;
      }
      case "dropDefault":
        this.#named(action.column).fallback = { value: null, text: null };
        return;
      case "setNotNull": {
        const column = this.#named(action.column);
        if (!column.field.nullable) return;
        column.field = { ...column.field, nullable: false };
        this.filled.set(column.id, column.field.name);
        this.#changed(`column ${column.field.name} set not null`);
        return;
      }
      case "dropNotNull":
        this.#mayBeNull(this.#named(action.column));
        return;
    }
  }

  #changed(what: string): void {
    this.changes.push(what);
    this.#isNewSchema = true;
  }

  #find(name: string): DraftColumn | undefined {
    return this.#columns.find(({ field }) => field.name === name);
  }

  #named(name: string): DraftColumn {
    const column = this.#find(name);
    if (column !== undefined) return column;
    const message = `column "${name}" of relation "${this.#entry.name}" does not exist`;
    throw new EvertError("undefined_column", message);
  }

  #isTaken(name: string): boolean {
    return this.#find(name) !== undefined || this.#hidden?.field.name === name;
  }

  #add({ field, fallback, ifNotExists }: AlterAction & { action: "addColumn" }, given: Datum): void {
    if (this.#isTaken(field.name)) {
      if (ifNotExists) return;
      const message = `column "${field.name}" of relation "${this.name}" already exists`;
      throw new EvertError("duplicate_column", message);
    }
    if (this.#columns.length >= COLUMNS_MAX)
      throw new EvertError("too_many_columns", `tables can have at most ${COLUMNS_MAX} columns`);
    const id = this.#nextId++;
    // Rows that are gone may have had no value either, and are met again by who reads history.
    const isMissing = given === null && this.#hasRecords;
    if (!field.nullable && isMissing) this.filled.set(id, field.name);
    const place = this.#placed.push({ ...field, nullable: field.nullable || isMissing }) - 1;
    this.#columns.push({ id, field, place, missing: given, fallback });
    this.#aliases = this.#aliases.filter((alias) => alias.name !== field.name);
    const value = given === null ? "" : ` default ${valueToText(field.type, given)}`;
    this.#changed(
      `column ${field.name} ${typeToString(field.type)}${field.nullable ? "" : " not null"}${value} added`,
    );
  }

  #drop({ column: name, ifExists, cascade }: AlterAction & { action: "dropColumn" }): void {
    const column = this.#find(name);
    if (column === undefined && ifExists) return;
    const { id } = column ?? this.#named(name);
    if (this.#isKey(id)) {
      throw incompatible(
        `cannot drop column "${name}" of "${this.#entry.name}"`,
        "It is part of the key, by which its rows are known.",
      );
    }
    if (this.#columns.length === 1) throw notSupported("a table without columns");
    this.#columns.splice(this.#columns.indexOf(column as DraftColumn), 1);
    this.#aliases = this.#aliases.filter((alias) => alias.id !== id);
    this.dropped.set(id, { cascade });
    this.#changed(`column ${name} dropped`);
  }

  #rename(from: string, to: string): void {
    const column = this.#find(from);
    if (column === undefined) throw new EvertError("undefined_column", `column "${from}" does not exist`);
    if (this.#isTaken(to)) {
      const message = `column "${to}" of relation "${this.#entry.name}" already exists`;
      throw new EvertError("duplicate_column", message);
    }
    column.field = { ...column.field, name: to };
    const others = this.#aliases.filter((alias) => alias.name !== to);
    this.#aliases = [...others, { name: from, id: column.id }];
    this.#changed(`column ${from} renamed to ${to}`);
  }

  #retype(column: DraftColumn, type: SqlType): void {
    const { name, type: before } = column.field;
    this.retyped.add(column.id);
    if (sameType(before, type) && before.domain === type.domain) return;
    if (!canWiden(before, type)) throw refusedType(name, before, type);
    if (this.#isKey(column.id)) {
      throw incompatible(
        `cannot change the type of column "${name}" of "${this.#entry.name}"`,
        "It is part of the key, by which its rows are known.",
      );
    }
    column.field = { ...column.field, type };
    column.missing = widenDatum(before, type, column.missing);
    const { value, text } = column.fallback;
    column.fallback = { value: widenDatum(before, type, value), text };
    column.place = this.#placed.push({ ...(this.#placed[column.place] as Field), type }) - 1;
    this.#changed(`column ${name} widened from ${typeToString(before)} to ${typeToString(type)}`);
  }

  #mayBeNull(column: DraftColumn): void {
    const { name, nullable } = column.field;
    if (nullable) return;
    if (this.#isKey(column.id))
      throw new EvertError("invalid_table_definition", `column "${name}" is in a primary key`);
    column.field = { ...column.field, nullable: true };
    const place = this.#placed[column.place] as Field;
    if (!place.nullable) column.place = this.#placed.push({ ...place, nullable: true }) - 1;
    this.#changed(`column ${name} dropped not null`);
  }

  #isKey(id: number): boolean {
    const ids = idsOf(this.#entry);
    return this.#entry.key?.some((c) => ids[c] === id) === true;
  }

  /** Where a column of the topic as it was is by now; -1: nowhere. */
  at(column: number): number {
    const id = idsOf(this.#entry)[column];
    return this.#all.findIndex((c) => c.id === id);
  }

  get #all(): DraftColumn[] {
    return this.#hidden === null ? this.#columns : [...this.#columns, this.#hidden];
  }

  /** The topic as it is to be. `checks`: those that are left. */
  finish(since: SchemaSince, checks: TopicEntry["checks"]): TopicEntry {
    const { evolved, defaultTexts: _, uniques, checks: __, ...rest } = this.#entry;
    const all = this.#all;
    const texts = this.#columns.map((c) => c.fallback.text);
    const named = { ...rest, name: this.name };
    const said = {
      defaults: this.#columns.map((c) => c.fallback.value),
      ...(texts.every((t) => t === null) ? {} : { defaultTexts: texts }),
    };
    const left = (uniques ?? []).flatMap((unique) => {
      const columns = unique.columns.map((c) => this.at(c));
      return columns.includes(-1) ? [] : [{ ...unique, columns }];
    });
    const constraints = {
      ...(left.length === 0 ? {} : { uniques: left }),
      ...(checks === undefined || checks.length === 0 ? {} : { checks }),
    };
    if (!this.#isNewSchema)
      return { ...named, ...said, ...constraints, ...(evolved === undefined ? {} : { evolved }) };
    const before = this.#entry;
    const ids = idsOf(before);
    return {
      ...named,
      ...said,
      ...constraints,
      schema: schemaOf(
        all.map((c) => c.field),
        this.#aliases.map(({ name, id }) => ({ name, column: all.find((c) => c.id === id)!.field.name })),
      ),
      schemaVersion: this.#version + 1,
      key: before.key?.map((c) => this.at(c)) ?? null,
      evolved: {
        ids: all.map((c) => c.id),
        places: all.map((c) => c.place),
        missing: all.map((c) => c.missing),
        placed: this.#placed,
        aliases: this.#aliases,
        earlier: [
          ...(evolved?.earlier ?? []),
          {
            version: before.schemaVersion,
            fields: before.schema.fields,
            ids,
            places: ids.map((_, c) => placeOf(before, c)),
            since: evolved?.since ?? null,
            changes: evolved?.changes ?? [],
          },
        ],
        since,
        changes: this.changes,
      },
    };
  }

  /** Whether its columns are others than before. */
  get isNewSchema(): boolean {
    return this.#isNewSchema;
  }
}

function refusedType(name: string, from: SqlType, to: SqlType): EvertError {
  if (castOf(from, to, "assignment") === undefined) {
    const message = `column "${name}" cannot be cast automatically to type ${sqlTypeName(to)}`;
    return new EvertError("datatype_mismatch", message, { hint: WAY_OUT });
  }
  return incompatible(
    `cannot change the type of column "${name}" from ${typeToString(from)} to ${typeToString(to)}`,
    "Records stay as they were written, and not every value of the one type is a value of the other.",
  );
}

function incompatible(message: string, detail: string): EvertError {
  return new EvertError("feature_not_supported", message, { detail, hint: WAY_OUT });
}

function changedMeanwhile(table: string): EvertError {
  return new EvertError("conflict", `"${table}" was changed meanwhile`, { hint: "Try again." });
}
