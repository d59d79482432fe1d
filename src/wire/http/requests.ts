/** The JSON bodies of requests, checked member by member: what is not known is refused, not ignored. */
import { EvertError } from "../../base/errors.ts";
import { JsonNumber, parseJson } from "../../batch/lossless-json.ts";
import { prefixPath } from "../../batch/value-error.ts";

export const timeoutMsMax = 600_000;

interface SqlCall {
  readonly sql: string;
  readonly params: readonly unknown[];
  readonly atLeast: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly format: "json" | "text";
}

/** @throws EvertError invalid_request, invalid_text_representation. */
export function parseSqlRequest(text: string): SqlCall {
  const members = ["sql", "params", "atLeast", "timeoutMs", "format"];
  const {
    sql,
    params = [],
    atLeast,
    timeoutMs,
    format = "json",
  } = objectOf(parseJson(text), members, "the request");
  if (typeof sql !== "string") throw invalid("sql must be a string");
  if (!Array.isArray(params)) throw invalid("params must be an array");
  if (atLeast !== undefined && typeof atLeast !== "string") throw invalid("atLeast must be a string");
  if (typeof atLeast === "string") checkPosition(atLeast, "atLeast");
  if (timeoutMs !== undefined && !isTimeoutMs(timeoutMs)) {
    throw invalid(`timeoutMs must be a whole number from 0 to ${timeoutMsMax}`);
  }
  if (format !== "json" && format !== "text") throw invalid('format must be "json" or "text"');
  // A number that no double holds goes as its text, which every type reads.
  const exact = params.map((param: unknown) => (param instanceof JsonNumber ? param.text : param));
  return { sql, params: exact, atLeast, timeoutMs, format };
}

export function isTimeoutMs(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= timeoutMsMax;
}

