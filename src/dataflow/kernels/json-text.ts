/**
 * Looking into JSON text without parsing it: an object's members and an array's elements as slices of the text. What is inside a jsonb's
 * canonical text is canonical, and what is inside a json's is as it was written; so a slice is the answer, with all its digits.
 *
 * The text is known to be JSON (both types check it on the way in).
 */
import { compareJsonKeys } from "../../batch/jsonb.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

export function kindOf(text: string): JsonKind {
  switch (text[spaceEnd(text, 0)]) {
    case "{":
      return "object";
    case "[":
      return "array";
    case '"':
      return "string";
    case "t":
    case "f":
      return "boolean";
    case "n":
      return "null";
    default:
      return "number";
  }
}

function spaceEnd(text: string, at: number): number {
  for (;;) {
    const c = text.charCodeAt(at);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return at;
    at++;
  }
}

/** Behind the string that begins at `at`. */
function stringEnd(text: string, at: number): number {
  for (at++; ; at++) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) return at + 1;
    if (c === BACKSLASH) at++;
  }
}

/** Behind the value that begins at `at`. */
function valueEnd(text: string, at: number): number {
  const begin = text.charCodeAt(at);
  if (begin === QUOTE) return stringEnd(text, at);
  if (begin !== 0x7b && begin !== 0x5b) {
    while (at < text.length && !/[,\]}\s]/.test(text[at]!)) at++;
    return at;
  }
  for (let depth = 0; ; ) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) {
      at = stringEnd(text, at);
      continue;
    }
    at++;
    if (c === 0x7b || c === 0x5b) depth++;
    else if ((c === 0x7d || c === 0x5d) && --depth === 0) return at;
  }
}

/** The string a JSON string says. */
export function unquoted(json: string): string {
  return json.includes("\\") ? (JSON.parse(json) as string) : json.slice(1, -1);
}

/** Members in the order of the text; a key that comes twice comes twice. */
export function membersOf(text: string): [key: string, value: string][] {
  const members: [string, string][] = [];
  let at = spaceEnd(text, spaceEnd(text, 0) + 1);
  while (text.charCodeAt(at) !== 0x7d) {
    const keyEnd = stringEnd(text, at);
    const key = unquoted(text.slice(at, keyEnd));
    const begin = spaceEnd(text, spaceEnd(text, keyEnd) + 1);
    const end = valueEnd(text, begin);
    members.push([key, text.slice(begin, end)]);
    at = spaceEnd(text, end);
    if (text.charCodeAt(at) === 0x2c) at = spaceEnd(text, at + 1);
  }
  return members;
}

export function elementsOf(text: string): string[] {
  const elements: string[] = [];
  let at = spaceEnd(text, spaceEnd(text, 0) + 1);
  while (text.charCodeAt(at) !== 0x5d) {
    const end = valueEnd(text, at);
    elements.push(text.slice(at, end));
    at = spaceEnd(text, end);
    if (text.charCodeAt(at) === 0x2c) at = spaceEnd(text, at + 1);
  }
  return elements;
}

// ---- reading ----------------------------------------------------------------------------------------------------

/** The member's value, the last of equal keys; null where there is none. */
export function fieldOf(text: string, key: string): string | null {
  if (kindOf(text) !== "object") return null;
  return membersOf(text).findLast(([k]) => k === key)?.[1] ?? null;
}

/** The element, counted from 0, or from the end by a negative number. */
export function elementAt(text: string, index: number): string | null {
  if (kindOf(text) !== "array") return null;
  return elementsOf(text).at(index) ?? null;
}

/** A number as PostgreSQL reads one in a path: decimal digits alone, in 32 bits. */
export function pathIndex(step: string): number | null {
  if (!/^\s*[+-]?\d+$/.test(step)) return null;
  const index = Number(step);
  return index >= -2147483648 && index <= 2147483647 ? index : null;
}

export function valueAt(text: string, path: readonly (string | null)[]): string | null {
  let value: string | null = text;
  for (const step of path) {
    if (step === null || value === null) return null;
    const kind = kindOf(value);
    if (kind === "object") value = fieldOf(value, step);
    else if (kind === "array") {
      const index = pathIndex(step);
      value = index === null ? null : elementAt(value, index);
    } else return null;
  }
  return value;
}

/** As ->> gives it: a string's characters, null for null, else the text. */
export function plainText(json: string | null): string | null {
  if (json === null) return null;
  const kind = kindOf(json);
  if (kind === "null") return null;
  return kind === "string" ? unquoted(json.trim()) : json;
}

// ---- making jsonb -----------------------------------------------------------------------------------------------

export function arrayText(elements: readonly string[]): string {
  return `[${elements.join(", ")}]`;
}

/** The last of equal keys stays. */
export function objectText(members: Iterable<readonly [string, string]>): string {
  const byKey = new Map(members);
  const keys = [...byKey.keys()].sort(compareJsonKeys);
  return `{${keys.map((k) => `${JSON.stringify(k)}: ${byKey.get(k)!}`).join(", ")}}`;
}
