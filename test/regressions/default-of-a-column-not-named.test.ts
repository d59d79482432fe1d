/**
 * A record that did not name a column with a DEFAULT got a null, or was refused where none may be: after ALTER TABLE … ADD COLUMN … NOT NULL DEFAULT
 * whoever appended JSON as before was turned away. INSERT gave the default.
 */
import avsc from "avsc";
import { expect, test } from "vitest";
import { z } from "zod";
import { arrowStream } from "../../src/batch/arrow.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4 } from "../../src/batch/types.ts";
import { connect } from "../../src/client/index.ts";
import { topic } from "../../src/face/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const KINDS = {
  stream: "CREATE TABLE t (id int4, a int4) WITH (append_only)",
  table: "CREATE TABLE t (id int4 PRIMARY KEY, a int4)",
  "table without key": "CREATE TABLE t (id int4, a int4)",
};
const ADDED = `ALTER TABLE t ALTER a SET DEFAULT -5, ADD COLUMN b bool NOT NULL DEFAULT true, ADD COLUMN s text NOT NULL DEFAULT 'é''s',
  ADD COLUMN big int8 NOT NULL DEFAULT 9007199254740993, ADD COLUMN n numeric(10,2) NOT NULL DEFAULT 1.5, ADD COLUMN j jsonb NOT NULL DEFAULT 'null',
  ADD COLUMN l int4[] NOT NULL DEFAULT '{1,2}', ADD COLUMN d date NOT NULL DEFAULT '2026-11-22', ADD COLUMN f float8 DEFAULT 0.25,
  ADD COLUMN plain text`;
const DEFAULTS = ["-5", "t", "é's", "9007199254740993", "1.50", "null", "{1,2}", "2026-11-22", "0.25", null];

function ndjson(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `{"id":${from + i}}\n`).join("");
}

function avroFile(records: readonly object[]): Promise<Buffer> {
  const type = avsc.Type.forSchema({ type: "record", name: "t", fields: [{ name: "id", type: "int" }] });
  const encoder = new avsc.streams.BlockEncoder(type);
  const pieces: Buffer[] = [];
  encoder.on("data", (piece: Buffer) => pieces.push(piece));
  for (const record of records) encoder.write(record);
  encoder.end();
  return new Promise((resolve) => encoder.on("end", () => resolve(Buffer.concat(pieces))));
}

for (const [kind, create] of Object.entries(KINDS)) {
  test(`a ${kind}: by every door`, async () => {
    const disk = new SimulatedDisk();
    let db = await openInMemory(disk);
    await sql(db, create);
    await sql(db, ADDED);
    const server = await createHttpServer(db, { port: 0 });
    const send = async (type: string, body: string) => {
      const headers = { "content-type": type };
      const answer = await fetch(`${server.url}/v1/topics/t/records`, { method: "POST", headers, body });
      expect(answer.status, await answer.text()).toBe(200);
    };
    const client = connect(server.url);
    await db.append("t", [{ id: 0 }]);
    await db.append(
      "t",
      Array.from({ length: 99 }, (_, i) => ({ id: 1 + i })),
    );
    await db.append(
      "t",
      Array.from({ length: 3000 }, (_, i) => ({ id: 100 + i })),
    );
    await send("application/json", '[{"id":3100},{"id":3101}]');
    await send("application/x-ndjson", ndjson(3102, 3600));
    await client.append("t", [{ id: 3600 }, { id: 3601 }], { format: "arrow" });
    await client.appendColumns("t", { id: [3602, 3603] });
    const file = await avroFile([{ id: 3607 }, { id: 3608 }]);
    const avro = await fetch(`${server.url}/v1/topics/t/records`, {
      method: "POST",
      headers: { "content-type": "application/avro" },
      body: new Uint8Array(file),
    });
    expect(avro.status, await avro.text()).toBe(200);
    await db.transact([{ topic: "t", append: [{ id: 3604 }] }]);
    await db.transaction((tx) => tx.append("t", [{ id: 3605 }]));
    await sql(db, "INSERT INTO t (id) VALUES (3606)");
    await db.settled();
    const defaults = async (condition: string) =>
      rowsOf(db, `SELECT DISTINCT a, b, s, big, n, j, l, d, f, plain FROM t WHERE ${condition}`);
    expect(await defaults("true")).toEqual([DEFAULTS]);
    expect(await rowsOf(db, "SELECT count(DISTINCT id), count(*) FROM t")).toEqual([["3609", "3609"]]);
    await db.append("t", [{ id: 4000, a: null }]);
    await send("application/x-ndjson", '{"id":4001,"a":null}\n{"id":4002,"a":null,"b":false}\n');
    await client.append("t", [{ id: 4003, a: null }, { id: 4004, a: 1, b: false }, { id: 4005 }], {
      format: "arrow",
    });
    await db.settled();
    expect(await rowsOf(db, "SELECT id, a, b FROM t WHERE id >= 4000 ORDER BY id")).toEqual([
      ["4000", null, "t"],
      ["4001", null, "t"],
      ["4002", null, "f"],
      ["4003", null, "t"],
      ["4004", "1", "f"],
      ["4005", "-5", "t"],
    ]);
    await expect(db.append("t", [{ id: 5000, b: null }])).rejects.toMatchObject({
      code: "not_null_violation",
    });
    await expect(client.append("t", [{ id: 5000, b: null }])).rejects.toMatchObject({
      code: "not_null_violation",
    });
    const all = await rowsOf(db, "SELECT * FROM t ORDER BY id");
    await server.close();
    await db.close();
    db = await openInMemory(disk);
    expect(await rowsOf(db, "SELECT * FROM t ORDER BY id")).toEqual(all);
    await db.close();
  });
}

