/** A part by itself: in how many steps its rows come makes no difference to what it has told in the end, and all that it has told on the way is right by itself. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import type { PartError } from "../../../src/dataflow/parts/link.ts";
import { Parcel, unpack } from "../../../src/dataflow/parts/parcel.ts";
import { PartCircuit, type PartSpec } from "../../../src/dataflow/parts/part-circuit.ts";
import { SharedParcels } from "../../../src/dataflow/parts/shared-parcels.ts";
import type { Database } from "../../../src/engine/database.ts";
import { overStreams } from "../../../src/plan/parts.ts";
import { openInMemory, sql } from "../../engine/support/memory.ts";
import { dataOf } from "./every-type.ts";

let db: Database;

beforeAll(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int8 PRIMARY KEY, k int8 NOT NULL, v text NOT NULL)");
  await sql(db, "CREATE TABLE s (id int8 NOT NULL, k int8 NOT NULL, v text NOT NULL) WITH (append_only)");
});

afterAll(() => db.close());

async function specOf(query: string, topic: string): Promise<PartSpec> {
  await sql(db, `CREATE MATERIALIZED VIEW asked AS ${query}`);
  await db.built();
  const { plan } = db.core.views.named("asked").query!;
  await sql(db, "DROP MATERIALIZED VIEW asked");
  const { id, schema } = db.core.catalog.topic(topic);
  return {
    plan: overStreams(plan),
    sources: [{ id, name: topic, schema, reads: [0, 1, 2], keys: null }],
    keysMove: false,
    shard: { index: 0, count: 1 },
    limits: {},
    isLive: false,
  };
}

type Change = readonly [weight: number, id: number, k: number, v: string];

/** What the part tells, in its order, of these changes, three times so many a step. */
function told(spec: PartSpec, changes: readonly Change[], perStep: number) {
  const parcels: Uint8Array[] = [];
  const errors: PartError[] = [];
  const output = {
    rows: (_: number, parcel: Uint8Array) => parcels.push(parcel),
    errors: (some: readonly PartError[]) => errors.push(...some),
  };
  const part = new PartCircuit(spec, output);
  const [{ id: sourceId, schema }] = spec.sources as [PartSpec["sources"][number]];
  const run = () => {
    while (!part.run(0, () => true));
  };
  const endStep = () => {
    part.start([], true);
    run();
    const answer = part.answer();
    parcels.push(...answer.phases.flat());
    errors.push(...answer.errors);
    while (!part.sweep(Number.POSITIVE_INFINITY));
  };
  for (let from = 0; from < changes.length; from += 3) {
    const some = changes.slice(from, from + 3);
    const builder = new BatchBuilder(schema);
    for (const [, ...row] of some) builder.appendValues([BigInt(row[0]), BigInt(row[1]), row[2]]);
    const parcel = new Parcel(new SharedParcels());
    parcel.add({ ...builder.finish(), weights: Int32Array.from(some, ([weight]) => weight) });
    part.start([{ sourceId, columns: [0, 1, 2], parcels: parcel.take() }], false);
    run();
    if ((from / 3 + 1) % perStep === 0) endStep();
  }
  endStep();
  const rows = parcels.flatMap((parcel) =>
    [...unpack(parcel, spec.plan.schema)].flatMap((batch) =>
      dataOf(batch as never).map((row, i) => [String(row), batch.weights![i]!] as const),
    ),
  );
  return { rows, errors };
}

/** Sums by row; no row is ever there less than not at all. */
function summed(rows: readonly (readonly [string, number])[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [row, weight] of rows) {
    const sum = (sums.get(row) ?? 0) + weight;
    expect(sum).toBeGreaterThanOrEqual(0);
    if (sum === 0) sums.delete(row);
    else sums.set(row, sum);
  }
  return sums;
}

function errorsOf(errors: readonly PartError[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { error, weight } of errors) {
    const of = `${error.sqlstate} ${error.message}`;
    sums.set(of, (sums.get(of) ?? 0) + weight);
  }
  for (const [of, sum] of sums) if (sum === 0) sums.delete(of);
  return sums;
}

const row = fc.tuple(
  fc.integer({ min: 0, max: 9 }),
  fc.integer({ min: 0, max: 4 }),
  fc.constantFrom("1", "2", "33", "no number"),
);

/** Of a table: a key's row goes before its next one comes. */
const tableChanges = fc.array(fc.tuple(row, fc.boolean()), { maxLength: 60 }).map((writes) => {
  const there = new Map<number, Change>();
  return writes.flatMap(([[id, k, v], stays]): Change[] => {
    const old = there.get(id);
    const come: Change = [1, id, k, v];
    if (stays) there.set(id, come);
    else there.delete(id);
    return [...(old === undefined ? [] : [[-1, old[1], old[2], old[3]] as const]), ...(stays ? [come] : [])];
  });
});
const streamRows = fc
  .array(row, { maxLength: 60 })
  .map((rows) => rows.map(([id, k, v]): Change => [1, id, k, v]));

const cases: readonly [query: string, topic: string][] = [
  ["SELECT DISTINCT ON (k) k, id, v FROM s ORDER BY k, id DESC, v", "s"],
  ["SELECT DISTINCT ON (k) k, id, v FROM t ORDER BY k, id DESC, v", "t"],
  [
    "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY id, v) AS n FROM s) AS a WHERE n <= 2",
    "s",
  ],
  [
    "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM t) AS a WHERE n <= 2",
    "t",
  ],
  ["SELECT DISTINCT k, v FROM t WHERE id > 2", "t"],
  ["SELECT k, v FROM s UNION SELECT id, v FROM s", "s"],
  ["SELECT DISTINCT v::int8 FROM t", "t"],
];

describe("a part", () => {
  it.each(cases)("tells the same in one step and in many: %s", async (query, topic) => {
    const spec = await specOf(query, topic);
    fc.assert(
      fc.property(
        topic === "t" ? tableChanges : streamRows,
        fc.integer({ min: 1, max: 7 }),
        (changes, perStep) => {
          const [once, often] = [told(spec, changes, Number.POSITIVE_INFINITY), told(spec, changes, perStep)];
          expect(summed(often.rows)).toEqual(summed(once.rows));
          expect(errorsOf(often.errors)).toEqual(errorsOf(once.errors));
        },
      ),
    );
  });
});
