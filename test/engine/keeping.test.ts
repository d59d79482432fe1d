/** Retention and compaction as a program sees them: what goes, what views answer before and after, and who may object. */
import { afterEach, describe, expect, test } from "vitest";
import type { SqlResponse, TopicRecord } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import type { AnyTopic, AnyView } from "../../src/face/handles.ts";
import { count, int4, table, text, timestamptz, topic, view } from "../../src/face/index.ts";
import { backupLog } from "../../src/log/backup.ts";
import { checkLog } from "../../src/log/check.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { told } from "./support/memory.ts";

const DAY_US = 86_400_000_000;
const clock = new SimulatedClock();
let disk = new SimulatedDisk();
let db: Database | null = null;

afterEach(close);

async function close(): Promise<void> {
  const last = db;
  db = null;
  await last?.close();
}

async function start(topics: readonly AnyTopic[] = [], views: readonly AnyView[] = []): Promise<Database> {
  await close();
  db = await openEngine({
    directory: "/data",
    disk,
    clock,
    topics,
    views,
    segmentBytes: 64 * 1024,
    checkpointIntervalMs: 0,
  });
  await db.built();
  return db;
}

function fresh(topics?: readonly AnyTopic[], views?: readonly AnyView[]): Promise<Database> {
  disk = new SimulatedDisk();
  return start(topics, views);
}

/** What is asked is asked with all that has been acknowledged. */
async function run(sql: string): Promise<unknown[][]> {
  await told(db!);
  const { results, error }: SqlResponse = await db!.sql(sql);
  if (error !== undefined) throw Object.assign(new Error(error.message), error);
  return (results.at(-1)?.rowsJson ?? []).map((row) => JSON.parse(row) as unknown[]);
}

/** Rows of about a kilobyte, so that a few dozen fill a segment. */
const pad = "p".repeat(900);

async function tail(name: string, from?: number | "earliest"): Promise<TopicRecord[]> {
  const records: TopicRecord[] = [];
  for await (const record of db!.readTopic(name, { from })) records.push(record);
  return records;
}

async function noCheckpoint(): Promise<void> {
  await close();
  await disk.removeTree("/data/checkpoint");
}

describe("a compacted table", () => {
  for (let seed = 1; seed <= 4; seed++) {
    test(`has the same rows, and its views the same answers, however it is opened (seed ${seed})`, async () => {
      await fresh();
      const random = new SeededRandom(seed);
      await run(`CREATE TABLE accounts (id int PRIMARY KEY, region text, note text)
                 WITH (compact, tombstones_for = '0 s')`);
      await run("CREATE TABLE regions (name text PRIMARY KEY, title text)");
      await run("INSERT INTO regions VALUES ('a', 'A'), ('b', 'B')");
      await run(`CREATE MATERIALIZED VIEW per_region AS
                 SELECT r.title, count(*) AS n, min(a.id) AS first FROM accounts a JOIN regions r ON r.name = a.region GROUP BY r.title`);
      const rows = new Map<number, unknown[]>();
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 200; i++) {
          const id = random.below(30);
          if (random.oneIn(4)) {
            rows.delete(id);
            await db!.deleteKey("accounts", id);
          } else {
            const row = [id, random.oneIn(2) ? "a" : "b", `${pad} ${i}`];
            rows.set(id, row);
            await db!.append("accounts", [{ id: row[0], region: row[1], note: row[2] }]);
          }
        }
        const answers = async (): Promise<unknown> => [
          await run("SELECT * FROM accounts ORDER BY id"),
          await run("SELECT * FROM per_region ORDER BY title"),
        ];
        const before = await answers();
        expect((before as unknown[][])[0]).toEqual(
          [...rows.values()].sort((a, b) => Number(a[0]) - Number(b[0])),
        );
        await db!.compact();
        const left = await tail("accounts");
        // One for each key, and what is not sealed yet.
        expect(left.length).toBeLessThan(150);
        expect(left.map(({ offset }) => offset)).toEqual(
          left.map(({ offset }) => offset).sort((a, b) => a - b),
        );
        expect(await answers()).toEqual(before);
        await start();
        expect(await answers()).toEqual(before);
        await noCheckpoint();
        expect((await checkLog("/data", disk)).damages).toEqual([]);
        await start();
        expect(await answers()).toEqual(before);
        expect(await tail("accounts")).toEqual(left);
      }
    });
  }

  test("a start from a checkpoint meets every delete behind it", async () => {
    await fresh();
    await run("CREATE TABLE t (id int PRIMARY KEY, note text) WITH (tombstones_for = '0 s')");
    await run(`INSERT INTO t VALUES (1, '${pad}'), (2, '${pad}')`);
    await db!.checkpoint();
    await run("DELETE FROM t WHERE id = 1");
    for (let i = 0; i < 200; i++) await db!.append("t", [{ id: 3, note: `${pad}${i}` }]);
    await db!.core.log.sealed();
    clock.advance(1);
    // By the checkpoint there is, which has not met the delete.
    await db!.core.log.compact();
    const crashed = disk.reboot("process");
    await db!.close().catch(() => {}); // its machine is down
    disk = crashed;
    db = null;
    await start();
    expect(await run("SELECT id FROM t ORDER BY id")).toEqual([[2], [3]]);
  });

  test("is left alone while a view asks for its rows as they were, and says which", async () => {
    const prices = table("prices", { key: "id", schema: { id: int4, price: int4, note: text } });
    const orders = topic("orders", { schema: { product: int4 } });
    const sold = view("sold", orders.asOfJoin(prices, "product"));
    await fresh([prices, orders], [sold]);
    await expect(run("ALTER TABLE prices SET (compact)")).rejects.toMatchObject({
      code: "dependent_objects",
      message: 'views depend on the history of "prices": "sold"',
      detail: "They ask for its rows as they were.",
    });
    await run("ALTER TABLE prices SET (compact, despite_views)");
    expect(db!.topic("prices")).toMatchObject({
      keeping: { tombstonesForUs: DAY_US, despiteViews: true },
      heldBackBy: [],
    });
    await run("ALTER TABLE prices RESET (compact, despite_views)");
    await db!.dropView("sold");
    await run("ALTER TABLE prices SET (compact)");
    expect(db!.topic("prices").keeping).toEqual({ tombstonesForUs: DAY_US });
  });
});

