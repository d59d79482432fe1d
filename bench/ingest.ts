/**
 * Ingest over HTTP: durable events per second, several requests under way at once. An event has six fields and some 115 bytes of JSON.
 *
 * Two processes, as in life: the server, of which one thread reads, checks and appends; and this one, which sends.
 *
 * - "JSON array", "NDJSON": bodies of 1,000 events, made before the clock starts and sent by node:http, which costs the least. Beside them JSON.parse alone
 *   on the same bytes, in this process, one thread: what no server that parses with it can do without.
 * - "… by processor time": the same rounds, but events per second of the time that the server's thread worked, beside JSON.parse by the time it worked:
 *   the figure that other work on the machine leaves alone.
 * - "Avro": the same events as messages of Confluent's form in bodies of avro/binary, 1,000 in each, and beside them avsc's own loop over the same bytes, which makes
 *   an object of each: by the clock and by processor time, as JSON.
 * - "Arrow": the client of the package (`connect`) with arrays as a program has them, 10,000 events in a call; made into Arrow streams, sent and stored
 *   within the time. "columns": typed arrays and arrays of texts. "rows": objects.
 *
 *   node --conditions=evert-source bench/ingest.ts
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { join } from "node:path";
import avsc from "avsc";
import { connect } from "../src/client/index.ts";
import { contentTypes } from "../src/wire/http/messages.ts";
import { withDirectory } from "./directory.ts";
import { columns, event } from "./ingest/events.ts";
import { type Measured, median, present, rounds, threadMs } from "./report.ts";

const RECORDS = 1_000;
const BODIES = 200;
const ARROW_RECORDS = 10_000;
const ARROW_CALLS = 50;
const IN_FLIGHT = 8;
const TURNS = 5;

/** What a turn came to: by the clock, and by the time the thread in question worked. */
interface Rate {
  readonly clock: number;
  readonly thread: number;
}

async function measure(): Promise<Measured[]> {
  const rows = Array.from({ length: RECORDS * BODIES }, (_, i) => event(i));
  const bodies = pieces(rows, RECORDS);
  const json = bodies.map((body) => Buffer.from(JSON.stringify(body)));
  const ndjson = bodies.map((body) => Buffer.from(body.map((row) => JSON.stringify(row)).join("\n")));
  const many = Array.from({ length: ARROW_CALLS }, (_, k) =>
    columns(k * ARROW_RECORDS, (k + 1) * ARROW_RECORDS),
  );
  const manyRows = pieces(rows, ARROW_RECORDS);
  return withDirectory(async (dir) => {
    const server = fork(join(import.meta.dirname, "ingest", "server.ts"), [dir], {
      execArgv: ["--conditions=evert-source"],
    });
    const [url] = (await once(server, "message")) as [string];
    const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
    const client = connect(url);
    const address = `${url}/v1/topics/events/records`;
    const posted = (type: string, list: readonly Buffer[]) => () =>
      rateOf(rows.length, serverMs(server), () => each(list, (body) => post(agent, address, type, body)));
    const { avro, readAll } = await avroBodies(url, bodies);
    const threads: Record<"parse" | "json" | "ndjson" | "avro" | "avsc", number[]> = {
      parse: [],
      json: [],
      ndjson: [],
      avro: [],
      avsc: [],
    };
    const noted = (name: keyof typeof threads, turn: () => Promise<Rate>) => async () => {
      const { clock, thread } = await turn();
      threads[name].push(thread);
      return clock;
    };
    const seen = await rounds(TURNS, {
      parse: noted("parse", () =>
        rateOf(
          rows.length,
          async () => threadMs(),
          async () => parseAll(json),
        ),
      ),
      json: noted("json", posted(contentTypes.json, json)),
      ndjson: noted("ndjson", posted(contentTypes.ndjson, ndjson)),
      avsc: noted("avsc", () =>
        rateOf(
          rows.length,
          async () => threadMs(),
          async () => readAll(),
        ),
      ),
      avro: noted("avro", posted(contentTypes.avro, avro)),
      columns: async () => {
        const send = () => each(many, (body) => client.appendColumns("events", body));
        return (await rateOf(ARROW_RECORDS * ARROW_CALLS, async () => 0, send)).clock;
      },
      rows: async () => {
        const send = () => each(manyRows, (body) => client.append("events", body, { format: "arrow" }));
        return (await rateOf(rows.length, async () => 0, send)).clock;
      },
    });
    client.close();
    agent.destroy();
    server.disconnect();
    await once(server, "exit");
    const beside = (
      name: string,
      values: readonly number[],
      parse: readonly number[],
      peer = "JSON.parse alone",
    ): Measured => ({
      name,
      unit: "events/s",
      value: median(values),
      peer,
      peerValue: median(parse),
      ratio: median(values.map((value, turn) => value / parse[turn]!)),
    });
    return [
      { ...beside("JSON array over HTTP", seen.json, seen.parse), goal: 0.35 },
      { ...beside("NDJSON over HTTP", seen.ndjson, seen.parse), goal: 0.35 },
      beside("JSON array, by processor time", threads.json, threads.parse),
      beside("NDJSON, by processor time", threads.ndjson, threads.parse),
      beside("Avro messages over HTTP", seen.avro, seen.avsc, "avsc alone"),
      beside("Avro messages, by processor time", threads.avro, threads.avsc, "avsc alone"),
      {
        name: "Arrow, columns of the client",
        unit: "events/s",
        value: median(seen.columns),
        least: 2_000_000,
      },
      { name: "Arrow, rows of the client", unit: "events/s", value: median(seen.rows) },
    ];
  });
}

