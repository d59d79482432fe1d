/** What a transaction expects, against a list of everything that was ever committed. */
import { afterEach, describe, expect, it } from "vitest";
import type { Expectation, Operation } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;
afterEach(() => db.close().catch(() => {}));

const TABLES = `CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE TABLE pairs (x int8, y text, a int4, PRIMARY KEY (x, y));
  CREATE TABLE loose (a int4); CREATE TABLE s (a int4) WITH (append_only)`;

async function open(disk = new SimulatedDisk(), warm?: number): Promise<SimulatedDisk> {
  db = await openInMemory(disk, warm === undefined ? {} : { warm });
  await db.built();
  return disk;
}

const put = (k: number, a: number): Operation => ({ topic: "t", upsert: [{ k, a }] });
const gone = (k: number): Operation => ({ topic: "t", delete: [k] });
const row = (key: number, version: string | null): Expectation => ({ topic: "t", key, version });

async function transact(...operations: Operation[]): Promise<string> {
  return (await db.transact(operations)).position;
}

/** Whether a transaction that expects this is stored. */
async function isStored(...expected: Expectation[]): Promise<boolean> {
  try {
    await db.transact([{ topic: "s", append: [{ a: 1 }] }], { expect: expected });
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "conflict", status: 409, sqlstate: "40001" });
    return false;
  }
}

describe("a transaction is stored", () => {
  it("if nothing has been committed since", async () => {
    await open();
    await sql(db, TABLES);
    const at = await transact(put(1, 1));
    expect(await isStored({ position: at })).toBe(true);
    await expect(db.transact([put(1, 2)], { expect: [{ position: at }] })).rejects.toMatchObject({
      code: "conflict",
      message: `expect[0]: the log was written, which the transaction did not expect: it was decided at position ${at}`,
      detail: `It was last written at ${Number(at) + 1}.`,
    });
    expect(await rowsOf(db, "SELECT a FROM t")).toEqual([["1"]]);
  });

  it("if nothing has been committed to a topic since", async () => {
    await open();
    await sql(db, TABLES);
    const at = await transact(put(1, 1));
    expect(await isStored({ topic: "t", position: at })).toBe(true);
    expect(await isStored({ topic: "s", position: at })).toBe(false);
    expect(await isStored({ topic: "t", position: at }, { topic: "pairs", position: at })).toBe(true);
  });

  it("if a row is as it was", async () => {
    await open();
    await sql(db, TABLES);
    const first = await transact(put(1, 1));
    const other = await transact(put(2, 1));
    expect(await isStored(row(1, first), row(2, other), row(1, other))).toBe(true);
    expect(await isStored(row(2, first))).toBe(false);
    expect(await isStored(row(3, other))).toBe(false);
    expect(await isStored(row(3, null))).toBe(true);
    expect(await isStored(row(1, null))).toBe(false);
    await transact(gone(1));
    expect(await isStored(row(1, other))).toBe(false);
    expect(await isStored(row(1, null))).toBe(true);
    const again = await transact(put(1, 1));
    expect(await isStored(row(1, other))).toBe(false);
    expect(await isStored(row(1, again))).toBe(true);
    await expect(db.transact([put(1, 5)], { expect: [row(1, other)] })).rejects.toMatchObject({
      message: `expect[0]: a row of "t" has changed, which the transaction did not expect: it was decided at position ${other}`,
      detail: "Key (k)=(1).",
    });
  });

  it("if a row with a key of several columns is", async () => {
    await open();
    await sql(db, TABLES);
    const big = 2n ** 60n + 1n;
    const at = await transact({ topic: "pairs", upsert: [{ x: big, y: "a", a: 1 }] });
    const key = [String(big), "a"];
    expect(await isStored({ topic: "pairs", key, version: at })).toBe(true);
    expect(await isStored({ topic: "pairs", key: { x: String(big), y: "b" }, version: null })).toBe(true);
    await transact({ topic: "pairs", delete: [key] });
    expect(await isStored({ topic: "pairs", key, version: at })).toBe(false);
  });

  it("as a whole, and once: the same request is answered again though what it expected no longer holds", async () => {
    await open();
    await sql(db, TABLES);
    const at = await transact(put(1, 1));
    const options = { idempotencyKey: "one", expect: [row(1, at)] };
    const first = await db.transact([put(1, 2)], options);
    expect(await db.transact([put(1, 2)], options)).toEqual(first);
    await expect(db.transact([put(1, 2)], { ...options, expect: [row(1, null)] })).rejects.toMatchObject({
      code: "idempotency_conflict",
    });
    expect(await rowsOf(db, "SELECT a FROM t")).toEqual([["2"]]);
  });

  it("by one of many that expect the same", async () => {
    await open();
    await sql(db, TABLES);
    const at = await transact(put(1, 0));
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => db.transact([put(1, i + 1)], { expect: [row(1, at)] })),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(results[0]!.status).toBe("fulfilled");
  });
});

