/**
 * Node's fetch ends a body that is silent for five minutes: who followed a quiet topic as NDJSON was broken off again and again. Empty lines are sent now and then between records, and the client and
 * `evert tail` pass them over. The other formats have nothing of the kind, and stay as they are.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Running } from "../cli/run.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

let engine: Database;
let server: HttpServer;

beforeEach(async () => {
  engine = await openInMemory(new SimulatedDisk());
  server = await createHttpServer(engine, { port: 0, heartbeatMs: 5 });
  await sql(engine, "CREATE TABLE s (n int4) WITH (append_only)");
  await engine.append("s", [{ n: 0 }]);
});

afterEach(async () => {
  await server.close();
  await engine.close();
});

const silence = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

async function follow(accept: string): Promise<{ text: () => string; end: () => Promise<void> }> {
  const response = await fetch(`${server.url}/v1/topics/s/records?follow=true`, {
    headers: { Accept: accept },
  });
  const reader = response.body!.getReader();
  let text = "";
  const reading = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += Buffer.from(value).toString("latin1");
    }
  })();
  return {
    text: () => text,
    end: async () => {
      await reader.cancel();
      await reading;
    },
  };
}

test("empty lines between records of NDJSON", async () => {
  const followed = await follow("application/x-ndjson");
  while (!/\n\n\n/.test(followed.text())) await silence();
  await engine.append("s", [{ n: 1 }]);
  while (!followed.text().includes('"n":1')) await silence();
  await followed.end();
  const lines = followed.text().split("\n");
  const records = lines.filter((line) => line !== "").map((line) => JSON.parse(line).value.n);
  expect(records).toEqual([0, 1]);
});

test.each(["application/vnd.apache.arrow.stream", "avro/binary"])(
  "nothing between those of %s",
  async (type) => {
    const followed = await follow(type);
    await silence();
    await silence();
    const before = followed.text();
    await silence();
    expect(followed.text()).toBe(before);
    await followed.end();
  },
);

test("the client's consumer passes them over", async () => {
  const client = connect(server.url);
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const { records } of client.consumer("c", { topics: ["s"] })) {
      seen.push(...records.map(({ value }) => value?.["n"]));
      if (seen.length === 2) return;
    }
  })();
  while (seen.length === 0) await silence();
  await silence();
  await engine.append("s", [{ n: 1 }]);
  await reading;
  expect(seen).toEqual([0, 1]);
  client.close();
});

test.each([[[]], [["--consumer", "c"]]])("evert tail --follow %j prints none", async (more) => {
  const running = new Running(["tail", "s", "--follow", "--limit", "2", ...more], { url: server.url });
  await running.until(() => running.stdout.includes('"n":0'));
  await silence();
  await engine.append("s", [{ n: 1 }]);
  const { stdout, stderr, code } = await running.done;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^\{.*"n":0.*\}\n\{.*"n":1.*\}\n$/);
});
