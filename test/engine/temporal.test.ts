/**
 * Views that compare times with now(). At every position, and at every tick between the commits, each holds what PostgreSQL answers when now() is
 * replaced by the log's time.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Ticker } from "../../src/engine/ticker.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { seed } from "../support/seed.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";
import { difference, maintained } from "./support/views.ts";

const MINUTE = 60_000_000;

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

const tables = [
  "CREATE TABLE s (k int, ts timestamptz, until timestamptz)",
  "CREATE TABLE t (k int PRIMARY KEY, ts timestamptz, name text)",
];

const views: Readonly<Record<string, string>> = {
  last_hour: "SELECT k, ts FROM s WHERE ts > now() - interval '1 hour'",
  last_hour_too: "SELECT k, ts FROM s WHERE ts >= now() - interval '1 hour'",
  older: "SELECT k FROM s WHERE ts < now() - interval '30 minutes'",
  older_too: "SELECT k FROM s WHERE now() - interval '10 minutes' - interval '20 minutes' >= ts",
  counts:
    "SELECT k, count(*) AS n, max(ts) AS last FROM s WHERE ts > now() - interval '20 minutes' GROUP BY k",
  total: "SELECT count(*) FROM s WHERE ts BETWEEN now() - interval '1 hour' AND now()",
  valid: "SELECT k, until FROM s WHERE ts <= now() AND now() < until AND k > 1",
  table_rows: "SELECT k, name FROM t WHERE ts > CURRENT_TIMESTAMP - interval '15 minutes'",
  joined:
    "SELECT s.k, t.name FROM s JOIN t USING (k) WHERE s.ts > now() - interval '1 hour' AND t.ts <= now() + interval '5 minutes'",
  unmatched:
    "SELECT s.k, t.name FROM s LEFT JOIN t USING (k) WHERE s.ts + interval '1 day' > now() + interval '23 hours'",
  local: "SELECT k, name FROM t WHERE ts::timestamp > LOCALTIMESTAMP - interval '15 minutes'",
  today: "SELECT k, ts FROM s WHERE ts >= CURRENT_DATE",
  todays: "SELECT k FROM s WHERE ts::date = CURRENT_DATE AND until > CURRENT_DATE",
  days: "SELECT k, ts FROM s WHERE ts::date >= CURRENT_DATE - 1 AND CURRENT_DATE + 1 > until::date",
  before: "SELECT k, ts FROM s WHERE ts <= CURRENT_DATE",
  tomorrow: "SELECT k, until FROM s WHERE until::timestamp < CURRENT_DATE AND CURRENT_DATE - 3 <= ts::date",
  over: "SELECT n, count(*) AS groups FROM counts WHERE last > now() - interval '10 minutes' GROUP BY n",
  keyed_until: "SELECT k, ts, name FROM t WHERE ts >= now() - interval '15 minutes'",
  below: `SELECT n, moved FROM (SELECT s.k + 1 AS n, s.ts - interval '0' AS moved, t.name FROM s JOIN t USING (k)) x
    WHERE moved > now() - interval '30 minutes'`,
  by_time:
    "SELECT ts, n FROM (SELECT ts, count(*) AS n FROM s GROUP BY ts) x WHERE ts > now() - interval '20 minutes'",
  inside:
    "SELECT k FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.k = t.k AND s.ts > now() - interval '5 minutes')",
};

function literal(us: number): string {
  return `'${new Date(us / 1000).toISOString().slice(0, 19)}.${String(us % 1e6).padStart(6, "0")}Z'::timestamptz`;
}

/** A history in which time passes; `check` is called after every commit and every tick. */
async function history(
  open: (clock: SimulatedClock) => Promise<void>,
  step: (clock: SimulatedClock, statement: string) => Promise<void>,
): Promise<void> {
  const random = new SeededRandom(seed);
  const clock = new SimulatedClock();
  await open(clock);
  for (let i = 0; i < 40; i++) {
    // Midnight is passed now and then.
    clock.advance((i % 6 === 5 ? 500 : random.below(12)) * MINUTE + random.below(3));
    const days = () => (random.below(4) - 2) * (random.below(3) === 0 ? 24 * 60 : 0);
    const moment = () => literal(clock.wallUs() + (random.below(80) - 60 + days()) * MINUTE);
    const k = random.below(5);
    const statement = [
      () =>
        `INSERT INTO s VALUES (${k}, ${moment()}, ${moment()}), (${k}, NULL, ${moment()}), (${k + 1}, ${moment()}, 'infinity')`,
      () =>
        `INSERT INTO t VALUES (${k}, ${moment()}, 'n${random.below(3)}') ON CONFLICT (k) DO UPDATE SET ts = excluded.ts, name = excluded.name`,
      () => `DELETE FROM t WHERE k = ${k}`,
      () => `UPDATE t SET ts = ${moment()} WHERE k <> ${k}`,
      () => "",
      () => "",
    ][random.below(6)]!();
    await step(clock, statement);
  }
}

