/** A part in its worker, without the thread: how long it works at once, what is under way at most, and what is told of its state. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { Parcel, unpack } from "../../../src/dataflow/parts/parcel.ts";
import type { PartSpec } from "../../../src/dataflow/parts/part-circuit.ts";
import { SharedParcels } from "../../../src/dataflow/parts/shared-parcels.ts";
import type { Database } from "../../../src/engine/database.ts";
import { KeptPart } from "../../../src/engine/workers/kept-part.ts";
import type { Reply } from "../../../src/engine/workers/protocol.ts";
import { overStreams } from "../../../src/plan/parts.ts";
import { openInMemory, sql } from "../support/memory.ts";

let db: Database;

beforeAll(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE s (k int8, v int8) WITH (append_only)");
});

afterAll(() => db.close());

async function specOf(query: string, isLive: boolean, limits: PartSpec["limits"] = {}): Promise<PartSpec> {
  await sql(db, `CREATE MATERIALIZED VIEW asked AS ${query}`);
  await db.built();
  const { plan } = db.core.views.named("asked").query!;
  await sql(db, "DROP MATERIALIZED VIEW asked");
  const { id, schema } = db.core.catalog.topic("s");
  const source = { id, name: "s", schema, reads: [0, 1], keys: null };
  return {
    plan: overStreams(plan),
    sources: [source],
    keysMove: false,
    shard: { index: 0, count: 1 },
    limits,
    isLive,
  };
}

function rowsOf({ sources }: PartSpec, count: number, from = 0) {
  const { id, schema } = sources[0]!;
  const builder = new BatchBuilder(schema);
  for (let i = 0; i < count; i++) builder.appendValues([BigInt(from + i), 1n]);
  const parcel = new Parcel(new SharedParcels());
  parcel.add(builder.finish());
  return [{ sourceId: id, columns: [0, 1], parcels: parcel.take() }];
}

function kept(spec: PartSpec) {
  const told: Reply[] = [];
  const part = new KeptPart(1, spec, (reply) => told.push(reply));
  const kinds = () => told.map(({ kind }) => kind);
  const hasTasks = () => part.need === "tasks";
  return { part, told, kinds, hasTasks };
}

it("works no longer than until the deadline, and goes on where it was", async () => {
  const spec = await specOf("SELECT k, count(*) AS n FROM s GROUP BY k", false);
  const { part, told, kinds } = kept(spec);
  part.add({ kind: "finish", part: 1, rows: rowsOf(spec, 30_000) });
  let slices = 0;
  // A deadline that is over: one piece of work at a time.
  for (; part.need === "tasks"; slices++) part.work(0);
  expect(slices).toBeGreaterThan(10);
  expect(kinds().filter((kind) => kind !== "grown")).toEqual(["answer"]);
  // What it keeps is told while it grows.
  expect(kinds()).toContain("grown");
  const grown = told.flatMap((reply) => ("bytes" in reply ? [reply.bytes] : []));
  expect(grown).toEqual(grown.toSorted((a, b) => a - b));
  expect(part.need).toBe("sweep");
  while (part.need === "sweep") part.work(0);
  expect(part.need).toBe("none");
});

it("sends what fills a parcel, and waits where too many of them are not taken", async () => {
  const spec = await specOf("SELECT DISTINCT k, v FROM s", false);
  const { part, told, kinds, hasTasks } = kept(spec);
  const rows = 600_000;
  for (let i = 0; i < rows; i += 20_000) part.add({ kind: "feed", part: 1, rows: rowsOf(spec, 20_000, i) });
  part.add({ kind: "finish", part: 1, rows: [] });
  while (hasTasks()) part.work(0);
  const first = kinds().filter((kind) => kind === "rows").length;
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(12);
  expect(kinds()).not.toContain("answer");
  for (let taken = 0; !kinds().includes("answer"); ) {
    for (; taken < kinds().filter((kind) => kind === "rows").length; taken++) part.taken();
    while (hasTasks()) part.work(performance.now() + 4);
  }
  const parcels = told.flatMap((reply) =>
    reply.kind === "rows" ? [reply.parcel] : reply.kind === "answer" ? reply.phases.flat() : [],
  );
  const { schema } = spec.plan;
  const lengths = parcels.flatMap((parcel) => [...unpack(parcel, schema)].map(({ length }) => length));
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(rows);
  expect(parcels.length).toBeGreaterThan(5);
});

it("tells of errors some by some, and waits where too many are not taken", async () => {
  const spec = await specOf("SELECT DISTINCT (k::text || 'x')::int8 AS d FROM s", false);
  const { part, told, kinds, hasTasks } = kept(spec);
  const rows = 30_000;
  part.add({ kind: "finish", part: 1, rows: rowsOf(spec, rows) });
  for (let taken = 0; !kinds().includes("answer"); ) {
    while (hasTasks()) part.work(0);
    const sent = kinds().filter((kind) => kind === "errors").length;
    expect(sent - taken).toBeLessThanOrEqual(8);
    for (; taken < sent; taken++) part.taken();
  }
  const lists = told.flatMap((reply) => ("errors" in reply ? [reply.errors] : []));
  expect(lists.length).toBeGreaterThan(20);
  expect(Math.max(...lists.map(({ length }) => length))).toBeLessThan(2_000);
  const all = lists.flat();
  expect(all.every(({ error }) => error.sqlstate === "22P02")).toBe(true);
  expect(all.reduce((sum, { weight }) => sum + weight, 0)).toBe(rows);
});

it("is limited in its steps once it is live", async () => {
  const spec = await specOf("SELECT DISTINCT k, v FROM s", false, { limits: { stepRowsMax: 1_000 } });
  const { part, kinds } = kept(spec);
  const step = (from: number) => {
    part.add({ kind: "finish", part: 1, rows: rowsOf(spec, 100_000, from) });
    while (part.need !== "none") part.work(Number.POSITIVE_INFINITY);
  };
  step(0);
  expect(kinds().at(-1)).toBe("answer");
  part.live();
  step(100_000);
  expect(kinds().at(-1)).toBe("failed");
  // It does nothing any more.
  part.add({ kind: "finish", part: 1, rows: [] });
  expect(part.need).toBe("none");
});
