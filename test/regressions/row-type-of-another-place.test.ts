/**
 * A view whose row type was right was refused when it was opened: the type was looked for by its name alone, and the first text that looked like a
 * declaration was taken for it, be it in a comment, in a text, of another function, or while the name was a parameter of something generic.
 */
import { expect, test } from "vitest";
import { propertiesOf, typeArgumentBefore } from "../../src/face/type-text.ts";

const program = `
// interface Song { id: string }
/* type Singer = { id: string } */
const example = "type Label = { id: string }", other = 'type Label = { it: "s" }';
const made = \`type Year = { id: string } \${ { a: \`\${1}\` } } type Year = { id: string }\`;
const odd = /["\`{]/.test(example) ? 6 / 2 / 1 : 0;
interface Song { id: number }
type Singer = { id: number };
type Label = { id: number };
type Year = { id: number };
function one() { type Local = { id: string }; }
function two() { type Local = { id: number }; }
function three() { type Inner = { id: string }; }
class Box<Boxed extends object> { view() { return sql<Boxed>\`SELECT 1\`; } }
type Boxed = { id: string };
const make = <Made,>() => sql<Made>\`SELECT 1\`;
type Made = { id: string };
function given<A, Given>(a: A) { return sql<Given>\`SELECT 1\`; }
type Given = { id: string };
type Either = Song extends { id: string } ? { id: string } : { name: string };
type Bracketed = ({ id: string } extends Song ? Song : Label);
interface Less extends Omit<{ id: number; no: number }, "no"> { name: string }
interface Album { id: number }
interface Album { name: string }
const albums = new Map<string, Album>();
type Price = { id: number; euros: "a > b" };
const prices = new Map<string, Price>([]);
`;

const kindsOf = (type: string) =>
  [...propertiesOf(type, program)].map(([name, { kinds }]) => [name, ...(kinds ?? [])]);

test.each(["Song", "Singer", "Label", "Year"])("%s is what the program declares", (name) => {
  expect(kindsOf(name)).toEqual([["id", "number"]]);
});

test.each(["Local", "Inner", "Boxed", "Made", "Given", "Either", "Bracketed", "Less", "Album"])(
  "nothing is known of %s",
  (name) => {
    expect(kindsOf(name)).toEqual([]);
    expect(kindsOf(`Song & { other: ${name} | 1 }`)[0]).toEqual(["id", "number"]);
    expect(propertiesOf(`{ other: ${name} | 1 }`, program).get("other")?.kinds ?? null).toBeNull();
  },
);

test("an argument of something generic that is called is taken for a parameter: it cannot be told", () => {
  expect(kindsOf("Price")).toEqual([]);
});

test("what is in a comment or a text is no bracket of a type's argument", () => {
  const type = `{ id: number /* > { */; name: "<" // }\n }`;
  const text = `sql<${type}>\`SELECT 1\``;
  expect(typeArgumentBefore(text, text.indexOf("`"))).toBe(type);
  const commented = `// sql<Song>\`x\``;
  expect(typeArgumentBefore(commented, commented.indexOf("`"))).toBeNull();
});
