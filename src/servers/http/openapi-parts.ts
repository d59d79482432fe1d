/** What the operations of the OpenAPI document are put together from. */
import { contentTypes, headers } from "../../wire/http/messages.ts";
import type { Json } from "./json-schema.ts";
import type { parameters } from "./openapi-parameters.ts";
import { ref } from "./openapi-schemas.ts";

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

/** The same of what has to do with a view's rows. */
export function okOfView(description: string, content: Json): Json {
  return { description, headers: { ...positionHeader, ...columnsHeader }, content };
}

const columnsHeader = { [headers.columns]: { $ref: `#/components/headers/${headers.columns}` } };

function errorResponse(description: string, schema: Json = ref("Error")): Json {
  return { description, content: { [contentTypes.json]: { schema } } };
}

export const responses = {
  "400": errorResponse("The request cannot be read, or a record does not fit.", {
    anyOf: [ref("Error"), ref("ChunkedError")],
  }),
  "403": errorResponse("Not from there; or a newer instance has taken the place of the one that asks."),
  "404": errorResponse("No such topic, view or row."),
  "410": errorResponse("The topic begins behind these records: its retention has given them up."),
  "409": errorResponse("A constraint or a conflict; or the view cannot answer."),
  "413": errorResponse("The body or a record is too large."),
  "422": errorResponse("The idempotency key was used for another request."),
  "429": errorResponse("Too many at once; try again."),
  "503": errorResponse("Not able to answer now; try again."),
  "504": errorResponse("The position was not reached in time."),
} satisfies Record<string, Json>;

export function fails(...statuses: (keyof typeof responses)[]): Json {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
}
