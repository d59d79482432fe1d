import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readArrow, readArrowSchema, writeArrow } from "../../src/batch/arrow.ts";
import { rowToObject } from "../../src/batch/json.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { int8 as int8Type } from "../../src/batch/types.ts";
import type { ReadTopicOptions } from "../../src/engine/api.ts";
import type { TimeText } from "../../src/engine/read-time.ts";
import { type Db, int4, open, table, text, topic } from "../../src/index.ts";
import { removeChecked } from "../support/left-behind.ts";

const facts = topic("facts", { schema: { n: int4, label: text } });
const names = table("names", { key: "id", schema: { id: int4, name: text } });

let dir: string;
let db: Db;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "evert-records-"));
  db = await open({ dir, topics: [facts, names] });
});

afterEach(async () => {
  await db.close();
  await removeChecked(dir);
});

async function arrowRows(name: string, from?: number, limit?: number): Promise<Record<string, unknown>[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of db.engine.readTopicArrow(name, { from, limit })) pieces.push(piece);
  const bytes = new Uint8Array(pieces.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  const schema = readArrowSchema(bytes);
  const rows: Record<string, unknown>[] = [];
  for (const batch of readArrow(bytes, schema)) {
    for (let i = 0; i < batch.length; i++) rows.push(rowToObject(schema, batch, i));
  }
  return rows;
}

test("Arrow and NDJSON readers give the same records, from any offset, up to any limit", async () => {
  for (let i = 0; i < 5; i++) {
    await db.append(
      facts,
      Array.from({ length: 7 }, (_, k) => ({ n: i * 7 + k, label: `fact ${i * 7 + k}` })),
    );
  }
  for (const [from, limit] of [
    [0, undefined],
    [3, 10],
    [34, 5],
    [35, 5],
  ] as const) {
    const records = [];
    for await (const r of db.engine.readTopic("facts", { from, limit })) {
      records.push({ offset: r.offset, position: Number(r.position), ...JSON.parse(r.valueJson ?? "{}") });
    }
    const rows = (await arrowRows("facts", from, limit)).map(({ _offset, _position, n, label }) => ({
      offset: _offset,
      position: _position,
      n,
      label,
    }));
    expect(rows).toEqual(records);
    expect(records.map((r) => r.n)).toEqual(
      Array.from({ length: 35 }, (_, n) => n).slice(from, limit === undefined ? undefined : from + limit),
    );
  }
});

test("a table's tombstones are told as such", async () => {
  await db.append(names, [
    { id: 1, name: "a" },
    { id: 2, name: "b" },
  ]);
  await db.delete(names, 1);
  const rows = await arrowRows("names");
  expect(rows.map(({ _deleted, id, name }) => ({ _deleted, id, name }))).toEqual([
    { _deleted: false, id: 1, name: "a" },
    { _deleted: false, id: 2, name: "b" },
    { _deleted: true, id: 1, name: null },
  ]);
});

test("a follower misses nothing, however appends and reads interleave", async () => {
  const total = 400;
  const seen: number[] = [];
  const abort = new AbortController();
  const follower = (async () => {
    for await (const record of db.engine.readTopic("facts", { follow: true, signal: abort.signal })) {
      seen.push(record.offset);
      if (seen.length === total) return;
    }
  })();
  for (let i = 0; i < total; i++) {
    const done = db.append(facts, { n: i, label: "x" });
    if (i % 3 === 0) await done;
  }
  await follower;
  expect(seen).toEqual(Array.from({ length: total }, (_, i) => i));
});

test("a topic is read from a time on, a Date or a text", async () => {
  const records = async (from?: ReadTopicOptions["from"]) => {
    const found: { n: number; timestamp: string }[] = [];
    for await (const { valueJson, timestamp } of db.engine.readTopic("facts", { from })) {
      found.push({ ...JSON.parse(valueJson ?? "{}"), timestamp });
    }
    return found;
  };
  await db.append(facts, { n: 0, label: "before" });
  // A Date knows milliseconds only.
  await sleep(3);
  await db.append(facts, [
    { n: 1, label: "after" },
    { n: 2, label: "after" },
  ]);
  const { timestamp } = (await records())[1]!;
  const time = new Date(timestamp);
  for (const from of [time, time.toISOString() as TimeText, timestamp as TimeText]) {
    expect((await records(from)).map(({ n }) => n)).toEqual([1, 2]);
  }
  expect(await records(new Date(time.getTime() + 3_600_000))).toEqual([]);
  await expect(records(new Date(Number.NaN))).rejects.toMatchObject({ code: "invalid_request" });
});

async function arrowOf(name: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of db.engine.readTopicArrow(name, {})) pieces.push(piece);
  return Buffer.concat(pieces);
}

test("what is read as Arrow can be appended again: the columns of a record's place are passed over", async () => {
  await db.append(facts, [
    { n: 1, label: "a" },
    { n: 2, label: "b" },
  ]);
  await db.engine.appendArrow("facts", await arrowOf("facts"));
  expect((await arrowRows("facts")).map(({ n, label }) => [n, label])).toEqual([
    [1, "a"],
    [2, "b"],
    [1, "a"],
    [2, "b"],
  ]);
  await db.append(names, [
    { id: 1, name: "one" },
    { id: 2, name: "two" },
  ]);
  expect(await db.engine.appendArrow("names", await arrowOf("names"))).toMatchObject({ count: 2 });
  await db.engine.deleteKey("names", 2);
  await expect(db.engine.appendArrow("names", await arrowOf("names"))).rejects.toMatchObject({
    code: "feature_not_supported",
    message: "records[4]: a deletion cannot be appended as Arrow",
  });
  const place = schemaOf([{ name: "_place", type: int8Type, nullable: false }]);
  const unknown = Buffer.concat([...writeArrow(place, [])]);
  await expect(db.engine.appendArrow("facts", unknown)).rejects.toMatchObject({ code: "undefined_column" });
});