describe.each(["a table of rows", "a stream"])("over %s", (kind) => {
  const append = kind === "a stream" ? " WITH (append_only)" : "";

  it("each view holds what PostgreSQL answers at the log's time, after every commit and every tick", async () => {
    await postgres.reset();
    for (const table of tables) await postgres.define(table);
    let disk = new SimulatedDisk();
    let clock = new SimulatedClock();
    let db = await openInMemory(disk, { clock });
    await db.close();
    let steps = 0;
    await history(
      async (given) => {
        clock = given;
        db = await openInMemory(disk, { clock });
        await sql(db, tables.map((t, i) => (i === 0 ? t + append : t)).join(";"));
        for (const [name, text] of Object.entries(views).slice(0, 6))
          await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
      },
      async (_, statement) => {
        if (statement === "") await db.core.ticker.wake();
        else {
          await postgres.define(statement);
          await sql(db, statement);
        }
        if (++steps === 15) {
          for (const [name, text] of Object.entries(views).slice(6))
            await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
        }
        if (steps % 13 === 0) {
          if (steps % 2 === 0) await db.checkpoint();
          await db.close();
          disk = disk.reboot("process");
          db = await openInMemory(disk, { clock });
        }
        await db.built();
        await db.settled();
        for (const [name, text] of Object.entries(views)) {
          if (steps < 15 && Object.keys(views).indexOf(name) >= 6) continue;
          const inlined = text.replace("FROM counts", `FROM (${views["counts"]}) counts`);
          const now = literal(db.core.stepper.timeUs);
          const asked = inlined
            .replace(/now\(\)|CURRENT_TIMESTAMP/g, now)
            .replace(/LOCALTIMESTAMP/g, `(${now} AT TIME ZONE 'UTC')`)
            .replace(/CURRENT_DATE/g, `(${now} AT TIME ZONE 'UTC')::date`);
          const theirs = await postgres.query(asked);
          expect(theirs.refused).toBeNull();
          const ours = await maintained(db, name);
          if ("sqlstate" in ours) throw new Error(`${name} fails with ${ours.sqlstate}`);
          const wrong = difference(ours, theirs.rows);
          if (wrong !== null)
            throw new Error(`step ${steps}, ${statement || "tick"}: ${name}: ${wrong}\n${asked}`);
        }
      },
    );
    await db.close();
  });
});

