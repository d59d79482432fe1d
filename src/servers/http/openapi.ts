/** The HTTP interface as an OpenAPI 3.1 document. Written by hand; a test holds it to the routes there are. */

import { wsMessageCharsMax, wsTargetsMax } from "../../wire/http/event-messages.ts";
import { bodyBytesMax, contentTypes, headers } from "../../wire/http/messages.ts";
import type { Json } from "./json-schema.ts";
import { followingPaths } from "./openapi-following.ts";
import { parameters } from "./openapi-parameters.ts";
import {
  fails,
  json,
  ok,
  okOfView,
  parameter,
  positionHeader,
  readParameters,
  responses,
} from "./openapi-parts.ts";
import { registryParameters, registryPaths, registrySchemas } from "./openapi-registry.ts";
import { ref, schemas } from "./openapi-schemas.ts";
import { versionPaths } from "./openapi-versions.ts";

const eventStream = {
  [contentTypes.eventStream]: { schema: { type: "string", contentMediaType: contentTypes.eventStream } },
};

const eventsText =
  "Messages: `snapshot` (SnapshotEvent, one or more per view, the last says so), then one message for each step that " +
  "touches what is followed, `reset` (ResetEvent) before a new snapshot, `error` (ErrorEvent). `id` is a position to " +
  "resume from. A comment is sent every 15 seconds.";

const health = {
  get: {
    operationId: "health",
    summary: "Whether the process answers",
    tags: ["operations"],
    responses: { 200: ok("It does.", json(ref("Health"))), ...fails("403", "503") },
  },
};

const ready = {
  get: {
    operationId: "ready",
    summary: "Whether reads are current, and how far the catch-up is",
    tags: ["operations"],
    responses: {
      200: ok("Ready.", json(ref("Readiness"))),
      503: ok("Not ready yet, or shutting down.", json({ anyOf: [ref("Readiness"), ref("Error")] })),
      ...fails("403"),
    },
  },
};

const metrics = {
  get: {
    operationId: "metrics",
    summary: "Figures for Prometheus",
    tags: ["operations"],
    responses: {
      200: ok("The figures.", { "text/plain": { schema: { type: "string" } } }),
      ...fails("403", "503"),
    },
  },
};

/** The same operation at its second address. */
function alias(path: { get: Json }): Json {
  return { get: { ...path.get, operationId: `${path.get["operationId"]}V1` } };
}

