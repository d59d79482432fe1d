/**
 * /registry: a schema registry in the shapes of Confluent's, for clients of Kafka's that are to write and read Avro here.
 *
 * - A topic has a subject, TOPIC-value, and one with a key another, TOPIC-key (Confluent's TopicNameStrategy).
 * - The versions of a subject are the schemas of the topic's own columns, one for each time that they were changed, and what writers have registered, in the order of
 *   the log. They are never deleted.
 * - A writer's schema is registered if every record by it could be stored: compatible is what resolves to the columns as they are (Confluent calls it FORWARD), and what does
 *   not is refused with 409 and the reasons.
 *
 * Errors have Confluent's shape, {error_code, message}, here alone.
 */
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { Engine, TopicInfo } from "../../engine/api.ts";
import { type OwnSchema, ownSchemaId } from "../../wire/avro/schema-ids.ts";
import { SCHEMA_CHARS_MAX } from "../../wire/avro/writer-schema.ts";
import type {
  RegistryCompatibility,
  RegistryConfig,
  RegistryError,
  RegistryId,
  RegistrySchema,
  RegistryVersion,
} from "../../wire/http/registry-messages.ts";
import { parseRegistryRequest } from "../../wire/http/requests.ts";
import { jsonAnswer } from "./answer.ts";
import { canonicalText, ownText, readingByText, schemaText } from "./avro-schemas.ts";
import { BodyReader, bodyText, jsonType } from "./body.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { pathSegment } from "./params.ts";
import { TimeSlice } from "./time-slice.ts";

/** Confluent's codes: the status and two digits more. */
class RegistryRefusal extends EvertError {
  readonly errorCode: number;

  constructor(errorCode: number, message: string) {
    super("invalid_request", message);
    this.errorCode = errorCode;
  }

  override get status(): number {
    return this.errorCode < 1000 ? this.errorCode : Math.floor(this.errorCode / 100);
  }
}

const SUBJECT_UNKNOWN = 40401;
const VERSION_UNKNOWN = 40402;
const SCHEMA_UNKNOWN = 40403;
const INCOMPATIBLE = 409;
const SCHEMA_INVALID = 42201;
const VERSION_INVALID = 42202;

/** JSON says a character of a schema in six at most, and there is some more. */
const REQUEST_BYTES_MAX = 8 * SCHEMA_CHARS_MAX;

/** Confluent's name for what holds here: what is written by the newest schema can be read by the one before, which is the topic's. */
const COMPATIBILITY = "FORWARD";

type Handler = (c: RequestContext) => Promise<{ readonly answer: unknown; readonly position?: string }>;

export function registryRoutes(app: App, server: ServerContext): void {
  const { engine } = server;
  const answering = (handler: Handler) => async (c: RequestContext) => {
    try {
      const { answer, position } = await handler(c);
      return jsonAnswer(answer, position ?? engine.position);
    } catch (thrown) {
      return refused(server, toEvertError(thrown));
    }
  };
  const config = answering(async () => ({
    answer: { compatibilityLevel: COMPATIBILITY } satisfies RegistryConfig,
  }));
  app.get("/registry/config", config);
  app.get("/registry/config/:subject", config);
  app.get(
    "/registry/schemas/ids/:id",
    answering(async (c) => {
      const id = Number(/^[0-9]{1,10}$/.exec(pathSegment(c, 3))?.[0] ?? Number.NaN);
      const schema = Number.isNaN(id) ? null : await schemaText(engine, id);
      if (schema === null) throw new RegistryRefusal(SCHEMA_UNKNOWN, "Schema not found");
      return { answer: { schema } satisfies RegistrySchema };
    }),
  );
  app.get(
    "/registry/subjects",
    answering(async () => ({ answer: engine.topics().flatMap(subjectsOf) })),
  );
  app.get(
    "/registry/subjects/:subject/versions",
    answering(async (c) => {
      const versions = await versionsOf(engine, subjectOf(engine, pathSegment(c, 2)));
      return { answer: versions.map(({ version }) => version) };
    }),
  );
  app.get(
    "/registry/subjects/:subject/versions/:version",
    answering(async (c) => {
      const versions = await versionsOf(engine, subjectOf(engine, pathSegment(c, 2)));
      return { answer: versionAt(versions, pathSegment(c, 4)) satisfies RegistryVersion };
    }),
  );
  app.post(
    "/registry/subjects/:subject",
    answering(async (c) => {
      const subject = subjectOf(engine, pathSegment(c, 2));
      const found = await find(await versionsOf(engine, subject), await schemaOf(c, server));
      if (found === undefined) throw new RegistryRefusal(SCHEMA_UNKNOWN, "Schema not found");
      return { answer: found satisfies RegistryVersion };
    }),
  );
  app.post(
    "/registry/subjects/:subject/versions",
    answering(async (c) => register(engine, pathSegment(c, 2), await schemaOf(c, server))),
  );
  app.post(
    "/registry/compatibility/subjects/:subject/versions/:version",
    answering(async (c) => {
      const subject = subjectOf(engine, pathSegment(c, 3));
      versionAt(await versionsOf(engine, subject), pathSegment(c, 5));
      const faults = await faultsOf(subject, await schemaOf(c, server));
      const answer = { is_compatible: faults.length === 0, messages: faults };
      return { answer: answer satisfies RegistryCompatibility };
    }),
  );
}

