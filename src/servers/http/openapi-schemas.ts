/** Schemas of the messages in the OpenAPI document: what messages.ts and event-messages.ts in wire/http say in types. */
import { errorCodes } from "../../base/errors.ts";
import { snapshotRowsMax } from "../../wire/http/event-messages.ts";
import { headers } from "../../wire/http/messages.ts";
import { boolean, count, type Json, list, object, orNull, string } from "./json-schema.ts";

export function ref(name: keyof typeof schemas): Json {
  return { $ref: `#/components/schemas/${name}` };
}

const position = { type: "string", description: "A position. Opaque; can be compared." };
const stale = {
  const: true,
  description:
    "There while the view is rebuilt: the rows are those of its earlier definition, as of `position`.",
};
const catchingUp = {
  const: true,
  description:
    "There after a start, while the log behind the checkpoint is replayed: the rows are those of an earlier `position`.",
};
const anyValue: Json = { description: "A value as PostgreSQL's to_jsonb prints it." };
const fraction = { type: "number", minimum: 0, maximum: 1 };

const schemaRef = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

const column = object({
  name: string,
  type: { type: "string", description: "PostgreSQL's typname." },
});

const declaredColumn = object(
  {
    name: string,
    type: { type: "string", description: "PostgreSQL's typname." },
    declaredType: { type: "string", description: "As PostgreSQL prints it, e.g. numeric(10,2)." },
    nullable: boolean,
    hasDefault: { const: true, description: "Records that do not name the column have its DEFAULT." },
  },
  ["hasDefault"],
);

const orderColumn = object({ column: string, descending: boolean, nullsFirst: boolean });
const keyNames = { anyOf: [list(string), { type: "null" }] };
const row = { type: "object", additionalProperties: anyValue };

