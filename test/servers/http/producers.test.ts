/** Producers over HTTP: the headers and statuses of the Durable Streams protocol. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { openInMemory, rowsOf, sql } from "../../engine/support/memory.ts";
import { Client } from "./harness.ts";

let engine: Database;
let server: HttpServer;
let client: Client;

beforeEach(async () => {
  engine = await openInMemory();
  await sql(engine, "CREATE TABLE s (a int4) WITH (append_only)");
  server = await createHttpServer(engine, { port: 0 });
  client = new Client(server.url);
});

afterEach(async () => {
  await client.close();
  await server.close();
  await engine.close();
});

const path = "/v1/topics/s/records";

function place(seq: number, epoch = 0, id = "p"): Record<string, string> {
  return { "Producer-Id": id, "Producer-Epoch": String(epoch), "Producer-Seq": String(seq) };
}

async function send(seq: number, a: unknown, epoch = 0): Promise<Response> {
  return client.fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...place(seq, epoch) },
    body: JSON.stringify({ a }),
  });
}

async function stored(): Promise<number[]> {
  return (await rowsOf(engine, "SELECT a FROM s")).map(([a]) => Number(a));
}

describe("an append", () => {
  test("is answered again as the first time", async () => {
    const first = await send(0, 1);
    expect(first.status).toBe(200);
    expect([first.headers.get("Producer-Epoch"), first.headers.get("Producer-Seq")]).toEqual(["0", "0"]);
    const again = await send(0, 1);
    expect([again.status, await again.text()]).toEqual([200, await first.text()]);
    expect(await stored()).toEqual([1]);
  });

  test("that was stored long ago has no content", async () => {
    for (let i = 0; i < 7; i++) await send(i, i);
    const again = await send(0, 0);
    expect([again.status, again.headers.get("Producer-Seq"), await again.text()]).toEqual([204, "0", ""]);
  });

  test("behind a gap is refused, and told what is expected", async () => {
    await send(0, 0);
    const refused = await send(3, 3);
    expect(refused.status).toBe(409);
    expect([
      refused.headers.get("Producer-Expected-Seq"),
      refused.headers.get("Producer-Received-Seq"),
    ]).toEqual(["1", "3"]);
    expect(await refused.json()).toMatchObject({ error: { code: "out_of_sequence" } });
    expect(await stored()).toEqual([0]);
  });

  test("that overtakes the one before it waits for it", async () => {
    await send(0, 0);
    // However long the other takes: that it waits a moment only is not what is asked here.
    const reached = engine.producerReached.bind(engine);
    let isWaiting = () => {};
    const waits = new Promise<void>((resolve) => {
      isWaiting = resolve;
    });
    vi.spyOn(engine, "producerReached").mockImplementation((topic, place) => {
      if (place.seq === 2) isWaiting();
      return reached(topic, place, 60_000);
    });
    const early = send(2, 2);
    await waits;
    const [first, second] = [await send(1, 1), await early];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(await stored()).toEqual([0, 1, 2]);
  });

  test("of an epoch that is over is refused, and told the present one", async () => {
    await client.post("/v1/producers", { id: "p" });
    await send(0, 0);
    expect((await client.post("/v1/producers", { id: "p" })).body).toMatchObject({ id: "p", epoch: 1 });
    const refused = await send(1, 1);
    expect([refused.status, refused.headers.get("Producer-Epoch")]).toEqual([403, "1"]);
    expect(await refused.json()).toMatchObject({ error: { code: "fenced", sqlstate: "55000" } });
    // Whoever knows of no registration may begin an epoch as well.
    expect((await send(0, 2, 5)).status).toBe(200);
    expect((await send(1, 2, 6)).status).toBe(400);
    expect((await client.request("/v1/producers/p")).body).toMatchObject({
      id: "p",
      epoch: 5,
      topics: [{ topic: "s", seq: 0 }],
    });
    expect(await stored()).toEqual([0, 2]);
  });

  test("is answered though its record would be refused by now", async () => {
    const first = await send(0, 1);
    await sql(engine, "DROP TABLE s; CREATE TABLE s (b text NOT NULL) WITH (append_only)");
    expect((await send(0, 1)).status).toBe(400);
    await first.text();
  });

  test.each([
    [{ "Producer-Id": "p" }],
    [{ "Producer-Id": "p", "Producer-Epoch": "0" }],
    [{ ...place(0), "Producer-Seq": "01" }],
    [{ ...place(0), "Producer-Seq": "-1" }],
    [{ ...place(0), "Producer-Epoch": "9007199254740992" }],
    [{ ...place(0), "Producer-Id": "" }],
    [{ ...place(0), "Idempotency-Key": "k" }],
  ])("with %j is refused", async (headers) => {
    expect((await client.post(path, { a: 1 }, headers as Record<string, string>)).status).toBe(400);
    expect(await stored()).toEqual([]);
  });
});

describe("a body in chunks", () => {
  const lines = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `{"a":${from + i}}\n`).join("");
  const numbers = (to: number) => Array.from({ length: to }, (_, i) => i);

  test("counts its records, and passes over those that are stored", async () => {
    const chunked = `${path}?atomic=false`;
    expect((await client.ndjson(chunked, lines(0, 9000), place(0))).body).toMatchObject({ count: 9000 });
    // Cut off and sent again, from any record on.
    expect((await client.ndjson(chunked, lines(0, 9500), place(0))).body).toMatchObject({ count: 500 });
    expect((await client.ndjson(chunked, lines(8000, 10_000), place(8000))).body).toMatchObject({
      count: 500,
    });
    expect((await client.ndjson(chunked, lines(0, 10_000), place(0))).body).toMatchObject({ count: 0 });
    const gap = await client.ndjson(chunked, lines(10_500, 11_000), place(10_500));
    expect(gap.status).toBe(409);
    expect(await stored()).toEqual(numbers(10_000));
    expect((await client.request("/v1/producers/p")).body).toMatchObject({
      topics: [{ topic: "s", seq: 9999 }],
    });
  });

  test("goes on behind the record that was wrong, once it is mended", async () => {
    const chunked = `${path}?atomic=false`;
    const wrong = await client.ndjson(chunked, `${lines(0, 100)}{"a":"x"}\n${lines(101, 200)}`, place(0));
    expect(wrong.status).toBe(400);
    expect(wrong.body).toMatchObject({ committed: { count: 100 } });
    expect((await client.ndjson(chunked, lines(0, 200), place(0))).body).toMatchObject({ count: 100 });
    expect(await stored()).toEqual(numbers(200));
  });
});

test("lines of a chunk are counted from where it says", async () => {
  const wrong = await client.ndjson(`${path}?atomic=false&firstLine=41`, '{"a":1}\n\n{"a":"x"}\n');
  expect(wrong.body).toMatchObject({ error: { message: expect.stringMatching(/^line 43: a: /) } });
  expect((await client.ndjson(`${path}?atomic=false&firstLine=0`, '{"a":1}\n')).status).toBe(400);
});

describe("a registration", () => {
  test("that is repeated is the same", async () => {
    const key = { "Idempotency-Key": "one" };
    const first = await client.post("/v1/producers", { id: "p" }, key);
    await client.post("/v1/producers", { id: "p" });
    expect((await client.post("/v1/producers", { id: "p" }, key)).text).toBe(first.text);
    expect((await client.post("/v1/producers", { id: "q" }, key)).status).toBe(422);
  });

  test.each([{}, { id: 1 }, { id: "" }, { id: "p", x: 1 }])("of %j is refused", async (body) => {
    expect((await client.post("/v1/producers", body)).status).toBe(400);
  });

  test("is needed to be found", async () => {
    expect((await client.request("/v1/producers/nobody")).status).toBe(404);
  });
});
