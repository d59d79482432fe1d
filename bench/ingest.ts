/**
 * Ingest over HTTP: durable events per second, sent in bodies of 1,000 records, several requests under way at once.
 *
 * The server is a process of its own, of which one thread reads, checks and appends; the bodies are made before the clock starts. An event has
 * six fields and some 120 bytes of JSON.
 *
 * - "JSON array", "NDJSON": beside them JSON.parse alone on the same bytes, in this process, one thread: what no server in JavaScript can do without.
 * - "Arrow": the same events as Arrow IPC streams, which are made of columns within the time, as a client with columns does.
 *
 *   node --conditions=evert-source bench/ingest.ts
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { writeArrow } from "../src/batch/arrow-writer.ts";
import type { Batch } from "../src/batch/batch.ts";
import { BatchBuilder } from "../src/batch/builder.ts";
import { contentTypes } from "../src/wire/http/messages.ts";
import { withDirectory } from "./directory.ts";
import { event, events } from "./ingest/events.ts";
import { type Measured, median, present, rounds } from "./report.ts";

const RECORDS = 1_000;
const ARROW_RECORDS = 10_000;
const BODIES = 100;
const IN_FLIGHT = 8;
const TURNS = 5;

async function measure(): Promise<Measured[]> {
  const rows = Array.from({ length: RECORDS * BODIES }, (_, i) => event(i));
  const bodies = pieces(rows, RECORDS);
  const json = bodies.map((body) => Buffer.from(JSON.stringify(body)));
  const ndjson = bodies.map((body) => Buffer.from(body.map((row) => JSON.stringify(row)).join("\n")));
  const batches = pieces(rows, ARROW_RECORDS).map(batchOf);
  return withDirectory(async (dir) => {
    const server = fork(join(import.meta.dirname, "ingest", "server.ts"), [dir], {
      execArgv: ["--conditions=evert-source"],
    });
    const [url] = (await once(server, "message")) as [string];
    const sent = (type: string, list: readonly (() => Uint8Array)[]) => () =>
      rateOf(rows.length, () => sendAll(`${url}/v1/topics/events/records`, type, list));
    const seen = await rounds(TURNS, {
      parse: () => rateOf(rows.length, () => parseAll(json)),
      json: sent(
        contentTypes.json,
        json.map((body) => () => body),
      ),
      ndjson: sent(
        contentTypes.ndjson,
        ndjson.map((body) => () => body),
      ),
      arrow: sent(
        contentTypes.arrow,
        batches.map((batch) => () => arrowOf(batch)),
      ),
    });
    server.disconnect();
    await once(server, "exit");
    const beside = (name: string, values: readonly number[]): Measured => ({
      name,
      unit: "events/s",
      value: median(values),
      peer: "JSON.parse alone",
      peerValue: median(seen.parse),
      ratio: median(values.map((value, turn) => value / seen.parse[turn]!)),
      goal: 0.35,
    });
    return [
      beside("JSON array over HTTP", seen.json),
      beside("NDJSON over HTTP", seen.ndjson),
      { name: "Arrow over HTTP", unit: "events/s", value: median(seen.arrow), least: 2_000_000 },
    ];
  });
}

function pieces<T>(list: readonly T[], length: number): T[][] {
  return Array.from({ length: list.length / length }, (_, i) => list.slice(i * length, (i + 1) * length));
}

function batchOf(rows: readonly object[]): Batch {
  const builder = new BatchBuilder(events.schema);
  for (const row of rows) builder.appendRow(row);
  return builder.finish();
}

function arrowOf(batch: Batch): Uint8Array {
  return Buffer.concat([...writeArrow(batch.schema, [batch])]);
}

/** Decoding included: a body comes as bytes. */
function parseAll(bodies: readonly Buffer[]): void {
  let parsed = 0;
  for (const body of bodies) parsed += (JSON.parse(body.toString()) as unknown[]).length;
  if (parsed !== RECORDS * BODIES) throw new Error("a record is missing");
}

async function sendAll(url: string, type: string, bodies: readonly (() => Uint8Array)[]): Promise<void> {
  const waiting = bodies.values();
  const send = async (): Promise<void> => {
    for (const body of waiting) {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": type },
        body: body() as Uint8Array<ArrayBuffer>,
      });
      if (!answer.ok) throw new Error(await answer.text());
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, send));
}

async function rateOf(count: number, run: () => Promise<void> | void): Promise<number> {
  const started = performance.now();
  await run();
  return (count * 1000) / (performance.now() - started);
}

await present(measure);
