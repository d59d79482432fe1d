/** What the operations of the OpenAPI document are put together from. */
import { contentTypes, headers } from "../../wire/http/messages.ts";
import type { parameters, responses } from "./openapi-components.ts";

export type Json = Record<string, unknown>;

export const parameter = (name: keyof typeof parameters): Json => ({
  $ref: `#/components/parameters/${name}`,
});

export const readParameters = [parameter("atLeast"), parameter("timeoutMs")];

export function json(schema: Json): Json {
  return { [contentTypes.json]: { schema } };
}

export function ok(description: string, content: Json): Json {
  return { description, headers: positionHeader, content };
}

export const positionHeader = { [headers.position]: { $ref: `#/components/headers/${headers.position}` } };

export function fails(...statuses: (keyof typeof responses)[]): Json {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
}