describe("retention of a stream", () => {
  async function filled(): Promise<void> {
    await fresh();
    await run("CREATE TABLE events (kind text, at timestamptz, note text) WITH (append_only)");
    for (let day = 0; day < 4; day++) {
      for (let i = 0; i < 100; i++) {
        const at = new Date(clock.wallUs() / 1000).toISOString();
        await db!.append("events", [{ kind: i % 2 === 0 ? "a" : "b", at, note: `${pad}${day}` }]);
      }
      clock.advance(DAY_US);
    }
  }

  test("its oldest records go; whoever asks for them is told where it begins", async () => {
    await filled();
    await run("ALTER TABLE events SET (retain_for = '2 days 12 hours')");
    await db!.compact();
    const { start: first, records, rows } = db!.topic("events");
    expect(first).toBeGreaterThan(100);
    expect(first).toBeLessThanOrEqual(200);
    expect(rows).toBe(records - first);
    const left = await tail("events", "earliest");
    expect(left[0]!.offset).toBe(first);
    expect(left).toHaveLength(rows);
    await expect(tail("events", first - 1)).rejects.toMatchObject({
      code: "records_gone",
      status: 410,
      message: `"events" begins at offset ${first}`,
    });
    expect(await tail("events", first)).toEqual(left);
    await start();
    expect(db!.topic("events")).toMatchObject({ start: first, keeping: { retainForUs: 2.5 * DAY_US } });
    expect(await run("SELECT count(*) FROM events")).toEqual([[rows]]);
  });

  test("a reader that falls behind it is told, too", async () => {
    await filled();
    const reader = db!.readTopic("events", { from: 0, follow: true })[Symbol.asyncIterator]();
    expect((await reader.next()).value).toMatchObject({ offset: 0 });
    await run("ALTER TABLE events SET (retain_bytes = '1 B')");
    await db!.compact();
    const read = async (): Promise<void> => {
      for (;;) await reader.next();
    };
    await expect(read()).rejects.toMatchObject({ code: "records_gone" });
  });

  test("a view that depends on all of it forbids it, by name, unless it is said that it may", async () => {
    await filled();
    await run("CREATE MATERIALIZED VIEW per_kind AS SELECT kind, count(*) AS n FROM events GROUP BY kind");
    const before = await run("SELECT * FROM per_kind ORDER BY kind");
    await expect(run("ALTER TABLE events SET (retain_for = '1 day')")).rejects.toMatchObject({
      code: "dependent_objects",
      message: 'views depend on the history of "events": "per_kind"',
    });
    expect(db!.topic("events").keeping).toBeNull();
    await run("ALTER TABLE events SET (retain_for = '1 day', despite_views)");
    await db!.compact();
    expect(db!.topic("events").start).toBeGreaterThan(0);
    // It goes on as it is …
    expect(await run("SELECT * FROM per_kind ORDER BY kind")).toEqual(before);
    await start();
    expect(await run("SELECT * FROM per_kind ORDER BY kind")).toEqual(before);
    // … until it is made anew.
    await noCheckpoint();
    await start();
    const { rows } = db!.topic("events");
    expect(await run("SELECT sum(n)::int FROM per_kind")).toEqual([[rows]]);
  });

  test("a view made later holds back what might go, and can be seen to", async () => {
    await filled();
    await run("ALTER TABLE events SET (retain_for = '1 day')");
    await run("CREATE MATERIALIZED VIEW per_kind AS SELECT kind, count(*) AS n FROM events GROUP BY kind");
    await db!.compact();
    expect(db!.topic("events")).toMatchObject({ start: 0, heldBackBy: ["per_kind"] });
    await run("DROP MATERIALIZED VIEW per_kind");
    await db!.compact();
    expect(db!.topic("events").heldBackBy).toEqual([]);
    expect(db!.topic("events").start).toBeGreaterThan(0);
  });

  test("a view that is bounded by now() depends on what it can still show", async () => {
    await filled();
    await run(`CREATE MATERIALIZED VIEW recent AS
               SELECT kind, count(*) AS n FROM events WHERE at > now() - interval '2 days 12 hours' GROUP BY kind`);
    await run("ALTER TABLE events SET (retain_bytes = 1)");
    const before = await run("SELECT * FROM recent ORDER BY kind");
    await db!.compact();
    const { start: first } = db!.topic("events");
    // Records of the last two days and a half stay for it, though they are too many.
    expect(first).toBeGreaterThan(100);
    expect(first).toBeLessThanOrEqual(200);
    expect(db!.topic("events").heldBackBy).toEqual(["recent"]);
    expect(await run("SELECT * FROM recent ORDER BY kind")).toEqual(before);
    await noCheckpoint();
    await start();
    expect(await run("SELECT * FROM recent ORDER BY kind")).toEqual(before);
  });

  test("RESET takes it back", async () => {
    await filled();
    await run("ALTER TABLE events SET (retain_for = '1 day', retain_bytes = '10 GB')");
    expect(db!.topic("events").keeping).toEqual({ retainForUs: DAY_US, retainBytes: 10 * 2 ** 30 });
    await run("ALTER TABLE events RESET (retain_for)");
    expect(db!.topic("events").keeping).toEqual({ retainBytes: 10 * 2 ** 30 });
    await run("ALTER TABLE events RESET (retain_bytes)");
    expect(db!.topic("events").keeping).toBeNull();
    await db!.compact();
    expect(db!.topic("events").start).toBe(0);
    await run("ALTER TABLE IF EXISTS nowhere SET (retain_for = '1 day')");
  });
});

