/**
 * Replaying a sealed topic: a view of one filter and one group-by over events on disk.
 *
 * Four million events of eight columns are appended in commits of 1,000 and sealed (segments of 16 MiB, so that the one still written to is a
 * small part). Three of the columns matter to the view.
 *
 * - "view over a sealed topic": from CREATE MATERIALIZED VIEW to its first answer. Events per second of one core: pages are read ahead by
 *   the thread pool, everything else is the one thread.
 * - "scan of three columns of eight": the log alone, pages read, checked, decompressed and decoded. What is left to the engine is the difference.
 * - "scan of all columns".
 * Beside each stands a bare loop that does the same filter and group-by over the same three columns, decoded, in memory.
 *
 * - "sealing": bytes of frames per second, over all of its work (reading, checking, clustering, compressing, writing, reading back).
 * - "longest turn while sealing": milliseconds of processor time between two turns of the event loop.
 * - "sealed size": the sealed segments' bytes as part of the frames'.
 *
 *   node --conditions=evert-source bench/replay.ts
 */
import type { Batch, Column } from "../src/batch/batch.ts";
import type { TopicEntry } from "../src/engine/catalog/catalog.ts";
import { type Db, float8, int4, int8, open, text, timestamptz, topic } from "../src/index.ts";
import type { Group, Log } from "../src/log/log.ts";
import { SeededRandom } from "../src/testing/seeded-random.ts";
import { openBareLog } from "./bare-log.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, present, turns, watchTurns } from "./report.ts";

const EVENTS = 4_000_000;
const COMMIT = 1000;
const KINDS = 8;
const REGIONS = 64;
const SEGMENT_BYTES = 16 << 20;

const events = topic("events", {
  schema: {
    id: int8,
    user_id: int4,
    kind: int4,
    region: int4,
    amount: float8,
    at: timestamptz,
    page: text,
    session: text,
  },
});

interface Loaded {
  readonly kind: Int32Array;
  readonly region: Int32Array;
  readonly amount: Float64Array;
}

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    const options = { dir, topics: [events], segmentBytes: SEGMENT_BYTES, checkpointIntervalMs: 0 };
    let db = await open(options);
    const entry = db.engine.core.catalog.topic("events");
    await db.close();
    // Sealing has its own number.
    const log = await openBareLog(dir, SEGMENT_BYTES, [entry]);
    const loaded = await fill(log, entry);
    const sealing = await sealed(log);
    await log.close();
    db = await open(options);
    const expected = bareLoop(loaded);
    const best = await turns(5, {
      bare: () => perSecond(() => same(bareLoop(loaded), expected)),
      view: () => built(db, expected),
      three: () => scanned(db, new Set([2, 3, 4])),
      all: () => scanned(db, null),
    });
    await db.close();
    const beside = { unit: "events/s", peer: "bare loop in memory", peerValue: best.bare };
    return [
      { name: "view over a sealed topic", value: best.view, ...beside, least: 5_000_000 },
      { name: "scan of three columns of eight", value: best.three, ...beside, least: 5_000_000 },
      { name: "scan of all columns", value: best.all, ...beside },
      { name: "sealing", unit: "MB/s", value: sealing.megabytes },
      { name: "longest turn while sealing", unit: "ms", value: sealing.pauseMs, most: 10 },
      { name: "sealed size", unit: "of the frames'", value: sealing.size },
    ];
  });
}