// ---- subjects ---------------------------------------------------------------------------------------------------

interface Subject {
  readonly name: string;
  readonly topic: TopicInfo;
  readonly isKey: boolean;
}

function subjectsOf(topic: TopicInfo): string[] {
  const { name, key } = topic;
  if (ownSchemaId({ topicId: topic.id, version: topic.schemaVersion, isKey: false }) === null) return [];
  return [`${name}-value`, ...(key === null ? [] : [`${name}-key`])];
}

/** @throws RegistryRefusal for what is no subject: the topic has to be there first. */
function subjectOf(engine: Engine, name: string): Subject {
  const [, topicName = "", part] = /^(.*)-(value|key)$/s.exec(name) ?? [];
  const topic = engine.topics().find((known) => known.name === topicName);
  if (topic !== undefined && subjectsOf(topic).includes(name)) return { name, topic, isKey: part === "key" };
  throw new RegistryRefusal(
    SUBJECT_UNKNOWN,
    `Subject '${name}' not found. There is one, TOPIC-value, for each topic (and TOPIC-key where it has a key): make the topic first, by CREATE TABLE or in the program.`,
  );
}

/** By the order of the log: those of the topic's own columns, and those that were registered. */
async function versionsOf(engine: Engine, { name, topic, isKey }: Subject): Promise<RegistryVersion[]> {
  const own = engine.schemas(topic.name).map(({ version, position }) => {
    const schema: OwnSchema = { topicId: topic.id, version, isKey };
    return { id: ownSchemaId(schema), at: Number(position ?? 0), text: () => ownText(engine, schema) };
  });
  const registered = isKey ? [] : (await engine.registeredSchemas()).filter((s) => s.topicId === topic.id);
  const others = registered.map(({ id, position, text }) => ({ id, at: Number(position), text: () => text }));
  const versions = [...own, ...others].sort((a, b) => a.at - b.at);
  return versions.flatMap(({ id, text }, i) => {
    const schema = id === null ? null : withForm(text);
    // Columns that have no Avro form count all the same, so that the others keep their numbers.
    return id === null || schema === null ? [] : [{ subject: name, version: i + 1, id, schema }];
  });
}

function withForm(text: () => string | null): string | null {
  try {
    return text();
  } catch (error) {
    if (toEvertError(error).code === "feature_not_supported") return null;
    throw error;
  }
}

