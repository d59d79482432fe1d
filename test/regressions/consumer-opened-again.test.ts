/** A consumer whose opening had failed, of a topic that was not there yet or of a server that was away for long, gave the same refusal for ever, and had to be made anew. */
import { afterEach, expect, it } from "vitest";
import { type Client, connect } from "../../src/client/index.ts";
import { DbConsumer } from "../../src/engine/db/consumer.ts";
import { int4, table } from "../../src/face/index.ts";
import { engine, server } from "../servers/http/served.ts";

let client: Client | undefined;
afterEach(() => client?.close());

const missing = expect.objectContaining({ code: "undefined_table" });
const later = table("later", { key: "id", schema: { id: int4 } });

it("asks again once the topic is there, over HTTP and in process", async () => {
  client = connect(server.url);
  const consumers = [
    client.consumer("there", { topics: [later] }),
    new DbConsumer(engine, "here", { topics: [later] }),
  ];
  for (const consumer of consumers) await expect(consumer.open()).rejects.toEqual(missing);
  await engine.sql("CREATE TABLE later (id int PRIMARY KEY)");
  for (const consumer of consumers) {
    const opened = await consumer.open();
    expect(opened).toMatchObject({ epoch: 0 });
    // Opened once: another instance would be another epoch.
    expect(await consumer.open()).toEqual(opened);
  }
});