describe("refused", () => {
  const cases: [string, string, string][] = [
    [
      "CREATE TABLE t (id int PRIMARY KEY) WITH (retain_for = '1 day')",
      "invalid_table_definition",
      "a table's rows do not go by age or size",
    ],
    [
      "CREATE TABLE t (id int) WITH (append_only, compact)",
      "invalid_table_definition",
      "a stream has no key to be compacted by",
    ],
    [
      "CREATE TABLE t (id int) WITH (compact)",
      "invalid_table_definition",
      "a table without a key of its own is not compacted",
    ],
    [
      "CREATE TABLE t (id int) WITH (append_only, retain_for = 'soon')",
      "invalid_argument",
      'retain_for is no length of time: "soon"',
    ],
    [
      "CREATE TABLE t (id int) WITH (append_only, retain_for = '-1 day')",
      "invalid_argument",
      'retain_for is no length of time: "-1 day"',
    ],
    [
      "CREATE TABLE t (id int) WITH (append_only, retain_bytes = '1 XB')",
      "invalid_argument",
      'retain_bytes is no number of bytes: "1 XB"',
    ],
    [
      "CREATE TABLE t (id int) WITH (fillfactor = 70)",
      "invalid_argument",
      'unrecognized parameter "fillfactor"',
    ],
    ["ALTER TABLE nowhere SET (compact)", "undefined_table", 'topic "nowhere" does not exist'],
  ];
  for (const [sql, code, message] of cases) {
    test(sql, async () => {
      await fresh();
      await expect(run(sql)).rejects.toMatchObject({ code, message });
    });
  }
});

test("a program declares it, and what it declares holds", async () => {
  const columns = { song: int4, at: timestamptz };
  const plays = topic("plays", { schema: columns, retainFor: "7 days", retainBytes: "1 MB" });
  const songs = table("songs", {
    key: "id",
    schema: { id: int4, name: text },
    compact: { tombstonesFor: "2 days" },
  });
  await fresh([plays, songs]);
  expect(db!.topic("plays").keeping).toEqual({ retainForUs: 7 * DAY_US, retainBytes: 2 ** 20 });
  expect(db!.topic("songs").keeping).toEqual({ tombstonesForUs: 2 * DAY_US });
  await start([topic("plays", { schema: columns }), songs]);
  expect(db!.topic("plays").keeping).toBeNull();
  expect(db!.topic("songs").keeping).toEqual({ tombstonesForUs: 2 * DAY_US });
  const perSong = view("per_song", topic("plays", { schema: columns }).groupBy("song", { n: count() }));
  await start([topic("plays", { schema: columns }), songs], [perSong]);
  await expect(start([plays, songs], [perSong])).rejects.toMatchObject({ code: "dependent_objects" });
  db = null;
});