describe("what is told apart", () => {
  it("a row written again with the same values is as it was, as long as its step is known", async () => {
    const disk = await open();
    await sql(db, TABLES);
    const at = await transact(put(1, 1));
    const changed = await transact(put(2, 1));
    await transact(put(1, 1));
    await transact(put(2, 2));
    await transact(put(2, 1));
    expect(await isStored(row(1, at))).toBe(true);
    expect(await isStored(row(2, changed))).toBe(false);
    await db.close();
    await open(disk.reboot("process"));
    expect(await isStored(row(1, at))).toBe(false);
    expect(await isStored(row(2, changed))).toBe(false);
  });

  it("what a view writes to its sink, and time that passes, are no commits of somebody's", async () => {
    const disk = await open();
    await sql(
      db,
      `${TABLES}; CREATE TABLE sunk (k int4 PRIMARY KEY, a int4); CREATE MATERIALIZED VIEW v WITH (sink = 'sunk') AS SELECT k, a FROM t`,
    );
    await db.built();
    const at = await transact(put(1, 1));
    while (Number(db.position) <= Number(at)) await db.settled();
    const check = async (): Promise<void> => {
      expect(await isStored({ position: at })).toBe(true);
    };
    await db.close();
    await open(disk.reboot("process"));
    await check();
    expect(await isStored({ position: at })).toBe(false);
  });

  it("a table that was dropped, and made anew under its name", async () => {
    await open();
    await sql(db, TABLES);
    const at = await transact(put(1, 1));
    const dropped = sql(db, "DROP TABLE t; CREATE TABLE t (k int4 PRIMARY KEY, a int4)");
    const stored = isStored(row(1, at), { topic: "t", position: at });
    await dropped;
    // It came before, or is refused.
    const [count] = await rowsOf(db, "SELECT count(*) FROM s");
    expect(count).toEqual([(await stored) ? "1" : "0"]);
    expect(await isStored(row(1, at))).toBe(false);
  });

  it("a repeated request whose rows others have taken the place of", async () => {
    await open();
    await sql(db, "CREATE TABLE u (k int4 PRIMARY KEY, name text UNIQUE)");
    const name = (k: number, value: string): Operation => ({ topic: "u", upsert: [{ k, name: value }] });
    const options = { idempotencyKey: "one", expect: [{ topic: "u", key: 1, version: null }] };
    const first = await db.transact([name(1, "x")], options);
    await db.transact([name(1, "y")]);
    await db.transact([name(2, "x")]);
    expect(await db.transact([name(1, "x")], options)).toEqual(first);
    await sql(db, "DROP TABLE u");
    await sql(db, "CREATE TABLE u (k int4, name text)");
    expect(await db.transact([name(1, "x")], options)).toEqual(first);
  });

  it("a refusal is told when what it rests on is durable", async () => {
    await open();
    await sql(db, TABLES);
    const at = await transact(put(1, 0));
    let told = 0;
    for (let i = 1; i <= 40; i++) {
      const writing = transact(put(1, i));
      await db
        .transact([put(2, i)], { expect: [{ topic: "t", position: at }] })
        .catch((error: { detail?: string }) => {
          const named = Number(/\d+/.exec(error.detail ?? "")?.[0]);
          expect(db.core.log.durablePosition).toBeGreaterThanOrEqual(named);
          told++;
        });
      await writing;
    }
    expect(told).toBeGreaterThan(30);
  });

  it("many rows at once, of a table that is written to all the time", async () => {
    await open();
    await sql(db, TABLES);
    const rows = Array.from({ length: 2000 }, (_, k) => ({ k, a: k }));
    const { position } = await db.append("t", rows);
    let writes = 0;
    let isOver = false;
    const writing = (async () => {
      while (!isOver) await transact(put(10_000 + (writes++ % 50), writes));
    })();
    const all = rows.map(({ k }) => row(k, position));
    expect(await isStored(...all)).toBe(true);
    expect(await isStored(...all, row(10_000, position))).toBe(false);
    isOver = true;
    await writing;
  });
});