const paths: Record<string, Json> = {
  ...followingPaths,
  ...registryPaths,
  "/v1/sql": {
    post: {
      operationId: "sql",
      summary: "Run SQL statements",
      description:
        "Each statement is a transaction of its own unless it stands between BEGIN and COMMIT. When one fails, the " +
        "results before it stand beside `error`, and the answer has the error's status. Rows of a SELECT that comes last, outside a " +
        "transaction, are sent as they are made, at one position and however many they are; in a long answer `command` stands behind them, and white space " +
        "between tokens where none comes for a while. With `Prefer: processing` 102 is sent now and then before the answer. With " +
        "`Accept: application/x-ndjson` the rows of one statement are objects, one a line, with empty lines where none comes for a while.",
      tags: ["sql"],
      requestBody: { required: true, content: json(ref("SqlRequest")) },
      responses: {
        200: ok("One result per statement, or rows.", {
          ...json(ref("SqlAnswer")),
          "application/x-ndjson": { schema: { type: "string" } },
        }),
        "4XX": ok(
          "A statement failed, or the request cannot be read.",
          json({ anyOf: [ref("SqlAnswer"), ref("Error")] }),
        ),
        ...fails("503", "504"),
      },
    },
  },
  "/v1/copy": {
    post: {
      operationId: "copy",
      summary: "COPY rows in or out",
      description:
        "`COPY table FROM STDIN` reads the body, in PostgreSQL's text or CSV format, and stores its rows as one transaction: " +
        `at most ${bodyBytesMax} bytes and 1,000,000 rows. \`COPY … TO STDOUT\` answers with the text. An error names the line ` +
        "and the column in `detail`.",
      tags: ["sql"],
      parameters: [parameter("statement"), ...readParameters],
      requestBody: {
        required: false,
        content: { "text/csv": { schema: { type: "string" } }, "application/octet-stream": {} },
      },
      responses: {
        200: ok("Stored and durable, or the rows.", {
          ...json(ref("Copied")),
          "text/csv": { schema: { type: "string" } },
          "text/plain": { schema: { type: "string" } },
        }),
        ...fails("400", "403", "404", "409", "413", "429", "503", "504"),
      },
    },
  },
  "/v1/topics": {
    get: {
      operationId: "listTopics",
      summary: "Topics and their figures",
      tags: ["topics"],
      parameters: readParameters,
      responses: { 200: ok("All topics.", json(ref("Topics"))), ...fails("400", "403", "503", "504") },
    },
  },
  "/v1/topics/{topic}/schemas": {
    parameters: [parameter("topic")],
    get: {
      operationId: "listSchemas",
      summary: "The schemas that a topic has had",
      tags: ["topics"],
      parameters: readParameters,
      responses: {
        200: ok("All of them, oldest first.", json(ref("Schemas"))),
        ...fails("400", "403", "404", "503", "504"),
      },
    },
  },
  "/v1/topics/{topic}/records": {
    parameters: [parameter("topic")],
    post: {
      operationId: "appendRecords",
      summary: "Append records",
      description:
        "All or nothing, as one commit. A bad record refuses the request, naming its line or index, the path of the " +
        `value and the reason. A body over ${bodyBytesMax} bytes is refused with 413 unless \`atomic=false\`, which ` +
        "commits in chunks while the body streams, stops before the first bad record, and says how far it came. " +
        "An Arrow IPC stream gives columns by name, and is one commit; so are Avro messages (avro/binary: in Avro's framing, each " +
        "a byte 0, four bytes of the writer's schema id and the value), and an Avro object container file.",
      tags: ["topics"],
      parameters: [
        parameter("atomic"),
        parameter("firstLine"),
        parameter("idempotencyKey"),
        parameter("producerId"),
        parameter("producerEpoch"),
        parameter("producerSeq"),
      ],
      requestBody: {
        required: true,
        content: {
          [contentTypes.json]: { schema: { description: "One record, or an array of records." } },
          [contentTypes.ndjson]: { schema: { type: "string", description: "One record per line." } },
          [contentTypes.arrow]: {},
          [contentTypes.avro]: {},
          [contentTypes.avroFile]: {},
        },
      },
      responses: {
        200: ok("Stored and durable.", json({ anyOf: [ref("Appended"), ref("ChunkedProgress")] })),
        204: { description: "A producer's request that was stored long ago.", headers: positionHeader },
        ...fails("400", "403", "404", "409", "413", "422", "429", "503"),
      },
    },
    get: {
      operationId: "readRecords",
      summary: "Read records in order, and follow new ones",
      tags: ["topics"],
      parameters: [
        parameter("fromOffset"),
        parameter("fromConsumer"),
        parameter("limit"),
        parameter("follow"),
        parameter("knownSchema"),
        ...readParameters,
      ],
      responses: {
        200: ok(
          "One Record per line, with empty lines where none comes for a while; or the records as an Arrow IPC stream, or in Avro.",
          {
            [contentTypes.ndjson]: { schema: { type: "string" } },
            [contentTypes.arrow]: {},
            [contentTypes.avro]: {},
            [contentTypes.avroFile]: {},
          },
        ),
        ...fails("400", "403", "404", "409", "410", "503", "504"),
      },
    },
  },
  "/v1/topics/{topic}/records/{key}": {
    parameters: [parameter("topic"), parameter("key")],
    delete: {
      operationId: "deleteRecord",
      summary: "Delete the row of a keyed topic",
      tags: ["topics"],
      parameters: [parameter("idempotencyKey"), parameter("erase")],
      responses: {
        200: ok("Deleted, or erased.", json({ anyOf: [ref("Position"), ref("Erased")] })),
        ...fails("400", "403", "404", "409", "422", "503", "504"),
      },
    },
  },
  "/v1/transactions": {
    post: {
      operationId: "transact",
      summary: "Several operations on several topics, all or nothing",
      tags: ["topics"],
      parameters: [parameter("idempotencyKey")],
      requestBody: { required: true, content: json(ref("Transaction")) },
      responses: {
        200: ok("Stored and durable, as one commit.", json(ref("Position"))),
        ...fails("400", "403", "404", "409", "413", "422", "429", "503"),
      },
    },
  },
  "/v1/backup": {
    get: {
      operationId: "backup",
      summary: "The log's files as of one position, for a copy of it",
      tags: ["operations"],
      responses: { 200: ok("The files.", json(ref("Backup"))), ...fails("400", "403", "503") },
    },
  },
  "/v1/backup/{file}": {
    parameters: [parameter("file")],
    get: {
      operationId: "readBackupFile",
      summary: "Bytes of one of the log's files",
      tags: ["operations"],
      parameters: [parameter("fromByte"), parameter("toByte")],
      responses: {
        200: ok("The bytes.", {
          "application/octet-stream": { schema: { type: "string", format: "binary" } },
        }),
        ...fails("400", "403", "404", "503"),
      },
    },
  },
  "/v1/replication": {
    get: {
      operationId: "replication",
      summary: "Whom this server follows, or who follows it, and how far behind",
      tags: ["operations"],
      responses: { 200: ok("Who follows whom.", json(ref("Replication"))), ...fails("400", "403", "503") },
    },
  },
  "/v1/replication/log": {
    get: {
      operationId: "followLog",
      summary: "What a follower lacks of the log, without end; between servers",
      description:
        "A stream of messages: frames of the log as they stand on the leader's disk, sealed segments by name " +
        "(/v1/backup/{file} has them), and one each second when there is nothing to say.",
      tags: ["operations"],
      parameters: [
        parameter("follower"),
        parameter("logId"),
        parameter("firstPosition"),
        parameter("timeUs"),
        parameter("epochs"),
      ],
      responses: {
        200: ok("The messages.", {
          "application/octet-stream": { schema: { type: "string", format: "binary" } },
        }),
        ...fails("400", "403", "409", "503"),
      },
    },
  },
  "/v1/replication/progress": {
    post: {
      operationId: "tellProgress",
      summary: "A follower tells what it has durably; between servers",
      tags: ["operations"],
      requestBody: { required: true, content: json(ref("Progress")) },
      responses: { 200: ok("Heard.", json({ type: "object" })), ...fails("400", "403", "413", "503") },
    },
  },
  "/v1/replication/fence": {
    post: {
      operationId: "fence",
      summary: "A new leader tells the former one; between servers",
      tags: ["operations"],
      requestBody: { required: true, content: json(ref("Fence")) },
      responses: {
        200: ok("Nothing more is written here.", json({ type: "object" })),
        ...fails("400", "403", "409", "413", "503"),
      },
    },
  },
  "/v1/promote": {
    post: {
      operationId: "promote",
      summary: "Make a replica the leader",
      description:
        "It takes nothing more from its leader, begins an epoch with its first commit, and tells the former leader until that has " +
        "heard. What the former leader had not sent by then is not here.",
      tags: ["operations"],
      requestBody: { required: true, content: json({ type: "object" }) },
      responses: {
        200: ok("It leads.", json(ref("Promotion"))),
        ...fails("400", "403", "409", "413", "503"),
      },
    },
  },
  "/v1/views": {
    get: {
      operationId: "listViews",
      summary: "Views and their figures",
      tags: ["views"],
      parameters: readParameters,
      responses: { 200: ok("All views.", json(ref("Views"))), ...fails("400", "403", "503", "504") },
    },
  },
  "/v1/views/{view}": {
    parameters: [parameter("view")],
    get: {
      operationId: "getView",
      summary: "One view and its figures",
      tags: ["views"],
      parameters: readParameters,
      responses: {
        200: okOfView("The view.", json(ref("View"))),
        ...fails("400", "403", "404", "503", "504"),
      },
    },
    delete: {
      operationId: "dropView",
      summary: "Drop a view",
      tags: ["views"],
      responses: { 200: ok("Dropped.", json(ref("Position"))), ...fails("400", "403", "404", "409", "503") },
    },
  },
  ...versionPaths,
  "/v1/views/{view}/rows": {
    parameters: [parameter("view")],
    get: {
      operationId: "readRows",
      summary: "Rows of a view at one position, or from then on",
      description: `With \`Accept: text/event-stream\`: the rows, all or those with certain values, or with \`limit\` the first of them (10,000 at most), then one \`change\` (ChangeEvent) per step. ${eventsText}`,
      tags: ["views"],
      parameters: [
        parameter("where"),
        parameter("order"),
        parameter("limit"),
        parameter("fromPosition"),
        parameter("lastEventId"),
        ...readParameters,
      ],
      responses: {
        200: okOfView("The rows.", { ...json(ref("Rows")), ...eventStream }),
        ...fails("400", "403", "404", "409", "503", "504"),
      },
    },
  },
  "/v1/views/{view}/rows/{key}": {
    parameters: [parameter("view"), parameter("key")],
    get: {
      operationId: "readRow",
      summary: "One row of a view at one position, or from then on",
      description: `With \`Accept: text/event-stream\`: the row, then one \`change\` (ChangeEvent) per step. ${eventsText}`,
      tags: ["views"],
      parameters: [parameter("fromPosition"), parameter("lastEventId"), ...readParameters],
      responses: {
        200: okOfView("The row.", { ...json(ref("Row")), ...eventStream }),
        404: ok("No such view, or no such row at `position`.", json(ref("RowMissing"))),
        ...fails("400", "403", "409", "503", "504"),
      },
    },
  },
  "/v1/subscribe": {
    get: {
      operationId: "subscribe",
      summary: "Many views on one connection",
      description:
        "One `step` (StepEvent) for each step that touches any of the views, with every view it touches: all of them " +
        `always show one moment. A view that is not there answers with an \`error\` of its own. ${eventsText}`,
      tags: ["views"],
      parameters: [
        parameter("views"),
        parameter("viewKey"),
        parameter("fromPosition"),
        parameter("lastEventId"),
        ...readParameters,
      ],
      responses: { 200: ok("The events.", eventStream), ...fails("400", "403", "503", "504") },
    },
  },
  "/v1/ws": {
    get: {
      operationId: "openWebSocket",
      summary: "Views and rows subscribed to and unsubscribed from at will, on one WebSocket",
      description:
        "A handshake of RFC 6455; OpenAPI does not describe what comes after it. Both sides send JSON as text. The client: WsRequest; a single target may stand " +
        "in the message itself, and `key` is a JSON value. The server: what `/v1/subscribe` sends, with the event's name as `type`, the first member, and its id as `id`, a position from which " +
        "all can be resumed; `subscribed` and `unsubscribed` `{request, position}` when that has come about, at the moment the others are shown at; `heartbeat`. " +
        "An `error` with `request` is about that message, with `ended` the view is not subscribed to any more, with `final` the connection ends. " +
        `A connection has at most ${wsTargetsMax} views and rows, a message of the client ${wsMessageCharsMax} characters. ` +
        "A page must be of this server: any other `Origin` is refused.",
      tags: ["views"],
      responses: {
        101: { description: "The connection is a WebSocket from here on." },
        426: ok("The request does not ask for a WebSocket.", json(ref("Error"))),
        ...fails("400", "403", "503"),
      },
    },
  },
  "/v1/openapi.json": {
    get: {
      operationId: "openapi",
      summary: "This document",
      tags: ["operations"],
      responses: { 200: ok("OpenAPI 3.1.", json({ type: "object" })), ...fails("403", "503") },
    },
  },
  "/health": health,
  "/ready": ready,
  "/metrics": metrics,
  "/v1/health": alias(health),
  "/v1/ready": alias(ready),
  "/v1/metrics": alias(metrics),
};

export const openApiDocument = {
  openapi: "3.1.0",
  info: {
    title: "Evert",
    version: "1",
    summary: "Append facts; views are kept correct and pushed.",
    description:
      "Positions are opaque strings that can be compared. Every answer carries `Evert-Position`; every read takes " +
      "`atLeast` and waits for that position. Errors have one form; switch on `code`, never on the text.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/" }],
  tags: [
    { name: "sql", description: "PostgreSQL's language" },
    { name: "topics", description: "Facts, in order" },
    { name: "schemas", description: "Avro schemas of topics and writers" },
    { name: "views", description: "What follows from them" },
    { name: "operations", description: "Running the server" },
  ],
  paths,
  components: {
    schemas: { ...schemas, ...registrySchemas },
    parameters: { ...parameters, ...registryParameters },
    responses,
    headers: {
      [headers.position]: { description: "The position the answer reflects.", schema: { type: "string" } },
      [headers.columns]: {
        description:
          "The same for as long as the view's columns are: whoever reads rows by columns that it asked for before asks again where it is another. On events it is not there: snapshots have their columns.",
        schema: { type: "string" },
      },
    },
  },
};
