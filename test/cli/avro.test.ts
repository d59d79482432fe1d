/** Avro on the command line: a topic's schema, and files into a topic. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import avsc from "avsc";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";
import { HostileProxy } from "../support/hostile-proxy.ts";
import { removeChecked } from "../support/left-behind.ts";
import { run } from "./run.ts";

let engine: Database;
let server: HttpServer;
let directory: string;

beforeEach(async () => {
  engine = await openInMemory();
  await sql(
    engine,
    "CREATE TABLE s (n int4 NOT NULL, t text) WITH (append_only); CREATE TABLE odd (i interval) WITH (append_only)",
  );
  server = await createHttpServer(engine, { port: 0, drainMs: 0 });
  directory = await mkdtemp(join(tmpdir(), "evert-avro-"));
});

afterEach(async () => {
  await server.close();
  await engine.close();
  await removeChecked(directory);
});

const schema = {
  type: "record",
  name: "r",
  fields: [
    { name: "n", type: "long" },
    { name: "t", type: ["null", "string"] },
  ],
} as const;

async function fileOf(
  count: number,
  last?: object,
  type: object = { ...schema, fields: [{ name: "n", type: "int" }, schema.fields[1]] },
  blockSize = 4096,
): Promise<Buffer> {
  const encoder = new avsc.streams.BlockEncoder(avsc.Type.forSchema(type as never), {
    codec: "deflate",
    blockSize,
  });
  const pieces: Buffer[] = [];
  encoder.on("data", (piece: Buffer) => pieces.push(piece));
  const ended = new Promise((resolve) => encoder.on("end", resolve));
  let x = 1;
  // Text that does not compress, so that the file takes several requests.
  const noise = () =>
    Array.from({ length: 40 }, () => (x = (x * 48_271) % 2_147_483_647).toString(36)).join("");
  for (let n = 0; n < count; n++) encoder.write({ n, t: noise() });
  if (last !== undefined) encoder.write(last);
  encoder.end();
  await ended;
  return Buffer.concat(pieces);
}

test("a topic's schema is printed, or why there is none", async () => {
  const { url } = server;
  const { code, stdout } = await run(["schema", "s", "--avro"], { url });
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    {
      type: "record",
      name: "s",
      fields: [
        { name: "n", type: "int" },
        { name: "t", type: ["null", "string"], default: null },
      ],
    },
  ]);
  expect(await run(["schema", "odd", "--avro"], { url })).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(
      /^error: column "i" of "odd" has no Avro form .*\ndetail: Avro has no type for interval/,
    ),
  });
});

test("a file is appended in parts, by its name, from a pipe, and once through a network that breaks", async () => {
  const bytes = await fileOf(20_000);
  expect(bytes.length).toBeGreaterThan(3 << 20);
  const file = join(directory, "s.avro");
  await writeFile(file, bytes);
  const proxy = await HostileProxy.start(new SeededRandom(5));
  proxy.target = server.url;
  try {
    const count = async () => rowsOf(engine, "SELECT count(*), count(DISTINCT n), max(n) FROM s");
    const through = await run(["append", "s", file], { url: proxy.url });
    expect(through).toMatchObject({ code: 0, stderr: "", stdout: `${engine.position}\n` });
    expect(await count()).toEqual([["20000", "20000", "19999"]]);
    expect(engine.stats().commits).toBeGreaterThan(3);
    expect((await run(["append", "s"], { url: server.url, input: bytes })).code).toBe(0);
    expect(await count()).toEqual([["40000", "20000", "19999"]]);
  } finally {
    await proxy.stop();
  }
});

test("what cannot be stored is named by its number in the file, and how far it came", async () => {
  const type = { ...schema, fields: [{ name: "n", type: ["int", "string"] }, schema.fields[1]] };
  const bytes = await fileOf(10_000, { n: "x", t: null }, type);
  expect(await run(["append", "s"], { url: server.url, input: bytes })).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(
      /^error: records\[10000\]\.n: string cannot become int4 .*\ndetail: .*Committed before that: \d{4}, up to position/,
    ),
  });
  const gone = await run(["append", "none"], { url: server.url, input: bytes });
  expect(gone).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: topic "none" does not exist/),
  });
  const cut = await run(["append", "s"], { url: server.url, input: bytes.subarray(0, -5) });
  expect(cut).toMatchObject({ code: 1, stderr: expect.stringMatching(/the bytes end before it does/) });
});

test("a producer with a name goes on with a file that has grown", async () => {
  const { url } = server;
  const bytes = await fileOf(20_000);
  const file = join(directory, "growing.avro");
  // Somewhere within a block: what is whole before it is stored.
  await writeFile(file, bytes.subarray(0, bytes.length >> 1));
  const named = ["append", "s", file, "--producer", "p"];
  expect((await run(named, { url })).code).toBe(1);
  const stored = async () => rowsOf(engine, "SELECT count(*), count(DISTINCT n), max(n) FROM s");
  const [[half]] = (await stored()) as [[string]];
  expect(Number(half)).toBeGreaterThan(1_000);
  expect(Number(half)).toBeLessThan(20_000);
  await writeFile(file, bytes);
  for (let i = 0; i < 2; i++) {
    expect((await run(named, { url })).stdout).toMatch(/^\d+\n$/);
    expect(await stored()).toEqual([["20000", "20000", "19999"]]);
  }
  expect((await run(named, { url })).stderr).toMatch(/^note: the first 20000 records were passed over/);
  // A shorter one is another.
  const short = await run(["append", "s", "--producer", "p"], { url, input: await fileOf(10) });
  expect([short.code, await stored()]).toEqual([1, [["20000", "20000", "19999"]]]);
  expect(short.stderr).toMatch(/^error: no block of the file ends behind its first 20000 records/);
  // Another file under the name: where the first one ended is none of its blocks' end.
  const other = await fileOf(30_000, undefined, undefined, 100_000);
  const refused = await run(["append", "s", "--producer", "p"], { url, input: other });
  expect([refused.code, await stored()]).toEqual([1, [["20000", "20000", "19999"]]]);
  expect(refused.stderr).toMatch(/^error: no block of the file ends behind its first 20000 records/);
});