function pieces<T>(list: readonly T[], length: number): T[][] {
  return Array.from({ length: list.length / length }, (_, i) => list.slice(i * length, (i + 1) * length));
}

/** Messages in the topic's own schema, and avsc's loop over them. */
async function avroBodies(
  url: string,
  bodies: readonly (readonly object[])[],
): Promise<{ readonly avro: Buffer[]; readonly readAll: () => void }> {
  const latest = await fetch(`${url}/registry/subjects/events-value/versions/latest`);
  const { id, schema } = (await latest.json()) as { id: number; schema: string };
  const type = avsc.Type.forSchema(JSON.parse(schema));
  const message = (row: object): Buffer => {
    const value = type.toBuffer({ ...row, at: Date.parse((row as { at: string }).at) * 1000 });
    const head = Buffer.alloc(9);
    head.writeUInt32BE(value.length + 5);
    head.writeUInt32BE(id, 5);
    return Buffer.concat([head, value, Buffer.alloc(4)]);
  };
  const avro = bodies.map((body) => Buffer.concat(body.map(message)));
  const readAll = (): void => {
    let read = 0;
    for (const body of avro) {
      for (let at = 0; at < body.length; read++) {
        const length = body.readUInt32BE(at);
        type.fromBuffer(body.subarray(at + 9, at + 4 + length));
        at += length + 8;
      }
    }
    if (read !== RECORDS * BODIES) throw new Error("a record is missing");
  };
  return { avro, readAll };
}

/** Decoding included: a body comes as bytes. */
function parseAll(bodies: readonly Buffer[]): void {
  let parsed = 0;
  for (const body of bodies) parsed += (JSON.parse(body.toString()) as unknown[]).length;
  if (parsed !== RECORDS * BODIES) throw new Error("a record is missing");
}

/** Some at once. */
async function each<T>(list: readonly T[], send: (item: T) => Promise<unknown>): Promise<void> {
  const waiting = list.values();
  const work = async (): Promise<void> => {
    for (const item of waiting) await send(item);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

function post(agent: Agent, url: string, type: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": type, "content-length": body.length };
    const sent = request(url, { method: "POST", agent, headers }, (answer) => {
      answer.resume();
      if (answer.statusCode !== 200) reject(new Error(`the server answered ${answer.statusCode}`));
      answer.on("end", resolve);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function serverMs(server: ChildProcess): () => Promise<number> {
  return async () => {
    server.send("ms");
    const [ms] = (await once(server, "message")) as [number];
    return ms;
  };
}

async function rateOf(
  count: number,
  threadTime: () => Promise<number>,
  run: () => Promise<void>,
): Promise<Rate> {
  const worked = await threadTime();
  const started = performance.now();
  await run();
  const clock = (count * 1000) / (performance.now() - started);
  return { clock, thread: (count * 1000) / ((await threadTime()) - worked) };
}

await present(measure);