export const schemas = {
  ErrorBody: object(
    {
      code: { type: "string", enum: Object.keys(errorCodes) },
      sqlstate: { type: "string", pattern: "^[0-9A-Z]{5}$" },
      message: { type: "string", description: "What happened." },
      detail: { type: "string", description: "Why." },
      hint: { type: "string", description: "What to do." },
      position: { type: "integer", minimum: 1, description: "Character of the SQL text it is about." },
    },
    ["detail", "hint", "position"],
  ),
  Error: object({ error: schemaRef("ErrorBody") }),
  ChunkedError: object({ error: schemaRef("ErrorBody"), committed: schemaRef("ChunkedProgress") }),
  RowMissing: object({ error: schemaRef("ErrorBody"), position, stale, catchingUp }, [
    "position",
    "stale",
    "catchingUp",
  ]),
  Position: object({ position }),
  Column: column,
  DeclaredColumn: declaredColumn,
  SqlRequest: object(
    {
      sql: { type: "string", description: "One or more statements." },
      params: { ...list(anyValue), description: "$1, $2, ..." },
      atLeast: position,
      timeoutMs: count,
      format: {
        type: "string",
        enum: ["json", "text"],
        default: "json",
        description: "text: every value as PostgreSQL's text output, or null; nothing is lost.",
      },
    },
    ["params", "atLeast", "timeoutMs", "format"],
  ),
  SqlResult: object({
    command: { type: "string", description: "PostgreSQL's command tag, e.g. SELECT 3." },
    columns: list(schemaRef("Column")),
    rows: list(list(anyValue)),
    rowCount: count,
  }),
  SqlAnswer: object({ results: list(schemaRef("SqlResult")), position, error: schemaRef("ErrorBody") }, [
    "error",
  ]),
  Copied: object({ command: string, rowCount: count, position }),
  Topic: object({
    name: string,
    kind: { type: "string", enum: ["stream", "table"] },
    columns: list(schemaRef("DeclaredColumn")),
    schemaVersion: { ...count, description: "Which of its schemas has these columns: they count from 1." },
    key: keyNames,
    records: { ...count, description: "Records ever appended." },
    start: {
      ...count,
      description: "Offset of the first record that is there: those before it have been given up.",
    },
    keeping: {
      anyOf: [schemaRef("Keeping"), { type: "null" }],
      description: "What may be taken out of its history; null: nothing.",
    },
    rows: { ...count, description: "Current rows of a table; records of a stream." },
    stateBytes: count,
    coldBytes: { ...count, description: "Of its rows that are not in memory, on disk." },
  }),
  Keeping: object({
    retainFor: { ...orNull("string"), description: "Records go when they are older: an interval." },
    retainBytes: {
      ...orNull("integer"),
      description: "The oldest go while those that stay take so many bytes.",
    },
    compact: { type: "boolean", description: "Of each key only the last record stays." },
    tombstonesFor: { ...orNull("string"), description: "How long a tombstone stays: an interval." },
    despiteViews: { type: "boolean", description: "Also where a view depends on what goes." },
    heldBackBy: { ...list(string), description: "Views that hold back what might go." },
  }),
  Topics: object({ topics: list(schemaRef("Topic")), position }),
  Erased: object({
    position,
    sinks: {
      ...list(string),
      description: "Topics that views over this one are appended to: they may have rows made of it.",
    },
  }),
  SchemaVersion: object({
    version: count,
    position: { ...orNull("string"), description: "Of the commit that made it; null: with the topic." },
    timestamp: orNull("string"),
    columns: list(schemaRef("DeclaredColumn")),
    changes: { ...list(string), description: "What was changed, in words." },
    avro: {
      anyOf: [object({ id: count, schema: string }), { type: "null" }],
      description: "The same as an Avro schema; null: a column has no Avro form.",
    },
  }),
  Schemas: object({ schemas: list(schemaRef("SchemaVersion")), position }),
  // lastOffset is one less than firstOffset, and may be -1, where every record is a dead letter.
  Appended: object(
    {
      position,
      count,
      firstOffset: count,
      lastOffset: { type: "integer", minimum: -1 },
      deadLetters: { ...count, description: "Records that could not be decoded and went there instead." },
    },
    ["deadLetters"],
  ),
  ChunkedProgress: object(
    {
      position: orNull("string"),
      count,
      firstOffset: orNull("integer"),
      lastOffset: orNull("integer"),
      commits: count,
      deadLetters: count,
    },
    ["deadLetters"],
  ),
  Record: object(
    {
      offset: count,
      position,
      timestamp: { type: "string", format: "date-time" },
      key: { description: "Keyed topics only; a composite key is an array." },
      value: { description: "null: the key was deleted." },
    },
    ["key"],
  ),
  Operation: {
    oneOf: ["append", "upsert", "delete"].map((verb) => ({
      ...object({
        topic: string,
        [verb]: {
          description:
            verb === "delete"
              ? "A key, or a list of keys; a composite key is an array or an object."
              : "A record, or a list of records.",
        },
      }),
      additionalProperties: false,
    })),
  },
  Backup: object({
    logId: { type: "integer" },
    position,
    files: list(object({ name: string, bytes: { ...count, description: "Of it, the first so many." } })),
  }),
  Expectation: {
    oneOf: [
      {
        ...object({ position }),
        additionalProperties: false,
        description: "Nothing has been committed since.",
      },
      {
        ...object({ topic: string, position }),
        additionalProperties: false,
        description: "Nothing has been committed to the topic since.",
      },
      {
        ...object({
          topic: string,
          key: { description: "A composite key is an array." },
          version: { type: ["string", "null"] },
        }),
        additionalProperties: false,
        description: "The row with this key is there as it was at that position; null: it is not there.",
      },
    ],
  },
  Transaction: object(
    {
      operations: { ...list(schemaRef("Operation")), minItems: 1 },
      expect: {
        oneOf: [schemaRef("Expectation"), list(schemaRef("Expectation"))],
        description: "What must hold for it to be stored; otherwise 409 says what does not.",
      },
      consume: {
        oneOf: [schemaRef("Consumed"), list(schemaRef("Consumed"))],
        description: "Progress of a consumer that is stored with it, or not at all.",
      },
      idempotencyKey: { type: "string", description: `As the header ${headers.idempotencyKey}.` },
    },
    ["idempotencyKey", "expect", "consume"],
  ),
  View: object(
    {
      name: string,
      status: { type: "string", enum: ["building", "catching_up", "live", "stale", "failed"] },
      columns: list(schemaRef("DeclaredColumn")),
      key: keyNames,
      order: list(orderColumn),
      rows: count,
      stateBytes: { ...count, description: "Of its rows and all its operators." },
      coldBytes: { ...count, description: "Of its rows that are not in memory, on disk." },
      rowsIn: { ...count, description: "Changes its operators have taken from topics and other views." },
      rowsOut: { ...count, description: "Changes of its rows." },
      stepSeconds: { type: "number", description: "Time its operators have worked." },
      position,
      lag: { ...count, description: "Commits it is behind the log." },
      progress: fraction,
      errors: { ...count, description: "Rows in its error collection." },
      skipped: { ...count, description: "Rows left out because of an error." },
      definition: string,
      error: schemaRef("ErrorBody"),
      sinkError: {
        ...schemaRef("ErrorBody"),
        description: "Why its rows are not appended to its sink at present.",
      },
      operators: { ...list(schemaRef("Operator")), description: "Of one view only; its own rows last." },
    },
    ["error", "sinkError", "operators"],
  ),
  Versions: object({
    versions: list(
      object({
        version: { ...count, minimum: 1 },
        isCurrent: { type: "boolean", description: "The plain name means it." },
        isPrevious: { type: "boolean", description: "The plain name meant it before." },
        view: schemaRef("View"),
      }),
    ),
    position,
  }),
  BuildVersion: object(
    {
      sql: { type: "string", description: "One SELECT." },
      version: { ...count, minimum: 1, description: "Absent: the next." },
    },
    ["version"],
  ),
  Built: object({ version: { ...count, minimum: 1 }, name: string, position }),
  Promoted: object({ version: { ...count, minimum: 1 }, position }),
  VersionDiff: object({
    position,
    onlyFrom: { ...count, description: "Rows that are in `from` alone." },
    onlyTo: { ...count, description: "Rows that are in `to` alone." },
    differing: {
      ...count,
      description: "Rows of one key that are not the same; without a key that both have, none.",
    },
    columnsOnlyFrom: { ...list(string), description: "Not compared." },
    columnsOnlyTo: { ...list(string), description: "Not compared." },
    rows: list(object({ from: { anyOf: [row, { type: "null" }] }, to: { anyOf: [row, { type: "null" }] } })),
  }),
  Operator: object({
    operator: string,
    plan: list(string),
    inputs: { ...list(count), description: "Their places in the list." },
    role: { type: "string", enum: ["own", "shared", "source"] },
    rowsIn: count,
    rowsOut: count,
    rows: { ...count, description: "Rows in its state." },
    stateBytes: count,
    coldBytes: { ...count, description: "Of its rows that are not in memory, on disk." },
    steps: { ...count, description: "Steps in which rows moved." },
    seconds: { type: "number", description: "Its own time." },
  }),
  Views: object({
    views: list(schemaRef("View")),
    stateBytes: { ...count, description: "Of all topics and views; what several share counts once." },
    memoryLimit: { ...count, description: "What that may be." },
    coldBytes: { ...count, description: "Of files of rows that are not in memory." },
    position,
  }),
  Rows: object({ rows: list(row), position, stale, catchingUp }, ["stale", "catchingUp"]),
  Row: object({ row, position, stale, catchingUp }, ["stale", "catchingUp"]),
  Change: {
    oneOf: [
      object({ op: { const: "insert" }, key: anyValue, row }),
      object({ op: { const: "update" }, key: anyValue, row, old: row }),
      object({ op: { const: "delete" }, key: anyValue, old: row }),
    ],
  },
  SnapshotEvent: object(
    {
      view: { type: "string", description: "On /v1/subscribe only." },
      columns: list(schemaRef("Column")),
      keyColumns: list(string),
      order: list(orderColumn),
      rows: { ...list(object({ key: anyValue, row })), maxItems: snapshotRowsMax },
      position,
      last: boolean,
      stale,
    },
    ["view", "stale"],
  ),
  ChangeEvent: object({ position, changes: list(schemaRef("Change")) }),
  StepEvent: object({ position, views: { type: "object", additionalProperties: list(schemaRef("Change")) } }),
  ResetEvent: object({ view: string, reason: string }, ["view"]),
  ErrorEvent: object(
    {
      view: string,
      error: schemaRef("ErrorBody"),
      final: { type: "boolean", description: "The stream ends here: connect again." },
    },
    ["view"],
  ),
  WsTarget: object(
    {
      view: string,
      key: { description: "Only the row with this key: its value, or an array of a composite key's values." },
      from: { type: "string", description: "Resume from this position, that of the last `id`." },
    },
    ["key", "from"],
  ),
  WsRequest: object(
    {
      type: { enum: ["subscribe", "unsubscribe"] },
      targets: list(schemaRef("WsTarget")),
      request: { type: ["string", "number"], description: "Comes back in the answer." },
      atLeast: position,
      timeoutMs: { type: "integer" },
    },
    ["request", "atLeast", "timeoutMs"],
  ),
  OpenConsumer: object(
    {
      name: string,
      topics: { ...list(string), minItems: 1 },
      from: {
        description: "On topics that it has not read before, as `from` of a read.",
        anyOf: [string, count],
      },
      reset: { ...boolean, description: "It begins there on all of them.", default: false },
    },
    ["from", "reset"],
  ),
  OpenedConsumer: object({
    name: string,
    epoch: count,
    topics: list(object({ topic: string, offset: count })),
    position,
  }),
  Consumed: object({ name: string, epoch: count, topic: string, offset: count }),
  ConsumerProgress: object({ epoch: count, progress: { type: "object", additionalProperties: count } }),
  Consumer: object({
    name: string,
    epoch: count,
    updatedAt: { type: "string", format: "date-time" },
    topics: list(object({ topic: string, offset: count, end: count, lag: count, lost: count, position })),
  }),
  Consumers: object({ consumers: list(schemaRef("Consumer")), position }),
  ProducerRequest: object({ id: string }),
  Registered: object({ id: string, epoch: count, position }),
  Producer: object({
    id: string,
    epoch: count,
    topics: list(object({ topic: string, seq: count, position })),
  }),
  Replication: object(
    {
      role: {
        enum: ["leader", "follower", "superseded"],
        description: "superseded: another was promoted in its place.",
      },
      logId: { type: "integer" },
      epoch: count,
      position,
      following: schemaRef("Following"),
      followers: list(
        object({ id: string, position, behindBytes: count, connectedSeconds: { type: "number" } }),
      ),
    },
    ["following"],
  ),
  Following: object(
    {
      leader: string,
      state: { enum: ["connecting", "following", "stopped"] },
      error: schemaRef("ErrorBody"),
      leaderPosition: position,
      lagPositions: count,
      lagBytes: { ...count, description: "Of the leader's files, what has not come yet." },
      lagSeconds: { type: "number", description: "Since it was last known to have all that the leader has." },
    },
    ["error", "leaderPosition", "lagPositions", "lagBytes"],
  ),
  Progress: object({ follower: string, position }),
  Epoch: object({ epoch: count, id: count, begins: count }),
  Fence: object({ logId: { type: "integer" }, epochs: list(schemaRef("Epoch")) }),
  Promotion: object({ epoch: count, position }),
  Health: object({ status: { const: "ok" }, position }),
  Readiness: object({ ready: boolean, progress: fraction, position }),
} satisfies Record<string, Json>;