test("of a dropped table nothing stays", async () => {
  await fresh();
  const secret = `unmistakable ${"s".repeat(40)}`;
  await run("CREATE TABLE kept (id int PRIMARY KEY, note text)");
  await run("CREATE TABLE gone (id int PRIMARY KEY, note text)");
  for (let i = 0; i < 150; i++) {
    await db!.append("gone", [{ id: i, note: `${secret} ${i} ${pad}` }]);
    await db!.append("kept", [{ id: i, note: `${i} ${pad}` }]);
  }
  const before = await run("SELECT id FROM kept ORDER BY id");
  await run("DROP TABLE gone");
  const { logBytes } = db!.stats();
  await db!.compact();
  expect(db!.stats().removedRecords).toBeGreaterThan(100);
  expect(db!.stats().logBytes).toBeLessThan(logBytes);
  await start();
  expect(await run("SELECT id FROM kept ORDER BY id")).toEqual(before);
  await noCheckpoint();
  await start();
  expect(await run("SELECT id FROM kept ORDER BY id")).toEqual(before);
});

test("a backup of what is left restores to any position from then on, with the same offsets; before it, it says from where on", async () => {
  await fresh();
  await run("CREATE TABLE t (id int PRIMARY KEY, note text) WITH (compact)");
  const put = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) await db!.append("t", [{ id: i % 5, note: `${pad}${i}` }]);
  };
  await put(200);
  const early = Number(db!.position);
  await db!.compact();
  await put(20);
  await db!.settled();
  const later = Number(db!.position);
  const records = await tail("t");
  const rows = await run("SELECT * FROM t ORDER BY id");
  await put(10);
  await backupLog({ source: db!.backupSource, directory: "/backup", disk, now: 0 });
  await close();

  const restore = (directory: string, position: number) =>
    restoreBackup({ backup: "/backup", directory, disk, to: { position } });
  await expect(restore("/early", early - 100)).rejects.toMatchObject({ code: "records_gone" });
  await restore("/later", later);
  expect((await checkLog("/later", disk)).damages).toEqual([]);
  db = await openEngine({ directory: "/later", disk, clock, checkpointIntervalMs: 0 });
  expect(await run("SELECT * FROM t ORDER BY id")).toEqual(rows);
  expect(await tail("t")).toEqual(records);
  expect(db.position).toBe(String(later));
});

test("a table and a stream whose columns have been changed: what stays is as it was, in all their schemas", async () => {
  await fresh();
  await run("CREATE TABLE t (id int PRIMARY KEY, a int, note text) WITH (tombstones_for = '0 s')");
  await run("CREATE TABLE s (n int, note text) WITH (append_only)");
  await run("CREATE MATERIALIZED VIEW late AS SELECT count(*) AS c, sum(n) AS n FROM s WHERE n >= 200");
  const put = async (from: number, more: (i: number) => object): Promise<void> => {
    for (let i = from; i < from + 100; i++) {
      await db!.append("t", [{ id: i % 7, note: `${pad}${i}`, ...more(i) }]);
      await db!.append("s", [{ n: i, note: pad }]);
    }
  };
  await put(0, (i) => ({ a: i }));
  await run("DELETE FROM t WHERE id = 3");
  await run("ALTER TABLE t ADD COLUMN b text DEFAULT 'none'");
  await run("ALTER TABLE s ADD COLUMN extra int");
  await put(100, (i) => ({ a: i, b: `b${i}` }));
  await run("ALTER TABLE t DROP COLUMN a");
  await put(200, (i) => ({ b: `b${i}` }));
  await run("ALTER TABLE s SET (retain_bytes = 1)");
  clock.advance(1);
  const answers = async (): Promise<unknown> => [
    await run("SELECT * FROM t ORDER BY id"),
    await run("SELECT * FROM late"),
  ];
  const before = await answers();
  const all = await tail("s");
  await db!.compact();
  expect((await tail("t")).length).toBeLessThan(110);
  const { start: first } = db!.topic("s");
  expect(first).toBeGreaterThan(50);
  expect(first).toBeLessThanOrEqual(200);
  expect(await tail("s", first)).toEqual(all.slice(first));
  expect(await answers()).toEqual(before);
  await db!.erase("t", 5);
  await noCheckpoint();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  await start();
  expect(await answers()).toEqual([
    (before as unknown[][][])[0]!.filter(([id]) => id !== 5),
    (before as unknown[])[1],
  ]);
});