describe("ticks", () => {
  it("come when a row is due, at most one a second, and none when nothing is", async () => {
    const clock = new SimulatedClock();
    const db = await openInMemory(new SimulatedDisk(), { clock });
    await sql(db, "CREATE TABLE s (ts timestamptz) WITH (append_only)");
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT ts FROM s WHERE ts > now() - interval '10 seconds'");
    const at = (ms: number) => new Date(clock.wallUs() / 1000 + ms).toISOString();
    await sql(db, `INSERT INTO s VALUES ('${at(0)}'), ('${at(100)}'), ('${at(200)}'), ('infinity')`);
    await db.settled();
    const before = Number(db.position);
    await db.core.ticker.wake();
    expect(Number(db.position)).toBe(before);
    clock.advance(10_000_000);
    await db.core.ticker.wake();
    await db.settled();
    expect(Number(db.position)).toBe(before + 1);
    expect(await rowsOf(db, "SELECT count(*) FROM v")).toEqual([["3"]]);
    clock.advance(300_000);
    await db.core.ticker.wake();
    await db.settled();
    expect(Number(db.position), "a second tick within the second").toBe(before + 1);
    clock.advance(700_000);
    await db.core.ticker.wake();
    await db.settled();
    expect(Number(db.position)).toBe(before + 2);
    expect(await rowsOf(db, "SELECT ts FROM v")).toEqual([["infinity"]]);
    clock.advance(1e12);
    await db.core.ticker.wake();
    expect(Number(db.position)).toBe(before + 2);
    await db.close();
  });

  it("are not held against a stream's memory: what is over is forgotten", async () => {
    const clock = new SimulatedClock();
    const db = await openInMemory(new SimulatedDisk(), { clock });
    await sql(db, "CREATE TABLE s (n int, ts timestamptz) WITH (append_only)");
    await sql(
      db,
      "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM s WHERE ts > now() - interval '1 minute'",
    );
    const sizes: number[] = [];
    for (let i = 0; i < 30; i++) {
      clock.advance(MINUTE);
      const ts = new Date(clock.wallUs() / 1000).toISOString();
      await db.append(
        "s",
        Array.from({ length: 500 }, (_, n) => ({ n, ts })),
      );
      await db.settled();
      sizes.push(db.core.circuit.stores().reduce((sum, { store }) => sum + store.live, 0));
    }
    expect(await rowsOf(db, "SELECT n FROM v")).toEqual([["500"]]);
    expect(Math.max(...sizes.slice(5))).toBeLessThan(1100);
    await db.close();
  });
});

describe("what now() is not asked for in a view", () => {
  it.each([
    ["SELECT now() FROM s", "now() in a view"],
    ["SELECT k FROM s WHERE ts = now()", "now() other than compared with a time"],
    ["SELECT k FROM s WHERE ts > now() OR k = 1", "now() other than compared with a time"],
    ["SELECT k FROM s WHERE ts > now() - interval '1 month'", "now() other than compared with a time"],
    ["SELECT k FROM s GROUP BY k HAVING max(ts) > now()", "now() in a materialized view"],
    ["SELECT k FROM s WHERE extract(hour FROM now()) = 3", "now() other than compared with a time"],
  ])("%s", async (text, message) => {
    const db = await openInMemory();
    await sql(db, tables[0]!);
    const { error } = await db.sql(`CREATE MATERIALIZED VIEW v AS ${text}`);
    expect(error).toMatchObject({ sqlstate: "0A000" });
    expect(error?.message.replace("materialized ", "")).toContain(message.replace("materialized ", ""));
    await db.close();
  });
});

