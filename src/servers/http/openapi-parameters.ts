/** Parameters of the operations in the OpenAPI document: in the path, in the query, in headers. */
import { headers, timeoutMsDefault } from "../../wire/http/messages.ts";
import { timeoutMsMax } from "../../wire/http/requests.ts";
import { boolean, count, type Json, string } from "./json-schema.ts";

function query(name: string, description: string, schema: Json): Json {
  return { name, in: "query", description, schema };
}

export const parameters = {
  topic: { name: "topic", in: "path", required: true, schema: string },
  view: { name: "view", in: "path", required: true, schema: string },
  version: { name: "version", in: "path", required: true, schema: { ...count, minimum: 1 } },
  fromVersion: { ...query("from", "The one version.", { ...count, minimum: 1 }), required: true },
  toVersion: { ...query("to", "The other version.", { ...count, minimum: 1 }), required: true },
  file: { name: "file", in: "path", required: true, schema: string },
  follower: { ...query("follower", "Which follower asks.", string), required: true },
  logId: { ...query("logId", "Which log it has.", { type: "integer" }), required: true },
  firstPosition: {
    ...query("from", "The first position it has not.", { ...count, minimum: 1 }),
    required: true,
  },
  timeUs: query("timeUs", "Time of the commit before that, in microseconds since 1970.", count),
  epochs: query("epochs", "The epochs it knows of, as a JSON array of Epoch.", string),
  fromByte: query("from", "The first byte.", { ...count, default: 0 }),
  toByte: { ...query("to", "Behind the last byte.", count), required: true },
  key: {
    name: "key",
    in: "path",
    required: true,
    description: "The key column's value; a composite key is a URL-encoded JSON array.",
    schema: string,
  },
  atLeast: query("atLeast", "Wait until this position is reflected.", string),
  timeoutMs: query("timeoutMs", "Bound of that wait; 504 after it.", {
    ...count,
    maximum: timeoutMsMax,
    default: timeoutMsDefault,
  }),
  statement: query("statement", "COPY … FROM STDIN or COPY … TO STDOUT.", string),
  atomic: query("atomic", "false: commit in chunks while the body streams.", { ...boolean, default: true }),
  erase: {
    name: "erase",
    in: "query",
    description:
      "Takes all that there ever was of the row out of the data directory's files, and answers when that is done.",
    schema: { type: "boolean", default: false },
  },
  firstLine: query("firstLine", "With atomic=false and NDJSON: what its first line counts as, in errors.", {
    ...count,
    minimum: 1,
    default: 1,
  }),
  idempotencyKey: {
    name: headers.idempotencyKey,
    in: "header",
    description: "Same key and request: the first answer again. Same key, other request: 422. Kept 24 hours.",
    schema: { type: "string", minLength: 1, maxLength: 255 },
  },
  consumer: { name: "consumer", in: "path", required: true, schema: string },
  fromConsumer: query("consumer", "Where the consumer of this name goes on; in place of `from`.", string),
  producer: { name: "producer", in: "path", required: true, schema: string },
  producerId: {
    name: headers.producerId,
    in: "header",
    description:
      "Who appends; with Producer-Epoch and Producer-Seq, as in the Durable Streams protocol. Stored once and in order.",
    schema: { type: "string", minLength: 1, maxLength: 255 },
  },
  producerEpoch: {
    name: headers.producerEpoch,
    in: "header",
    description: "Rises when the producer starts anew; an older one is refused with 403.",
    schema: count,
  },
  producerSeq: {
    name: headers.producerSeq,
    in: "header",
    description:
      "Of the producer's requests to the topic in this epoch, from 0 on; with `atomic=false`, of the body's first record. " +
      "One that was stored: the first answer again. Where one before it is missing: 409 with Producer-Expected-Seq.",
    schema: count,
  },
  fromOffset: query(
    "from",
    "Where to start: an end, an offset, or a time, for the first record of then or later.",
    {
      anyOf: [
        { type: "string", enum: ["earliest", "latest"] },
        count,
        { type: "string", format: "date-time" },
      ],
      default: "earliest",
    },
  ),
  limit: query("limit", "At most so many.", count),
  knownSchema: query(
    "schema",
    "The schemaVersion by which the reader takes values: where the topic has another, 409; where it gets another meanwhile, the answer breaks off before the " +
      "first record that has its columns.",
    count,
  ),
  follow: query("follow", "Go on with new records.", { ...boolean, default: false }),
  where: {
    name: "where",
    in: "query",
    description: "COLUMN=VALUE for each column to be equal.",
    style: "form",
    explode: true,
    schema: { type: "object", additionalProperties: string },
  },
  order: query("order", "Columns, comma separated, - in front for descending.", string),
  fromPosition: query("from", "Resume an event stream after this position.", string),
  lastEventId: {
    name: headers.lastEventId,
    in: "header",
    description: "As `from`; sent by a browser that connects again.",
    schema: string,
  },
  views: {
    name: "view",
    in: "query",
    required: true,
    description: "Once for each view.",
    style: "form",
    explode: true,
    schema: { type: "array", items: string, minItems: 1 },
  },
  viewKey: query("key", "Only the row with this key of the view named before.", string),
} satisfies Record<string, Json>;
