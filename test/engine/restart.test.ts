/**
 * The log is the only truth: whatever else is deleted, and wherever the process stopped, what comes back is what was there. Each history is random
 * (support/grammar.ts), each database lives on a simulated disk, and each comparison is of bytes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Operation } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import type { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { SimulatedDisk as Disk } from "../../src/testing/simulated-disk.ts";
import { commitTo } from "./support/commit.ts";
import { createTable } from "./support/grammar.ts";
import { HeldLog } from "./support/held-log.ts";
import type { Commit } from "./support/history.ts";
import { allHold } from "./support/holds.ts";
import { openInMemory, sql } from "./support/memory.ts";
import { type Program, programs, programText } from "./support/program.ts";
import { rowsJsonOf } from "./support/rows.ts";
import { difference, maintained } from "./support/views.ts";

const runs = Number(process.env["EVERT_RESTART_RUNS"] ?? 25);

/** Everything a reader can ask, as text. */
async function answers(db: Database): Promise<Record<string, unknown>> {
  await db.settled();
  await db.built();
  const views: Record<string, unknown> = {};
  for (const { name, status, key, order, rows, position, errors, definition, schema } of db.views()) {
    const rowsJson = await rowsJsonOf(db, name);
    // A view's rows have no order of their own, but where it says one.
    const listed = order.length > 0 ? rowsJson : [...rowsJson].sort();
    views[name] = { status, key, order, rows, position, errors, definition, schema, listed };
  }
  const topics: Record<string, unknown> = {};
  for (const { name, kind, schema, key, records, rows } of db.topics()) {
    const read: unknown[] = [];
    for await (const record of db.readTopic(name)) read.push(record);
    topics[name] = { kind, schema, key, records, rows, read };
  }
  return { position: db.position, views, topics };
}

async function define(db: Database, { bases, views }: Program): Promise<void> {
  for (const base of bases) await sql(db, createTable(base, "evert"));
  for (const { name, sql: text } of views) await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
}