test("a default that tells the time: one for all records of a request, and a repeated request is the same", async () => {
  const clock = new SimulatedClock();
  const db = await openInMemory(undefined, { clock });
  await sql(db, "CREATE TABLE t (id int4, at timestamptz NOT NULL DEFAULT now()) WITH (append_only)");
  const times = () => rowsOf(db, "SELECT count(DISTINCT at), count(*) FROM t");
  const records = [{ id: 1 }, { id: 2 }];
  const first = await db.append("t", records, { idempotencyKey: "k" });
  expect(await times()).toEqual([["1", "2"]]);
  clock.advance(1_000_000);
  expect(await db.append("t", records, { idempotencyKey: "k" })).toEqual(first);
  expect(await times()).toEqual([["1", "2"]]);
  const server = await createHttpServer(db, { port: 0 });
  const client = connect(server.url);
  await client.append("t", records);
  clock.advance(1_000_000);
  await client.append("t", records, { format: "arrow" });
  expect(await times()).toEqual([["3", "6"]]);
  await server.close();
  await db.close();
});

test("records that wait while the column comes", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int4) WITH (append_only)");
  const { schema } = db.topic("t");
  const altering = sql(db, "ALTER TABLE t ADD COLUMN b int4 NOT NULL DEFAULT 7");
  const builder = new BatchBuilder(schema);
  builder.appendRow({ id: 0 });
  await Promise.all([
    altering,
    ...Array.from({ length: 50 }, (_, i) => db.append("t", [{ id: 1 + i }])),
    db.appendBatch("t", builder.finish()),
  ]);
  expect(await rowsOf(db, "SELECT DISTINCT b FROM t")).toEqual([["7"]]);
  await db.close();
});

test("records that wait while a column with a default goes", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int4, a int4 DEFAULT 1) WITH (append_only)");
  const altering = sql(db, "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN b int4 DEFAULT 2");
  for (let i = 0; i < 200; i++) await db.append("t", [{ id: i }]);
  await altering;
  await db.append("t", [{ id: 200 }]);
  expect(await rowsOf(db, "SELECT DISTINCT b FROM t")).toEqual([["2"]]);
  await db.close();
});

test("what the program's own schema fills in is named by then", async () => {
  const app = topic("t", { schema: z.object({ id: z.int(), a: z.int().default(3) }) });
  const db = await openInMemory(undefined, { topics: [app] });
  await sql(db, "ALTER TABLE t ALTER a SET DEFAULT 4, ADD COLUMN b int4 NOT NULL DEFAULT 5");
  await db.append("t", [{ id: 1 }]);
  const fields = [{ name: "id", type: int4, nullable: false }];
  const arrow = new BatchBuilder(schemaOf(fields));
  arrow.appendRow({ id: 2 });
  await db.appendArrow("t", arrowStream(arrow.finish()));
  expect(await rowsOf(db, "SELECT id, a, b FROM t ORDER BY id")).toEqual([
    ["1", "3", "5"],
    ["2", "3", "5"],
  ]);
  await db.close();
});
