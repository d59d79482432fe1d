/** The messages of the HTTP interface, for tools that speak it without a live view. */
export type * from "../wire/http/event-messages.ts";
export type * from "../wire/http/messages.ts";
export { decodeSseStream, SseDecoder } from "../wire/http/sse.ts";
export { type SqlPart, sqlParts } from "./sql-answer.ts";
