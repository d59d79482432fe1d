/** What stands in a request's path and query string, checked: nothing unknown is ignored, nothing is guessed. */
import { EvertError } from "../../base/errors.ts";
import type { ReadOptions, ReadTopicOptions } from "../../engine/api.ts";
import { isTimeText } from "../../engine/read-time.ts";
import { contentTypes } from "../../wire/http/messages.ts";
import { checkPosition, timeoutMsMax } from "../../wire/http/requests.ts";
import { namedType } from "./accept.ts";
import type { RequestContext } from "./context.ts";

const readParameters = ["atLeast", "timeoutMs"];

/** A query string as pairs in order. @throws EvertError invalid_request when it is not valid percent-encoding of UTF-8. */
export function queryPairs(c: RequestContext): [name: string, value: string][] {
  const start = c.req.url.indexOf("?");
  if (start === -1) return [];
  const text = c.req.url.slice(start + 1);
  const pairs: [string, string][] = [];
  for (const part of text.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals === -1 ? part : part.slice(0, equals);
    pairs.push([decode(name), equals === -1 ? "" : decode(part.slice(equals + 1))]);
  }
  return pairs;
}

function decode(text: string): string {
  return decodePart(text.replaceAll("+", " "), "the query string");
}

/** @throws EvertError invalid_request. */
function decodePart(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new EvertError("invalid_request", `${where} is not valid percent-encoded UTF-8`, { cause: error });
  }
}

/** The query string as a map. @throws EvertError invalid_request for a name that is not in `known`, or one given twice. */
export function queryMap(c: RequestContext, known: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of queryPairs(c)) {
    if (!known.includes(name)) throw unknownParameter(name, known);
    if (map.has(name)) throw givenTwice(name);
    map.set(name, value);
  }
  return map;
}

export function unknownParameter(name: string, known: readonly string[]): EvertError {
  return new EvertError("invalid_request", `there is no parameter ${JSON.stringify(name)} here`, {
    hint: known.length === 0 ? "This request takes none." : `Parameters: ${known.join(", ")}.`,
  });
}

export function givenTwice(name: string): EvertError {
  return new EvertError("invalid_request", `parameter ${JSON.stringify(name)} is given more than once`);
}

/** `names` and the two parameters every read has. */
export function withReadParameters(...names: string[]): string[] {
  return [...names, ...readParameters];
}

export function readOptions(query: ReadonlyMap<string, string>): ReadOptions {
  const atLeast = query.get("atLeast");
  if (atLeast !== undefined) checkPosition(atLeast, "atLeast");
  return { atLeast, timeoutMs: integerParameter(query, "timeoutMs", 0, timeoutMsMax) };
}

export function integerParameter(
  query: ReadonlyMap<string, string>,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new EvertError("invalid_request", `${name} must be a whole number from ${min} to ${max}`, {
    detail: `It is ${JSON.stringify(text.slice(0, 80))}.`,
  });
}

/** `?name`, `?name=true`, `?name=false`. */
export function booleanParameter(query: ReadonlyMap<string, string>, name: string, absent: boolean): boolean {
  const text = query.get(name);
  if (text === undefined) return absent;
  if (text === "" || text === "true") return true;
  if (text === "false") return false;
  throw new EvertError("invalid_request", `${name} must be true or false`, {
    detail: `It is ${JSON.stringify(text.slice(0, 80))}.`,
  });
}

/**
 * One segment of the path, decoded. The router's own decoding keeps a broken escape as it stands; here it is refused.
 * `index` counts the segments after the leading slash.
 */
export function pathSegment(c: RequestContext, index: number): string {
  const url = c.req.url;
  const pathStart = url.indexOf("/", url.indexOf("//") + 2);
  const queryStart = url.indexOf("?", pathStart);
  const path = queryStart === -1 ? url.slice(pathStart + 1) : url.slice(pathStart + 1, queryStart);
  return decodePart(path.split("/")[index] ?? "", "the path");
}

export function acceptsEventStream(c: RequestContext): boolean {
  return namedType(c, contentTypes.json, [contentTypes.eventStream]) !== null;
}

/** Where a topic is read from. @throws EvertError invalid_request */
export function startOf(text: string | undefined): ReadTopicOptions["from"] {
  if (text === undefined || text === "earliest" || text === "latest") return text;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  if (isTimeText(text)) return text;
  throw new EvertError("invalid_request", "from must be earliest, latest, an offset or a time", {
    detail: `It is ${JSON.stringify(text.slice(0, 80))}.`,
  });
}
