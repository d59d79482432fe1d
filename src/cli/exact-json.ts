/** JSON in and out again with every digit: an int8 or a numeric says more than a double. */

/** A number that prints as it was written. */
interface RawJson {
  readonly rawJSON: string;
}

const rawJson = (JSON as unknown as { rawJSON(text: string): RawJson }).rawJSON;

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

const keepDigits: Reviver = (_key, value, context) =>
  typeof value === "number" && context?.source !== undefined && String(value) !== context.source
    ? rawJson(context.source)
    : value;

/** A value of which JSON.stringify prints the same numbers again. @throws SyntaxError. */
export function parseExact(text: string): unknown {
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
}

/** A value of parseExact for people: text as it is, everything else as JSON. */
export function plainText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
