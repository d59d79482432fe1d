import { expect, test } from "vitest";
import { propertiesOf, typeArgumentBefore } from "../../src/face/type-text.ts";

const program = `
import type { Imported } from "./other.ts";
interface Song { id: number; readonly "name": string } // with a comment
export interface Charted extends Song { plays?: number | null }
type Label = "punk" | "pop";
type Circle = Circle & { a: number };
type Choice = { a: number } | { b: number };
`;

/** `name?: kinds`, for short. */
function shown(text: string): string {
  return [...propertiesOf(text, program)]
    .map(
      ([name, { kinds, optional }]) =>
        `${name}${optional ? "?" : ""}: ${kinds === null ? "-" : [...kinds].join("|")}`,
    )
    .join("; ");
}

test.each([
  ["{ id: number; name: string, plays: bigint }", "id: number; name: string; plays: bigint"],
  ["{ readonly a?: string | null; /* b */ readonly: true }", "a?: string|null; readonly: boolean"],
  ["Song", "id: number; name: string"],
  [
    "Charted & { label: Label; at: Date }",
    "id: number; name: string; plays?: number|null; label: string; at: object",
  ],
  [
    "{ a: Imported; b: Imported | string; c: Map<string, { x: number }>; d: number }",
    "a: -; b: -; c: -; d: number",
  ],
  ["{ a: string[]; b: (number | null)[]; c: Song['id']; d: (string) }", "a: -; b: -; c: -; d: string"],
  ["{ a: 1 | -2.5 | 'x\\'y' | 3n }", "a: number|string|bigint"],
  ["{ a: { b: number } }", "a: object"],
  ["Imported & { a: number }", "a: number"],
  ["Circle", "a: number"],
  ["Choice", ""],
  ["Pick<Song, 'id'>", ""],
  ["{ a(): void }", ""],
  ["{ [name: string]: number }", ""],
  ["{ a: () => void; b: number }", ""],
  ["{ a: number", "a: number"],
  ["", ""],
])("of %s", (text, properties) => {
  expect(shown(text)).toBe(properties);
});

test.each([
  ["sql<{ a: number }>`x`", "{ a: number }"],
  ["sql<\n  Song\n>\n  `x`", "\n  Song\n"],
  ["sql<{ a: Map<string, (x: number) => void> }>`x`", "{ a: Map<string, (x: number) => void> }"],
  ["sql`x`", null],
  ["a > `x`", null],
  ["`x`", null],
])("before the template of %s", (text, type) => {
  expect(typeArgumentBefore(text, text.indexOf("`"))).toBe(type);
});

test("there is no template at the place", () => {
  expect(typeArgumentBefore("sql<Song>(x)", 9)).toBeNull();
  expect(typeArgumentBefore("", 3)).toBeNull();
});
