/** Records that were read before ALTER TABLE and came to be stored behind it were refused ("the columns were changed meanwhile", or of another type): a producer lost them. */
import { expect, test } from "vitest";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const KINDS = {
  stream: "CREATE TABLE t (id int4, a int4, b int4) WITH (append_only)",
  table: "CREATE TABLE t (id int4 PRIMARY KEY, a int4, b int4)",
  "table without key": "CREATE TABLE t (id int4, a int4, b int4)",
};

const CHANGES: readonly (readonly [alter: string, row: readonly (string | null)[]])[] = [
  ["ALTER TABLE t ADD COLUMN c text", ["1", "2", "3", null]],
  ["ALTER TABLE t ADD COLUMN c int8 NOT NULL DEFAULT 7", ["1", "2", "3", "7"]],
  ["ALTER TABLE t DROP COLUMN a, ADD COLUMN a text DEFAULT 'x'", ["1", "3", "x"]],
  ["ALTER TABLE t ALTER a TYPE numeric, ALTER b TYPE int8", ["1", "2", "3"]],
  ["ALTER TABLE t RENAME COLUMN a TO aa; ALTER TABLE t RENAME COLUMN b TO a", ["1", "2", "3"]],
  ["ALTER TABLE t RENAME COLUMN a TO aa; ALTER TABLE t DROP COLUMN b, ALTER aa TYPE int8", ["1", "2"]],
];

for (const [kind, create] of Object.entries(KINDS)) {
  for (const [alter, row] of CHANGES) {
    test(`columns made for a ${kind} before: ${alter}`, async () => {
      const disk = new SimulatedDisk();
      let db = await openInMemory(disk);
      await sql(db, create);
      const builder = new BatchBuilder(db.topic("t").schema);
      builder.appendRows([{ id: 1, a: 2, b: 3 }], "records");
      const batch = builder.finish();
      await sql(db, alter);
      const producer = { id: "p", epoch: 0, seq: 0 };
      const answer = await db.appendBatch("t", batch, { producer });
      expect(answer).toMatchObject({ count: 1, firstOffset: 0 });
      expect(await db.appendBatch("t", batch, { producer })).toEqual(answer);
      await db.settled();
      expect(await rowsOf(db, "SELECT * FROM t")).toEqual([row]);
      await db.close();
      db = await openInMemory(disk);
      expect(await rowsOf(db, "SELECT * FROM t")).toEqual([row]);
      await db.close();
    });
  }
}

test("what is said of values by now holds for them", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int4, a int4 CHECK (a < 10)) WITH (append_only)");
  const of = (row: object) => {
    const builder = new BatchBuilder(db.topic("t").schema);
    builder.appendRows([row], "records");
    return builder.finish();
  };
  const [isNull, isHigh] = [of({ id: 1, a: null }), of({ id: 1, a: 10 })];
  await sql(db, "ALTER TABLE t ADD COLUMN c int4, ALTER a SET NOT NULL; ALTER TABLE t RENAME a TO aa");
  await expect(db.appendBatch("t", isNull)).rejects.toMatchObject({ code: "not_null_violation" });
  await expect(db.appendBatch("t", isHigh)).rejects.toMatchObject({ code: "check_violation" });
  expect(await rowsOf(db, "SELECT * FROM t")).toEqual([]);
  await db.close();
});

test("many rows that are judged, on the way at the same time", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int4 PRIMARY KEY, a int4 UNIQUE, b int4)");
  const rows = Array.from({ length: 5000 }, (_, id) => ({ id, a: id }));
  const [stored] = await Promise.all([
    db.append("t", rows, { producer: { id: "p", epoch: 0, seq: 0 } }),
    sql(db, "ALTER TABLE t DROP COLUMN b, ADD COLUMN c int4 NOT NULL DEFAULT 7, ALTER a TYPE int8"),
  ]);
  expect(stored).toMatchObject({ count: 5000 });
  await db.settled();
  expect(await rowsOf(db, "SELECT count(*), sum(id), sum(a), sum(c) FROM t")).toEqual([
    ["5000", "12497500", "12497500", "35000"],
  ]);
  await db.close();
});

test("a body in chunks goes on across the change", async () => {
  const db = await openInMemory();
  const server = await createHttpServer(db, { port: 0, drainMs: 0 });
  await sql(db, "CREATE TABLE t (a int4, x int4) WITH (append_only)");
  const encoder = new TextEncoder();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const answer = fetch(`${server.url}/v1/topics/t/records?atomic=false`, {
    method: "POST",
    body: readable,
    duplex: "half",
    headers: {
      "content-type": "application/x-ndjson",
      "producer-id": "p",
      "producer-epoch": "0",
      "producer-seq": "0",
    },
  } as RequestInit);
  await writer.write(encoder.encode('{"a":1,"x":1}\n{"a":2}\n'));
  while ((await db.producer("p"))?.topics[0]?.seq !== 1) await new Promise((r) => setTimeout(r, 2));
  await sql(db, "ALTER TABLE t DROP COLUMN x, ADD COLUMN b text NOT NULL DEFAULT 'q'");
  await writer.write(encoder.encode('{"a":3}\n{"a":4,"x":9}\n'));
  await writer.close();
  const response = await answer;
  expect([response.status, await response.json()]).toMatchObject([200, { count: 4, lastOffset: 3 }]);
  expect(await rowsOf(db, "SELECT * FROM t")).toEqual(["1", "2", "3", "4"].map((a) => [a, "q"]));
  await server.close();
  await db.close();
});
