/** GET /v1/topics, GET /v1/views, GET and DELETE /v1/views/{view}: what there is, and its figures. */
import type { SchemaVersionInfo, TopicInfo, ViewInfo } from "../../engine/api.ts";
import { durationText } from "../../engine/keeping.ts";
import type {
  KeepingMessage,
  PositionAnswer,
  SchemaMessage,
  SchemasAnswer,
  TopicMessage,
  TopicsAnswer,
  ViewMessage,
  ViewsAnswer,
} from "../../wire/http/messages.ts";
import { columnMessages } from "../../wire/http/values.ts";
import { jsonAnswer } from "./answer.ts";
import { ownAvro } from "./avro-schemas.ts";
import { columnsHeader } from "./columns-tag.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { pathSegment, queryMap, readOptions, withReadParameters } from "./params.ts";
import { viewsByName } from "./views-by-name.ts";

export function catalogRoutes(app: App, server: ServerContext): void {
  const { engine } = server;
  app.get("/v1/topics", async (c) => {
    const position = await reached(c, server);
    const topics = engine.topics().map(topicMessage);
    return jsonAnswer({ topics, position } satisfies TopicsAnswer, position);
  });
  app.get("/v1/topics/:topic/schemas", async (c) => {
    const name = pathSegment(c, 2);
    const position = await reached(c, server);
    const topic = engine.topic(name);
    const schemas = engine.schemas(name).map((schema) => schemaMessage(topic, schema));
    return jsonAnswer({ schemas, position } satisfies SchemasAnswer, position);
  });
  app.get("/v1/views", async (c) => {
    const position = await reached(c, server);
    const views = viewsByName(engine).map(viewMessage);
    const { stateBytes, memoryLimit, coldBytes } = engine.stats();
    return jsonAnswer(
      { views, stateBytes, memoryLimit, coldBytes, position } satisfies ViewsAnswer,
      position,
    );
  });
  app.get("/v1/views/:view", async (c) => {
    const name = pathSegment(c, 2);
    const position = await reached(c, server);
    const { info } = engine.view(name);
    // Asked for as the first version, it is told as that: its plain name may mean another one.
    const told = name === `${info.name}@1` ? { ...info, name } : info;
    return jsonAnswer(viewMessage(told), position, 200, columnsHeader(info.schema.fields));
  });
  app.delete("/v1/views/:view", async (c) => {
    queryMap(c, []);
    const { position } = await engine.dropView(pathSegment(c, 2));
    return jsonAnswer({ position } satisfies PositionAnswer, position);
  });
}

async function reached(c: RequestContext, server: ServerContext): Promise<string> {
  await server.engine.reached(readOptions(queryMap(c, withReadParameters())));
  return server.engine.position;
}

function schemaMessage(topic: TopicInfo, { schema, key: _, ...said }: SchemaVersionInfo): SchemaMessage {
  return { ...said, columns: columnMessages(schema), avro: ownAvro(topic, said.version, schema) };
}

function topicMessage(info: TopicInfo): TopicMessage {
  const { name, kind, schemaVersion, key, records, start, rows, stateBytes, coldBytes } = info;
  const columns = columnMessages(info.schema).map((column) =>
    info.withDefault.includes(column.name) ? { ...column, hasDefault: true as const } : column,
  );
  return {
    name,
    kind,
    columns,
    schemaVersion,
    key,
    records,
    start,
    keeping: keepingMessage(info),
    rows,
    stateBytes,
    coldBytes,
  };
}

function keepingMessage({ keeping, heldBackBy }: TopicInfo): KeepingMessage | null {
  if (keeping === null) return null;
  const { retainForUs, retainBytes, tombstonesForUs, despiteViews } = keeping;
  const inWords = (us: number | undefined): string | null => (us === undefined ? null : durationText(us));
  return {
    retainFor: inWords(retainForUs),
    retainBytes: retainBytes ?? null,
    compact: tombstonesForUs !== undefined,
    tombstonesFor: inWords(tombstonesForUs),
    despiteViews: despiteViews === true,
    heldBackBy,
  };
}

export function viewMessage(info: ViewInfo): ViewMessage {
  const { schema: _, ...figures } = info;
  const columns = columnMessages(info.schema);
  const order = info.order
    // A column that is only sorted by is not among those shown.
    .filter((item) => item.column < columns.length)
    .map(({ column, descending, nullsFirst }) => ({ column: columns[column]!.name, descending, nullsFirst }));
  return { ...figures, columns, order };
}