function versionAt(versions: readonly RegistryVersion[], said: string): RegistryVersion {
  if (said !== "latest" && said !== "-1" && !/^[1-9][0-9]{0,8}$/.test(said)) {
    throw new RegistryRefusal(
      VERSION_INVALID,
      `The specified version '${said}' is not a valid version id: it is a number from 1 on, or "latest".`,
    );
  }
  const found =
    said === "latest" || said === "-1" ? versions.at(-1) : versions.find((v) => v.version === Number(said));
  if (found === undefined) throw new RegistryRefusal(VERSION_UNKNOWN, `Version ${said} not found.`);
  return found;
}

async function find(
  versions: readonly RegistryVersion[],
  text: string,
): Promise<RegistryVersion | undefined> {
  // The newest first: what is meant is what is in use. What a client sends is mostly what it sent before, and then nothing has to be parsed.
  const newestFirst = [...versions].reverse();
  const same = newestFirst.find(({ schema }) => schema === text);
  if (same !== undefined) return same;
  const canonical = await canonicalOf(text);
  const slice = new TimeSlice();
  for (const version of newestFirst) {
    if ((await canonicalOf(version.schema)) === canonical) return version;
    if (slice.over()) await slice.rest();
  }
  return undefined;
}

// ---- registering ------------------------------------------------------------------------------------------------

async function register(
  engine: Engine,
  name: string,
  text: string,
): Promise<{ answer: RegistryId; position?: string }> {
  const subject = subjectOf(engine, name);
  const known = await find(await versionsOf(engine, subject), text);
  if (known !== undefined) return { answer: { id: known.id } };
  const faults = await faultsOf(subject, text);
  if (faults.length > 0) {
    throw new RegistryRefusal(
      INCOMPATIBLE,
      `Schema being registered is incompatible with "${subject.topic.name}": ${faults.join("; ")}.`,
    );
  }
  const { id, position } = await engine.registerSchema(subject.topic.name, text);
  return { answer: { id }, position };
}

/** Why records by the schema could be refused; empty: they could not. */
async function faultsOf({ name, topic, isKey }: Subject, text: string): Promise<string[]> {
  if (isKey) return [`the one schema of "${name}" is that of the key's columns`];
  try {
    const { resolved } = await readingByText(text, topic, null);
    return [...resolved.doubts];
  } catch (thrown) {
    const error = toEvertError(thrown);
    if (error.code === "datatype_mismatch") return [(error.detail ?? error.message).replace(/\.$/, "")];
    throw invalid(error);
  }
}

async function canonicalOf(text: string): Promise<string> {
  try {
    return await canonicalText(text);
  } catch (error) {
    throw invalid(toEvertError(error));
  }
}

function invalid(error: EvertError): EvertError {
  if (error.code !== "invalid_value") return error;
  return new RegistryRefusal(SCHEMA_INVALID, `Invalid schema: ${error.detail ?? error.message}`);
}

/** The schema that a request brings. */
async function schemaOf(c: RequestContext, server: ServerContext): Promise<string> {
  jsonType(c, ["application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json"]);
  const body = new BodyReader(c, server, Math.min(REQUEST_BYTES_MAX, server.bodyBytesMax));
  try {
    const { schema, schemaType, references } = parseRegistryRequest(await bodyText(body));
    if (schemaType !== "AVRO")
      throw new RegistryRefusal(SCHEMA_INVALID, `Invalid schema type ${schemaType}: it is AVRO here.`);
    if (references > 0)
      throw new RegistryRefusal(SCHEMA_INVALID, "Invalid schema: references to others are not supported.");
    return schema;
  } finally {
    await body.done();
  }
}

function refused({ engine, logger }: ServerContext, error: EvertError): Response {
  if (error.code === "internal") logger.error({ err: error.cause ?? error }, "a request failed");
  const code = error instanceof RegistryRefusal ? error.errorCode : error.status * 100 + 1;
  const parts = [error.message, error.detail, error.hint].filter((part) => part !== undefined);
  // One text for all three, in which each is a sentence.
  const said = parts
    .map((part, i) => (i + 1 < parts.length && !/[.:!?]$/.test(part) ? `${part}.` : part))
    .join(" ");
  const body = { error_code: code, message: said } satisfies RegistryError;
  return jsonAnswer(body, engine.position, error.status);
}
