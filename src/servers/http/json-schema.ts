/** JSON Schema in short, as the OpenAPI document is written in. */

export type Json = Record<string, unknown>;

export const string = { type: "string" };
export const boolean = { type: "boolean" };
export const count = { type: "integer", minimum: 0 };

/** All properties are required but these. */
export function object(properties: Json, optional: readonly string[] = []): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required };
}

export function list(items: Json): Json {
  return { type: "array", items };
}

export function orNull(type: string): Json {
  return { type: [type, "null"] };
}