async function fill(log: Log, { id: topicId, schema }: TopicEntry): Promise<Loaded> {
  const random = new SeededRandom(1);
  const loaded = {
    kind: Int32Array.from({ length: EVENTS }, () => random.below(KINDS)),
    region: Int32Array.from({ length: EVENTS }, () => random.below(REGIONS)),
    amount: Float64Array.from({ length: EVENTS }, () => random.below(100_000) / 100),
  };
  const types = schema.fields.map(({ type }) => type);
  const fixed = (k: number, values: Int32Array | Float64Array | BigInt64Array): Column => {
    return { kind: "fixed", type: types[k]!, length: COMMIT, validity: null, values };
  };
  const texts = (k: number, make: (i: number) => string): Column => {
    const all = Array.from({ length: COMMIT }, (_, i) => make(i));
    const offsets = new Int32Array(COMMIT + 1);
    all.forEach((s, i) => {
      offsets[i + 1] = offsets[i]! + s.length;
    });
    return {
      kind: "utf8",
      type: types[k]!,
      length: COMMIT,
      validity: null,
      offsets,
      data: Buffer.from(all.join("")),
    };
  };
  for (let from = 0; from < EVENTS; from += COMMIT) {
    const part = <T extends Int32Array | Float64Array>(values: T): T =>
      values.slice(from, from + COMMIT) as T;
    const wide = (make: (i: number) => number): BigInt64Array =>
      BigInt64Array.from({ length: COMMIT }, (_, i) => BigInt(make(from + i)));
    const columns = [
      fixed(
        0,
        wide((i) => i + 1),
      ),
      fixed(
        1,
        Int32Array.from({ length: COMMIT }, () => random.below(1_000_000)),
      ),
      fixed(2, part(loaded.kind)),
      fixed(3, part(loaded.region)),
      fixed(4, part(loaded.amount)),
      fixed(
        5,
        wide((i) => 1.7e15 + 250 * i + random.below(200)),
      ),
      texts(6, () => `/shop/item/${random.below(5000)}`),
      texts(7, () =>
        random
          .below(2 ** 31)
          .toString(16)
          .padStart(8, "0"),
      ),
    ];
    const batch: Batch = { schema, length: COMMIT, columns, weights: null };
    for (let wait = log.room(200_000); wait !== null; wait = log.room(200_000)) await wait;
    const draft = log.begin();
    draft.appendBatch(topicId, batch);
    await draft.commit().durable;
  }
  return loaded;
}

async function sealed(log: Log): Promise<{ megabytes: number; pauseMs: number; size: number }> {
  const longest = watchTurns();
  const started = performance.now();
  log.startSealing();
  await log.sealed();
  const pauseMs = longest();
  const seconds = (performance.now() - started) / 1000;
  const { originalBytes, bytes, failure } = log.stats().sealing;
  if (failure !== null) throw new Error(failure);
  return { megabytes: originalBytes / 1e6 / seconds, pauseMs, size: bytes / originalBytes };
}

async function built(db: Db, expected: Float64Array): Promise<number> {
  const result = await perSecond(async () => {
    const { error } = await db.engine.sql(
      "CREATE MATERIALIZED VIEW built AS SELECT region, sum(amount) AS total, count(*) AS n FROM events WHERE kind = 3 GROUP BY region",
    );
    if (error !== undefined) throw new Error(error.message);
    await db.engine.built();
  });
  const { results } = await db.engine.sql("SELECT region, n FROM built");
  for (const row of results[0]?.rowsJson ?? []) {
    const [region, n] = JSON.parse(row) as [number, number];
    if (expected[REGIONS + region] !== n) throw new Error("the view has other rows than it should");
  }
  await db.engine.sql("DROP MATERIALIZED VIEW built");
  return result;
}

async function scanned(db: Db, columns: ReadonlySet<number> | null): Promise<number> {
  const { id } = db.engine.core.catalog.topic("events");
  let rows = 0;
  const result = await perSecond(async () => {
    const groups: AsyncIterable<Group> = db.engine.core.log.read({
      from: 1,
      topics: new Set([id]),
      columns: () => columns,
    });
    for await (const { batches } of groups) for (const { batch } of batches) rows += batch.length;
  });
  if (rows !== EVENTS) throw new Error(`${rows} rows were scanned`);
  return result;
}

/** Sums, then counts, by region. */
function bareLoop({ kind, region, amount }: Loaded): Float64Array {
  const groups = new Float64Array(2 * REGIONS);
  for (let i = 0; i < EVENTS; i++) {
    if (kind[i] !== 3) continue;
    const at = region[i] as number;
    groups[at]! += amount[i] as number;
    groups[REGIONS + at]! += 1;
  }
  return groups;
}

function same(a: Float64Array, b: Float64Array): void {
  if (a.some((value, i) => value !== b[i])) throw new Error("the bare loop is not what it was");
}

async function perSecond(run: () => Promise<void> | void): Promise<number> {
  const started = performance.now();
  await run();
  return (EVENTS * 1000) / (performance.now() - started);
}

await present(measure);
