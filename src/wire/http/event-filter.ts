/**
 * The part of a view's changes that concerns the rows with certain values: what a reader of these rows alone would be told.
 *
 *   before matches, after matches:  update    before alone:  delete    after alone:  insert    neither:  nothing
 *
 * Changes come and go as text (event-json.ts); what is passed on is cut out of it, with all its digits.
 */
import { datumFromJson } from "../../batch/convert.ts";
import { parseJson } from "../../batch/lossless-json.ts";
import { orderKeyOf } from "../../batch/order-key.ts";
import type { Field } from "../../batch/schema.ts";
import type { SqlType } from "../../batch/types.ts";

/** Whether the row, a JSON object as text, has the values. */
export type RowTest = (rowJson: string) => boolean;

/** Equality is PostgreSQL's, that of reads: `1.5` and `1.50` are equal. Nothing equals null. */
export function rowTest(fields: readonly Field[], where: Readonly<Record<string, unknown>>): RowTest {
  const wanted = fields
    .filter(({ name }) => name in where)
    .map(({ name, type }) => ({ name, same: sameAs(type, where[name]) }));
  return (rowJson) => {
    const members = membersOf(rowJson);
    return wanted.every(({ name, same }) => {
      const text = members.get(name);
      return text !== undefined && same(text);
    });
  };
}

function sameAs(type: SqlType, value: unknown): (json: string) => boolean {
  const identity = (json: unknown): unknown => {
    const datum = datumFromJson(type, json);
    if (datum === null) return null;
    const key = orderKeyOf(type);
    if (key !== null) return key.of(String(datum)).join();
    return type.name === "numeric" ? withoutZeros(String(datum)) : datum;
  };
  const wanted = identity(value);
  return (json) => {
    if (wanted === null) return false;
    const found = identity(parseJson(json));
    // NaN equals itself, as in PostgreSQL; the zeros are one.
    return found === wanted || Object.is(found, wanted);
  };
}

/** A numeric's text without zeros at the end of its fraction. */
function withoutZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Of a snapshot's elements, `{"key":…,"row":…}`, those whose rows pass. */
export function filteredRows(rowsJson: readonly string[], passes: RowTest): string[] {
  return rowsJson.filter((element) => passes(membersOf(element).get("row") as string));
}

/** Elements of an array with commas between; "" where there are none. */
export interface FilteredChanges {
  readonly deletes: string;
  readonly others: string;
}

/**
 * Of a piece of a step's changes, elements of an array with commas between, what those see who see only rows that pass. An update may have become a delete, and a step's
 * deletes come first.
 */
export function filteredChanges(piece: string, passes: RowTest): FilteredChanges {
  const deletes: string[] = [];
  const others: string[] = [];
  for (let at = 0; at < piece.length; ) {
    const end = endOfValue(piece, at);
    const change = filteredChange(piece.slice(at, end), passes);
    if (change !== null) (change.startsWith('{"op":"delete"') ? deletes : others).push(change);
    at = end + 1;
  }
  return { deletes: deletes.join(","), others: others.join(",") };
}

function filteredChange(change: string, passes: RowTest): string | null {
  const members = membersOf(change);
  const key = members.get("key") as string;
  const row = members.get("row");
  const old = members.get("old");
  const isAfter = row !== undefined && passes(row);
  const isBefore = old !== undefined && passes(old);
  if (isAfter) return isBefore || old === undefined ? change : `{"op":"insert","key":${key},"row":${row}}`;
  if (isBefore) return row === undefined ? change : `{"op":"delete","key":${key},"old":${old}}`;
  return null;
}

/** Names and the texts of the values of a JSON object that was written without blanks between its members. */
export function membersOf(object: string): Map<string, string> {
  const members = new Map<string, string>();
  for (let at = 1; object[at] === '"'; at++) {
    const colon = endOfValue(object, at);
    const name = object.slice(at, colon);
    at = endOfValue(object, colon + 1);
    members.set(
      name.includes("\\") ? (JSON.parse(name) as string) : name.slice(1, -1),
      object.slice(colon + 1, at),
    );
  }
  return members;
}

/** Behind the JSON value that begins there. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) {
      at = endOfString(text, at + 1);
      if (depth === 0) return at + 1;
    } else if (unit === 0x7b || unit === 0x5b) depth++;
    else if (unit === 0x7d || unit === 0x5d) {
      // Of a number, say, the one that is around it.
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (unit === 0x2c || unit === 0x3a)) return at;
  }
  return text.length;
}

/** Index of the quote that ends the string. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); ; at = text.indexOf('"', at + 1)) {
    if (at < 0) return text.length;
    let slashes = at;
    while (slashes > from && text.charCodeAt(slashes - 1) === 0x5c) slashes--;
    if (((at - slashes) & 1) === 0) return at;
  }
}