describe("what nobody can expect", () => {
  const cases: readonly (readonly [Expectation, object])[] = [
    [{ position: "x" }, { code: "invalid_request", message: 'expect[0]: "x" is not a position' }],
    [{ position: "999" }, { code: "invalid_request" }],
    [{ topic: "absent", position: "1" }, { code: "undefined_table" }],
    [{ topic: "s", key: 1, version: "1" }, { code: "wrong_object_type" }],
    [{ topic: "loose", key: 1, version: "1" }, { code: "wrong_object_type" }],
    [{ topic: "t", key: "x", version: "1" }, { code: "datatype_mismatch" }],
    [{ topic: "t", key: null, version: null }, { code: "not_null_violation" }],
    [{ topic: "pairs", key: [1], version: "1" }, { code: "invalid_request" }],
    [{ topic: "t", key: 1, version: "-1" }, { code: "invalid_request" }],
  ];
  it.each(cases)("%j", async (expectation, error) => {
    await open();
    await sql(db, TABLES);
    await expect(db.transact([put(1, 1)], { expect: [expectation] })).rejects.toMatchObject(error);
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["0"]]);
  });

  it("more of it than can be held", async () => {
    await open();
    await sql(db, TABLES);
    const many = Array.from({ length: 10_001 }, () => row(1, null));
    await expect(db.transact([put(1, 1)], { expect: many })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});

/** Position and key of every record ever committed to t; absent: a deletion. */
interface Written {
  readonly position: number;
  readonly key: number;
  readonly isThere: boolean;
}

it.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "is decided as by looking at the whole log, wherever rows are and across starts (seed %i)",
  async (seed) => {
    const random = new SeededRandom(seed);
    const warm = seed % 2 === 0 ? 0 : undefined;
    let disk = await open(new SimulatedDisk({ seed }), warm);
    await sql(db, TABLES);
    const written: Written[] = [];
    let value = 0;
    const change = async (): Promise<void> => {
      const key = random.below(8);
      const isThere = !random.oneIn(4);
      const position = await transact(isThere ? put(key, ++value) : gone(key));
      written.push({ position: Number(position), key, isThere });
    };
    let [kept, refused] = [0, 0];
    for (let round = 0; round < 30; round++) {
      // Several of a round come into one step.
      await Promise.all(Array.from({ length: 1 + random.below(5) }, change));
      if (random.oneIn(3)) await db.settled();
      if (random.oneIn(5)) await db.checkpoint();
      if (random.oneIn(8)) {
        const isClosed = random.oneIn(2);
        if (isClosed) await db.close();
        disk = disk.reboot("process");
        await db.close().catch(() => {});
        await open(disk, warm);
      }
      for (let i = 0; i < 6; i++) {
        const key = random.below(8);
        const last = written
          .filter((w) => w.key === key)
          .reduce((a, b) => (a.position > b.position ? a : b), {
            position: 0,
            key,
            isThere: false,
          });
        const since = written[random.below(written.length)]!.position;
        const isSame = last.isThere && last.position <= since;
        expect(await isStored(row(key, String(since)))).toBe(isSame);
        expect(await isStored(row(key, null))).toBe(!last.isThere);
        const newest = Math.max(...written.map(({ position }) => position));
        expect(await isStored({ topic: "t", position: String(since) })).toBe(newest <= since);
        if (isSame) kept++;
        else refused++;
      }
    }
    expect(Math.min(kept, refused)).toBeGreaterThan(10);
  },
  60_000,
);
