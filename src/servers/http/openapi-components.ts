/** The reusable parts of the OpenAPI document: schemas of the messages, parameters, error answers. */
import { errorCodes } from "../../base/errors.ts";
import { contentTypes, headers, snapshotRowsMax, timeoutMsDefault } from "../../wire/http/messages.ts";
import { timeoutMsMax } from "../../wire/http/requests.ts";

type Json = Record<string, unknown>;

export function ref(name: keyof typeof schemas): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function object(properties: Json, optional: readonly string[] = []): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required };
}

function list(items: Json): Json {
  return { type: "array", items };
}

const string = { type: "string" };
const boolean = { type: "boolean" };
const count = { type: "integer", minimum: 0 };
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
const orNull = (type: string): Json => ({ type: [type, "null"] });

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
      operators: { ...list(schemaRef("Operator")), description: "Of one view only; its own rows last." },
    },
    ["error", "operators"],
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

function errorResponse(description: string, schema: Json = schemaRef("Error")): Json {
  return { description, content: { [contentTypes.json]: { schema } } };
}

export const responses = {
  "400": errorResponse("The request cannot be read, or a record does not fit.", {
    anyOf: [schemaRef("Error"), schemaRef("ChunkedError")],
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
