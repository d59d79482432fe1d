/**
 * Transactions that read a row and write it, each durable before it is answered: per second.
 *
 * A counter goes up by one. In Evert: `db.transact`, which reads the row, appends it, and runs again where another came first. In SQLite (node:sqlite, WAL, synchronous=FULL): BEGIN
 * IMMEDIATE, SELECT, UPDATE, COMMIT, one after the other, since a process has one writer. In PostgreSQL (fsync and synchronous_commit on, over loopback):
 * `UPDATE … SET n = n + 1`, a transaction of its own, in as many sessions as there are workers, at most 64.
 *
 * - "one row, one worker": what a transaction waits for.
 * - "one row, 256 workers": all want the same row. A database that holds its lock until the commit is on the disk makes one a sync.
 * - "a row each, 256 workers".
 *
 * At the end each counter must be what was counted.
 *
 *   node --conditions=evert-source bench/transactions.ts
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Db, int4, open, table } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { peerOrAbsent } from "./peers/peer.ts";
import { openPostgres, type Postgres } from "./peers/postgres.ts";
import { type Measured, median, present, rounds } from "./report.ts";

const ROUNDS = 3;
const TURN_MS = 500;
const KEYS = 256;
const SESSIONS_MAX = 64;

const counters = table("counters", { key: "id", schema: { id: int4, n: int4 } });

const CASES = [
  { name: "one row, one worker", workers: 1, keys: 1 },
  { name: "one row, 256 workers", workers: 256, keys: 1 },
  { name: "a row each, 256 workers", workers: 256, keys: KEYS },
] as const;

interface Contender {
  /** Counts up with so many workers on so many rows until the time is over; how often. */
  count(workers: number, keys: number): Promise<number>;
  /** The sum of all counters. */
  total(): Promise<number>;
}

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir: join(dir, "db"), topics: [counters], checkpointIntervalMs: 0 });
    const sqlite = openSqlite(join(dir, "counters.sqlite"));
    const { peer: postgres, absent } = await peerOrAbsent("PostgreSQL", "transactions/s", () =>
      openPostgres({ durable: true }),
    );
    const contenders: Record<string, Contender> = { evert: evert(db), sqlite };
    if (postgres !== null) contenders["postgres"] = await ofPostgres(postgres);
    const counted: Record<string, number> = {};
    const measured: Measured[] = [];
    for (const { name, workers, keys } of CASES) {
      const rates = await rounds(
        ROUNDS,
        Object.fromEntries(
          Object.entries(contenders).map(([who, contender]) => [
            who,
            async () => {
              const began = performance.now();
              const count = await contender.count(workers, keys);
              counted[who] = (counted[who] ?? 0) + count;
              return (count * 1000) / (performance.now() - began);
            },
          ]),
        ),
      );
      for (const [who, peer] of [
        ["sqlite", "SQLite"],
        ["postgres", "PostgreSQL"],
      ] as const) {
        const theirs = rates[who];
        if (theirs === undefined) continue;
        const ours = rates["evert"]!;
        measured.push({
          name,
          unit: "transactions/s",
          value: median(ours),
          peer,
          peerValue: median(theirs),
          ratio: median(ours.map((rate, i) => rate / theirs[i]!)),
        });
      }
    }
    for (const [who, contender] of Object.entries(contenders))
      if ((await contender.total()) !== counted[who]) throw new Error(`${who} has counted something else`);
    sqlite.close();
    await postgres?.close();
    return [...measured, ...absent];
  });
}

/** Each worker counts until the time is over. */
async function until(workers: number, one: (worker: number) => Promise<void>): Promise<number> {
  const end = performance.now() + TURN_MS;
  let count = 0;
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      while (performance.now() < end) {
        await one(worker);
        count++;
      }
    }),
  );
  return count;
}

function evert(db: Db): Contender {
  return {
    count: (workers, keys) =>
      until(workers, async (worker) => {
        await db.transact(async (transaction) => {
          const id = worker % keys;
          const row = await transaction.get(counters, id);
          transaction.append(counters, { id, n: (row?.n ?? 0) + 1 });
        });
      }),
    total: async () => {
      const { results } = await db.engine.sql("SELECT sum(n) FROM counters");
      return Number((await results[0]!.rowsText())[0]![0]);
    },
  };
}

function openSqlite(path: string): Contender & { close(): void } {
  const database = new DatabaseSync(path);
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
  );
  for (let id = 0; id < KEYS; id++) database.exec(`INSERT INTO counters VALUES (${id}, 0)`);
  const begin = database.prepare("BEGIN IMMEDIATE");
  const read = database.prepare("SELECT n FROM counters WHERE id = ?");
  const write = database.prepare("UPDATE counters SET n = ? WHERE id = ?");
  const commit = database.prepare("COMMIT");
  return {
    count: async (_, keys) => {
      const end = performance.now() + TURN_MS;
      let count = 0;
      for (; performance.now() < end; count++) {
        const id = count % keys;
        begin.run();
        const { n } = read.get(id) as { n: number };
        write.run(n + 1, id);
        commit.run();
      }
      return count;
    },
    total: async () => (database.prepare("SELECT sum(n) AS n FROM counters").get() as { n: number }).n,
    close: () => database.close(),
  };
}

async function ofPostgres(postgres: Postgres): Promise<Contender> {
  await postgres.run(
    `CREATE TABLE counters (id int4 PRIMARY KEY, n int4 NOT NULL); INSERT INTO counters SELECT id, 0 FROM generate_series(0, ${KEYS - 1}) AS id`,
  );
  const sessions = await Promise.all(Array.from({ length: SESSIONS_MAX }, () => postgres.session()));
  return {
    count: (workers, keys) =>
      until(Math.min(workers, SESSIONS_MAX), (worker) =>
        sessions[worker]!.run(`UPDATE counters SET n = n + 1 WHERE id = ${worker % keys}`),
      ),
    total: async () => {
      for (const session of sessions) await session.close();
      return Number((await postgres.rows("SELECT sum(n) FROM counters"))[0]![0]);
    },
  };
}

await present(measure);