describe("what a review found", () => {
  const at = (clock: SimulatedClock, hours: number): string => literal(clock.wallUs() + hours * 60 * MINUTE);
  const tick = async (db: Awaited<ReturnType<typeof openInMemory>>): Promise<void> => {
    await db.core.ticker.wake();
    await db.settled();
  };

  it("rows that are yet to come and rows that are over are told apart, though both look at the same column", async () => {
    const clock = new SimulatedClock();
    const db = await openInMemory(new SimulatedDisk(), { clock });
    await sql(db, "CREATE TABLE s (k int, ts timestamptz) WITH (append_only)");
    await sql(
      db,
      `CREATE MATERIALIZED VIEW v AS
         SELECT k, 'new' AS w, ts FROM s WHERE ts > now() UNION ALL SELECT k, 'old', ts FROM s WHERE ts <= now()`,
    );
    await sql(db, `INSERT INTO s VALUES (1, ${at(clock, -1)}), (2, ${at(clock, 1)})`);
    expect(await rowsOf(db, "SELECT k, w FROM v ORDER BY k")).toEqual([
      ["1", "old"],
      ["2", "new"],
    ]);
    clock.advance(120 * MINUTE);
    await tick(db);
    expect(await rowsOf(db, "SELECT k, w FROM v ORDER BY k")).toEqual([
      ["1", "old"],
      ["2", "old"],
    ]);
    await db.close();
  });

  it("a tick that was refused is tried again", async () => {
    let now = 0;
    let ticks = 0;
    const told: string[] = [];
    const ticker = new Ticker({
      nowUs: () => now,
      nextDue: () => 5,
      report: (message) => told.push(message),
      tick: () => {
        ticks++;
        return Promise.reject(new Error("the disk is full"));
      },
    });
    ticker.start();
    for (let i = 0; i < 3; i++) {
      now += 2_000_000;
      await ticker.wake();
    }
    ticker.stop();
    expect(ticks).toBe(3);
    expect(told).toEqual(["no tick could be appended: the disk is full"]);
  });

  it("a clock that was set ahead makes no ticks before the log's time has come", async () => {
    const clock = new SimulatedClock();
    const db = await openInMemory(new SimulatedDisk(), { clock });
    await sql(db, "CREATE TABLE s (k int, ts timestamptz) WITH (append_only)");
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k FROM s WHERE ts > now()");
    await sql(db, `INSERT INTO s VALUES (1, ${at(clock, 3)})`);
    await db.settled();
    const before = Number(db.position);
    clock.setWall(clock.wallUs() + 8 * 60 * MINUTE);
    for (let i = 0; i < 5; i++) {
      clock.advance(1_000_000);
      await tick(db);
    }
    expect(Number(db.position)).toBe(before);
    clock.advance(180 * MINUTE);
    await tick(db);
    expect(await rowsOf(db, "SELECT * FROM v")).toEqual([]);
    await db.close();
  });

  it("late rows leave nothing, however many come at once", async () => {
    const clock = new SimulatedClock();
    const db = await openInMemory(new SimulatedDisk(), { clock });
    await sql(db, "CREATE TABLE s (k int, ts timestamptz) WITH (append_only)");
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k FROM s WHERE ts > now()");
    const ts = new Date(clock.wallUs() / 1000 - 60_000).toISOString();
    await db.append(
      "s",
      Array.from({ length: 10_000 }, (_, k) => ({ k, ts })),
    );
    await db.settled();
    const kept = db.core.circuit.stores().filter(({ id }) => id.includes("until over"));
    expect(kept.length).toBe(1);
    expect(kept[0]?.store.live).toBe(0);
    await db.close();
  });

  it("a subquery beside now() is refused, and a view that a transaction has mended answers in it", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (k int, ts timestamptz)");
    const refused = await db.sql(
      "CREATE MATERIALIZED VIEW v AS SELECT k FROM s WHERE (SELECT max(ts) FROM s) > now()",
    );
    expect(refused.error).toMatchObject({ sqlstate: "0A000" });
    await sql(db, "CREATE TABLE t (k int PRIMARY KEY, d int)");
    await sql(db, "CREATE MATERIALIZED VIEW w AS SELECT k, 60 / d AS q FROM t");
    await sql(db, "INSERT INTO t VALUES (1, 0), (2, 2)");
    const { results, error } = await db.sql("BEGIN; DELETE FROM t WHERE d = 0; SELECT k FROM w; COMMIT");
    expect(error).toBeUndefined();
    expect(results[2]?.rowsText()).toEqual([["2"]]);
    await db.close();
  });

  it("at the ends of all times a row is shown for ever, or never, and no view fails", async () => {
    const clock = new SimulatedClock();
    const db = await openInMemory(new SimulatedDisk(), { clock });
    await sql(db, "CREATE TABLE s (k int, ts timestamptz) WITH (append_only)");
    const views = {
      lately: "ts > now() - interval '1 hour'",
      lately_too: "ts >= now() - interval '365000000 days'",
      before: "ts < now() - interval '1 hour'",
      long_before: "ts <= now() - interval '365000000 days'",
      soon: "ts < now() + interval '1 hour'",
      far_off: "ts > now() + interval '365000000 days'",
    };
    for (const [name, where] of Object.entries(views))
      await sql(db, `CREATE MATERIALIZED VIEW ${name} AS SELECT k FROM s WHERE ${where}`);
    await sql(
      db,
      `INSERT INTO s VALUES (1, '294247-01-10 04:00:54Z'), (2, '4713-01-01 00:00:00Z BC'), (3, 'infinity'), (4, '-infinity'), (5, ${at(clock, 0)})`,
    );
    clock.advance(MINUTE);
    await tick(db);
    const shown: Record<string, string> = {};
    for (const name of Object.keys(views))
      shown[name] = (await rowsOf(db, `SELECT k FROM ${name} ORDER BY k`)).flat().join("");
    expect(shown).toEqual({
      lately: "135",
      lately_too: "1235",
      before: "24",
      long_before: "4",
      soon: "245",
      far_off: "3",
    });
    await db.close();
  });

  it("a user's own arithmetic still fails where PostgreSQL's does", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (ts timestamptz) WITH (append_only)");
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT ts FROM s WHERE ts + interval '1 day' > now()");
    await sql(db, "INSERT INTO s VALUES ('294247-01-10 00:00:00Z')");
    await expect(rowsOf(db, "SELECT * FROM v")).rejects.toThrow("22008");
    await db.close();
  });

  it.each(["stream", "table"])(
    "a view of the last hour built over a long history of a %s keeps the last hour",
    async (kind) => {
      const clock = new SimulatedClock();
      const db = await openInMemory(new SimulatedDisk(), { clock });
      await sql(
        db,
        `CREATE TABLE s (n int, ts timestamptz) ${kind === "stream" ? "WITH (append_only)" : ""}`,
      );
      for (let day = 0; day < 20; day++) {
        const ts = new Date(clock.wallUs() / 1000).toISOString();
        const rows = Array.from({ length: 1000 }, (_, n) => `(${n}, '${ts}')`);
        await sql(db, `INSERT INTO s VALUES ${rows.join()}`);
        clock.advance(24 * 60 * MINUTE);
      }
      await sql(db, `INSERT INTO s VALUES (1, ${at(clock, 0)})`);
      await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT n FROM s WHERE ts > now() - interval '1 hour'");
      expect(await rowsOf(db, "SELECT n FROM v")).toEqual([["1"]]);
      const { operators } = db.view("v").info;
      const kept = operators?.filter((o) => o.role !== "source");
      expect(kept?.find((o) => o.operator === "rows still in time")).toMatchObject({
        rowsIn: 20_001,
        rowsOut: 1,
      });
      // What was never let in left no slots behind either.
      expect(kept?.reduce((sum, o) => sum + o.stateBytes, 0)).toBeLessThan(20_000);
      await db.close();
    },
  );

  it("a temporal filter goes below what its rows come through, and stays above what may fail", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (k int, ts timestamptz); CREATE TABLE t (k int PRIMARY KEY, name text)");
    const planOf = async (text: string) =>
      (await rowsOf(db, `EXPLAIN CREATE MATERIALIZED VIEW v AS ${text}`)).map(([line]) =>
        line
          ?.trim()
          .split(/[: ]+/)
          .find((w) => /^[A-Z]/.test(w)),
      );
    const where = "WHERE at > now() - interval '1 hour'";
    expect(
      await planOf(`SELECT * FROM (SELECT k, ts AS at, name FROM s JOIN t USING (k)) x ${where}`),
    ).toEqual(["Project", "Inner", "Temporal", "Source", "Source"]);
    expect(await planOf(`SELECT * FROM (SELECT ts AS at, count(*) FROM s GROUP BY ts) x ${where}`)).toEqual([
      "Project",
      "Group",
      "Temporal",
      "Project",
      "Source",
    ]);
    expect((await planOf(`SELECT * FROM (SELECT ts AS at, 1 / k FROM s) x ${where}`))[0]).toBe("Temporal");
    const grouped = await planOf(`SELECT * FROM (SELECT max(ts) AS at FROM s GROUP BY k) x ${where}`);
    expect(grouped.indexOf("Temporal")).toBeLessThan(grouped.indexOf("Group"));
    await db.close();
  });
});
