/** Bodies of several chunks, whose memory is freed as they are read: what is stored is what was sent, whatever the format and wherever chunks end. */
import { request } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { arrowStream } from "../../../src/batch/arrow.ts";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { schemaOf } from "../../../src/batch/schema.ts";
import { int8, text } from "../../../src/batch/types.ts";
import type { Database } from "../../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { openInMemory, sql } from "../../engine/support/memory.ts";

const ROWS = 6_000;

let engine: Database;
let server: HttpServer;

beforeEach(async () => {
  engine = await openInMemory();
  server = await createHttpServer(engine, { port: 0 });
  await sql(engine, "CREATE TABLE notes (n int8 NOT NULL, t text NOT NULL) WITH (append_only)");
});

afterEach(async () => {
  await server.close();
  await engine.close();
});

const rows = Array.from({ length: ROWS }, (_, n) => ({ n, t: `ü${n} ${"x".repeat((n * 7) % 90)}` }));

function arrow(): Uint8Array {
  const builder = new BatchBuilder(
    schemaOf([
      { name: "n", type: int8, nullable: false },
      { name: "t", type: text, nullable: false },
    ]),
  );
  builder.appendRows(rows);
  return arrowStream(builder.finish());
}

const records = "/v1/topics/notes/records";
const ndjson = Buffer.from(rows.map((row) => JSON.stringify(row)).join("\n"));

/** Sends the body in pieces of any size, some of them larger than what one read of a socket gives. */
function send(
  path: string,
  type: string,
  body: Uint8Array,
  length: number | undefined,
  seed: number,
): Promise<number> {
  const random = new SeededRandom(seed);
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": type,
      "idempotency-key": `k${seed}`,
      ...(length === undefined ? {} : { "content-length": length }),
    };
    const sent = request(server.url + path, { method: "POST", headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode!));
    });
    sent.on("error", reject);
    const next = (from: number): void => {
      if (from >= body.length) {
        sent.end();
        return;
      }
      const to = Math.min(body.length, from + 1 + random.below(random.oneIn(2) ? 200_000 : 20_000));
      sent.write(body.subarray(from, to), () => next(to));
    };
    next(0);
  });
}

test.each<[string, string, string, Uint8Array, boolean]>([
  ["an array", records, "application/json", Buffer.from(JSON.stringify(rows)), true],
  ["lines", records, "application/x-ndjson", ndjson, true],
  ["columns", records, "application/vnd.apache.arrow.stream", arrow(), true],
  ["columns of unknown length", records, "application/vnd.apache.arrow.stream", arrow(), false],
  [
    "COPY",
    `/v1/copy?statement=${encodeURIComponent("COPY notes FROM STDIN")}`,
    "application/octet-stream",
    Buffer.from(rows.map(({ n, t }) => `${n}\t${t}\n`).join("")),
    false,
  ],
])("%s", async (_, path, type, body, isLengthTold) => {
  expect(body.length).toBeGreaterThan(4 * 65_536);
  for (let seed = 1; seed <= 3; seed++) {
    expect(await send(path, type, body, isLengthTold ? body.length : undefined, seed)).toBe(200);
  }
  const found: unknown[] = [];
  for await (const { valueJson } of engine.readTopic("notes")) found.push(JSON.parse(valueJson!));
  expect(found).toEqual([...rows, ...rows, ...rows]);
});

test("lines that are committed as they come", async () => {
  const path = `${records}?atomic=false`;
  const sent = await new Promise<number>((resolve, reject) => {
    const headers = { "content-type": "application/x-ndjson" };
    const asked = request(server.url + path, { method: "POST", headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode!));
    });
    asked.on("error", reject);
    asked.end(ndjson);
  });
  expect(sent).toBe(200);
  const found: unknown[] = [];
  for await (const { valueJson } of engine.readTopic("notes")) found.push(JSON.parse(valueJson!));
  expect(found).toEqual(rows);
});