async function every(program: Program, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${programText(program)}`, { cause: error });
  }
}

async function remove(disk: SimulatedDisk, wanted: (path: string) => boolean): Promise<void> {
  for (const path of disk.files()) if (wanted(path)) await disk.unlink(path);
}

describe("a database that is opened again answers as before", () => {
  const cases = fc.record({
    program: programs,
    /** After which commits it stops, and how. */
    stops: fc.array(fc.constantFrom("go on", "close", "kill", "checkpoint, then kill", "checkpoint"), {
      maxLength: 16,
      size: "max",
    }),
  });

  it("at every boundary between two commits, with its checkpoint, without it, and from the log alone", async () => {
    await fc.assert(
      fc.asyncProperty(cases, ({ program, stops }) =>
        every(program, async () => {
          let disk = new Disk();
          let db = await openInMemory(disk);
          await define(db, program);
          for (const [i, commit] of program.commits.entries()) {
            await commitTo(db, commit);
            const stop = stops[i] ?? "go on";
            if (stop.startsWith("checkpoint")) await db.checkpoint();
            if (stop === "go on" || stop === "checkpoint") continue;
            const before = await answers(db);
            if (stop === "close") await db.close();
            disk = disk.reboot("process");
            db = await openInMemory(disk);
            expect(await answers(db)).toEqual(before);
          }
          const before = await answers(db);
          for (const deleted of [/\/checkpoint\//, /^(?!.*\/log\/)/]) {
            await db.close();
            disk = disk.reboot("process");
            await remove(disk, (path) => deleted.test(path));
            db = await openInMemory(disk);
            expect(await answers(db)).toEqual(before);
          }
          await allHold(db, Object.fromEntries(program.views.map((view) => [view.name, view.sql])));
          await db.close();
        }),
      ),
      { numRuns: runs },
    );
  }, 600_000);
});

describe("how the commits came makes no difference", () => {
  it("views made before the data, after it and in its midst are equal", async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.nat(), (program, at) =>
        every(program, async () => {
          const middle = at % (program.commits.length + 1);
          const results: unknown[] = [];
          for (const start of [0, middle, program.commits.length]) {
            const db = await openInMemory();
            for (const base of program.bases) await sql(db, createTable(base, "evert"));
            for (const [i, commit] of program.commits.entries()) {
              if (i === start) await makeViews(db, program);
              await commitTo(db, commit);
            }
            if (start === program.commits.length) await makeViews(db, program);
            results.push(await contents(db));
            await db.close();
          }
          expect(results[1]).toEqual(results[0]);
          expect(results[2]).toEqual(results[0]);
        }),
      ),
      { numRuns: runs },
    );
  }, 600_000);

  it("one big commit leaves what many small ones leave", async () => {
    await fc.assert(
      fc.asyncProperty(programs, (program) =>
        every(program, async () => {
          const operations = program.commits.flatMap(operationsOf);
          const small = await openInMemory();
          await define(small, program);
          for (const operation of operations) await small.transact([operation]);
          const big = await openInMemory();
          await define(big, program);
          await big.transact(operations);
          expect(await contents(big)).toEqual(await contents(small));
          await small.close();
          await big.close();
        }),
      ),
      { numRuns: runs },
    );
  }, 600_000);

  it("a view built while appends go on equals one that was there from the start", async () => {
    const held = new HeldLog(new Disk());
    const db = await openInMemory(undefined, { disk: held });
    await sql(db, "CREATE TABLE s (n int4, g text) WITH (append_only)");
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, g text, v int8)");
    const queries = [
      "SELECT g, count(*) AS c, sum(n) AS s, min(n) AS low FROM s GROUP BY g",
      "SELECT s.n, t.v FROM s JOIN t ON s.g = t.g WHERE s.n % 7 = 0",
      "SELECT g, max(v) AS high, count(*) AS c FROM t GROUP BY g",
      "SELECT k, v FROM t ORDER BY v DESC, k LIMIT 5",
      "SELECT n FROM (SELECT n, g, row_number() OVER (PARTITION BY g ORDER BY n DESC) AS r FROM s) x WHERE r <= 2",
    ];
    // Written alike they would be one: the late one would be shown what the early one keeps, and be built of nothing.
    const late = queries.map((q) =>
      q
        .replace(/FROM s\b/, "FROM (SELECT n, g FROM s WHERE n >= 0) AS s")
        .replace(/FROM t\b/, "FROM (SELECT k, g, v FROM t WHERE k >= 0) AS t"),
    );
    for (const [i, q] of queries.entries()) await sql(db, `CREATE MATERIALIZED VIEW early${i} AS ${q}`);
    let made = 0;
    const append = async (commits: number): Promise<void> => {
      for (const end = made + commits; made < end; made++) {
        const i = made;
        const rows = Array.from({ length: 50 }, (_, n) => ({ n: i * 50 + n, g: `g${(i * 50 + n) % 11}` }));
        await db.append("s", rows);
        await db.append("t", [{ k: i % 23, g: `g${i % 11}`, v: (i * 37) % 101 }]);
        if (i % 5 === 0) await db.deleteKey("t", (i * 3) % 23);
      }
    };
    for (const [i, q] of late.entries()) {
      await append(5);
      // However fast it is, it is not done before some commits have come that it has to catch up with.
      held.reads.close();
      const created = sql(db, `CREATE MATERIALIZED VIEW late${i} AS ${q}`);
      await append(5);
      held.goOn();
      const more = append(5);
      await created;
      await sql(db, `CREATE MATERIALIZED VIEW over${i} AS SELECT count(*) AS c FROM late${i}`);
      await more;
    }
    await db.built();
    await db.settled();
    await allHold(
      db,
      Object.fromEntries(
        queries.flatMap((q, i) => [
          [`early${i}`, q],
          [`late${i}`, q],
        ]),
      ),
    );
    for (const i of queries.keys()) {
      const built = await maintained(db, `late${i}`);
      const early = await maintained(db, `early${i}`);
      if ("sqlstate" in built || "sqlstate" in early) throw new Error(`query ${i} fails`);
      expect(difference(built, early)).toBeNull();
      expect(await maintained(db, `over${i}`)).toEqual([[String(built.length)]]);
    }
    await db.close();
  });
});

async function makeViews(db: Database, program: Program): Promise<void> {
  for (const { name, sql: text } of program.views)
    await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
}

function operationsOf(commit: Commit): readonly Operation[] {
  switch (commit.via) {
    case "append":
      return [{ topic: commit.topic, append: commit.rows }];
    case "delete":
      return [{ topic: commit.topic, delete: [commit.key] }];
    case "transact":
      return commit.operations;
    case "sql":
    case "statements":
      return [];
  }
}

/** Rows of all views, in no order. */
async function contents(db: Database): Promise<Record<string, string[]>> {
  await db.settled();
  await db.built();
  const all: Record<string, string[]> = {};
  for (const { name } of db.views()) all[name] = (await rowsJsonOf(db, name)).sort();
  return all;
}