/** @throws EvertError invalid_request. */
export function checkPosition(text: string, name: string): void {
  if (/^[0-9]{1,15}$/.test(text)) return;
  throw new EvertError("invalid_request", `${name} is not a position: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: "Send a position as an answer or an event gave it.",
  });
}

type OperationCall =
  | { readonly topic: string; readonly append: readonly unknown[] }
  | { readonly topic: string; readonly upsert: readonly unknown[] }
  | { readonly topic: string; readonly delete: readonly unknown[] };

type ExpectationCall =
  | { readonly position: string }
  | { readonly topic: string; readonly position: string }
  | { readonly topic: string; readonly key: unknown; readonly version: string | null };

interface ConsumedCall {
  readonly name: string;
  readonly epoch: number;
  readonly topic: string;
  readonly offset: number;
}

interface TransactionCall {
  readonly operations: readonly OperationCall[];
  readonly expect: readonly ExpectationCall[];
  readonly consume: readonly ConsumedCall[];
  readonly idempotencyKey: string | undefined;
}

const verbs = ["append", "upsert", "delete"] as const;

/** @throws EvertError invalid_request, invalid_text_representation, feature_not_supported. */
export function parseTransactionRequest(text: string): TransactionCall {
  const members = ["operations", "expect", "consume", "idempotencyKey"];
  const { operations, expect, consume, idempotencyKey } = objectOf(parseJson(text), members, "the request");
  if (idempotencyKey !== undefined) {
    if (typeof idempotencyKey !== "string") throw invalid("idempotencyKey must be a string");
    checkIdempotencyKey(idempotencyKey, "idempotencyKey");
  }
  if (!Array.isArray(operations) || operations.length === 0) {
    throw new EvertError("invalid_request", "operations must be an array of at least one operation", {
      hint: 'For example [{"topic": "orders", "append": {"id": 1}}].',
    });
  }
  return {
    operations: operations.map(operationAt),
    expect: listOf(expect).map(expectationAt),
    consume: listOf(consume).map(consumedAt),
    idempotencyKey,
  };
}

function listOf(one: unknown): readonly unknown[] {
  return one === undefined ? [] : Array.isArray(one) ? one : [one];
}

function consumedAt(item: unknown, index: number): ConsumedCall {
  try {
    const { name, epoch, topic, offset } = objectOf(item, ["name", "epoch", "topic", "offset"], "progress");
    if (typeof name !== "string") throw invalid("name must be a string");
    if (typeof topic !== "string") throw invalid("topic must be a string");
    return { name, epoch: countOf(epoch, "epoch"), topic, offset: countOf(offset, "offset") };
  } catch (error) {
    throw prefixPath(error, `consume[${index}]`);
  }
}

function countOf(value: unknown, name: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`${name} must be a whole number from 0 to 2^53 - 1`);
}

function expectationAt(item: unknown, index: number): ExpectationCall {
  try {
    return expectationOf(item);
  } catch (error) {
    throw prefixPath(error, `expect[${index}]`);
  }
}

function expectationOf(item: unknown): ExpectationCall {
  const { topic, key, version, position } = objectOf(
    item,
    ["topic", "key", "version", "position"],
    "an expectation",
  );
  if (topic !== undefined && typeof topic !== "string") throw invalid("topic must be a string");
  if (
    (version !== undefined) !== (key !== undefined) ||
    (version === undefined) === (position === undefined)
  ) {
    throw new EvertError("invalid_request", "an expectation has a position, or a key and its version", {
      hint: 'For example {"position": "12"}, {"topic": "orders", "position": "12"}, or {"topic": "orders", "key": 1, "version": "12"}.',
    });
  }
  if (version === undefined) {
    if (typeof position !== "string") throw invalid("position must be a string");
    checkPosition(position, "position");
    return topic === undefined ? { position } : { topic, position };
  }
  if (topic === undefined) throw invalid("a key is one of a topic");
  if (version === null) return { topic, key, version };
  if (typeof version !== "string")
    throw invalid("version must be a position, or null where no row is expected");
  checkPosition(version, "version");
  return { topic, key, version };
}

function operationAt(item: unknown, index: number): OperationCall {
  try {
    return operationOf(item);
  } catch (error) {
    throw prefixPath(error, `operations[${index}]`);
  }
}

function operationOf(item: unknown): OperationCall {
  const operation = objectOf(item, ["topic", ...verbs], "an operation");
  const { topic } = operation;
  if (typeof topic !== "string") throw invalid("topic must be a string");
  const given = verbs.filter((verb) => operation[verb] !== undefined);
  const verb = given[0];
  if (verb === undefined || given.length > 1) {
    throw invalid("an operation has exactly one of append, upsert and delete");
  }
  const content = operation[verb];
  const items: unknown[] = Array.isArray(content) ? content : [content];
  switch (verb) {
    case "append":
      return { topic, append: items };
    case "upsert":
      return { topic, upsert: items };
    case "delete":
      return { topic, delete: items };
  }
}

/** @throws EvertError invalid_request. */
export function parseProducerRequest(text: string): { readonly id: string } {
  const { id } = objectOf(parseJson(text), ["id"], "the request");
  if (typeof id !== "string") throw invalid("id must be a string");
  return { id };
}

/** A schema that is registered or looked up, in the shape of Confluent's registry. What that knows beyond is passed over, as it passes over what it does not know. */
export function parseRegistryRequest(text: string): {
  readonly schema: string;
  readonly schemaType: string;
  readonly references: number;
} {
  const request = parseJson(text);
  const { schema, schemaType, references } = (request ?? {}) as Record<string, unknown>;
  if (typeof schema !== "string") throw invalid("schema must be a string, which is the schema's JSON");
  return {
    schema,
    schemaType: typeof schemaType === "string" ? schemaType : "AVRO",
    references: Array.isArray(references) ? references.length : 0,
  };
}

/** @throws EvertError invalid_request. */
export function parseBuildRequest(text: string): {
  readonly sql: string;
  readonly version: number | undefined;
} {
  const { sql, version } = objectOf(parseJson(text), ["sql", "version"], "the request");
  if (typeof sql !== "string") throw invalid("sql must be a string: the SELECT of the version");
  if (version === undefined) return { sql, version };
  const number = countOf(version, "version");
  if (number < 1 || number > 999_999_999) throw invalid("version must be a whole number from 1 to 999999999");
  return { sql, version: number };
}

interface OpenConsumerCall {
  readonly name: string;
  readonly topics: readonly string[];
  /** As the query of a read says it. */
  readonly from: string | undefined;
  readonly reset: boolean;
}

/** @throws EvertError invalid_request. */
export function parseOpenConsumerRequest(text: string): OpenConsumerCall {
  const members = ["name", "topics", "from", "reset"];
  const { name, topics, from, reset = false } = objectOf(parseJson(text), members, "the request");
  if (typeof name !== "string") throw invalid("name must be a string");
  const named: unknown[] = Array.isArray(topics) ? topics : [topics];
  if (!named.every((topic) => typeof topic === "string")) throw invalid("topics must be an array of strings");
  const start = typeof from === "number" ? String(countOf(from, "from")) : from;
  if (start !== undefined && typeof start !== "string") throw invalid("from must be a string or an offset");
  if (typeof reset !== "boolean") throw invalid("reset must be true or false");
  return { name, topics: named, from: start, reset };
}

interface ProgressCall {
  readonly epoch: number;
  readonly progress: Readonly<Record<string, number>>;
}

/** @throws EvertError invalid_request. */
export function parseProgressRequest(text: string): ProgressCall {
  const { epoch, progress } = objectOf(parseJson(text), ["epoch", "progress"], "the request");
  if (typeof progress !== "object" || progress === null || Array.isArray(progress)) {
    throw new EvertError("invalid_request", "progress must be an object", {
      hint: 'For example {"epoch": 0, "progress": {"orders": 17}}.',
    });
  }
  const offsets = Object.entries(progress).map(([topic, offset]) => [topic, countOf(offset, topic)] as const);
  return { epoch: countOf(epoch, "epoch"), progress: Object.fromEntries(offsets) };
}

/** @throws EvertError invalid_request. */
export function checkIdempotencyKey(key: string, where: string): void {
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return;
  throw invalid(`${where} must be 1 to 255 printable ASCII characters`);
}

export function objectOf(value: unknown, members: readonly string[], what: string): Record<string, unknown> {
  const hint = `Members: ${members.join(", ")}.`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new EvertError("invalid_request", `${what} must be a JSON object`, { hint });
  }
  for (const name of Object.keys(value)) {
    if (members.includes(name)) continue;
    throw new EvertError("invalid_request", `${what} has no member ${JSON.stringify(name)}`, { hint });
  }
  return value as Record<string, unknown>;
}

export function invalid(message: string): EvertError {
  return new EvertError("invalid_request", message);
}
