/** Transactions that read: as if each had run by itself, in the order of the log. */
import { afterEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import type { TransactionWork } from "../../src/engine/transaction.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;
afterEach(() => db.close().catch(() => {}));

async function open(warm?: number): Promise<void> {
  db = await openInMemory(new SimulatedDisk(), warm === undefined ? {} : { warm });
  await sql(
    db,
    `CREATE TABLE accounts (id int4 PRIMARY KEY, balance int4); CREATE TABLE moves (a int4) WITH (append_only);
     CREATE MATERIALIZED VIEW total AS SELECT sum(balance) AS sum, count(*) AS n FROM accounts;
     CREATE MATERIALIZED VIEW odd AS SELECT id, balance FROM accounts WHERE id % 2 = 1`,
  );
  await db.built();
}

interface Account {
  readonly id: number;
  readonly balance: number;
}

const account = async (tx: TransactionWork, id: number): Promise<Account> =>
  ((await tx.get("accounts", id)) as Account | undefined) ?? { id, balance: 0 };

async function add(tx: TransactionWork, id: number, amount: number): Promise<void> {
  const { balance } = await account(tx, id);
  tx.append("accounts", [{ id, balance: balance + amount }]);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a transaction", () => {
  it("decides by what it reads, and gives what its work gives", async () => {
    await open();
    await db.append("accounts", [{ id: 1, balance: 5 }]);
    const { position, result } = await db.transaction(async (tx) => {
      await add(tx, 1, 10);
      tx.append("moves", [{ a: 10 }]);
      tx.delete("accounts", [7]);
      return "done";
    });
    expect(result).toBe("done");
    await db.reached({ atLeast: position });
    expect(await rowsOf(db, "SELECT sum, n FROM total")).toEqual([["15", "1"]]);
    expect(await rowsOf(db, "SELECT a FROM moves")).toEqual([["10"]]);
  });

  it("of many on one row loses none, and none runs more often than it must", async () => {
    await open();
    let runs = 0;
    await Promise.all(
      Array.from({ length: 200 }, () =>
        db.transaction(async (tx) => {
          runs++;
          await add(tx, 1, 1);
        }),
      ),
    );
    expect(await rowsOf(db, "SELECT balance FROM accounts")).toEqual([["200"]]);
    expect(runs).toBeLessThan(3 * 200);
  });

  it("sees one position all the time, whatever is written meanwhile", async () => {
    await open();
    await db.append("accounts", [
      { id: 1, balance: 0 },
      { id: 2, balance: 0 },
    ]);
    let runs = 0;
    const { result } = await db.transaction(async (tx) => {
      runs++;
      const one = await account(tx, 1);
      if (runs < 3) {
        await db.transact([
          { topic: "accounts", upsert: [{ id: 1, balance: runs }] },
          { topic: "accounts", upsert: [{ id: 2, balance: runs }] },
        ]);
      }
      const two = await account(tx, 2);
      expect(two.balance).toBe(one.balance);
      return two.balance;
    });
    expect(runs).toBe(3);
    expect(result).toBe(2);
  });

  it("is not decided by a list that has changed", async () => {
    await open();
    await db.append("accounts", [{ id: 1, balance: 1 }]);
    const spend = (id: number) =>
      db.transaction(async (tx) => {
        const rows = (await tx.rows("odd")) as unknown as Account[];
        if (rows.reduce((sum, { balance }) => sum + balance, 0) < 1) return false;
        await turn();
        tx.append("accounts", [{ id, balance: -1 }]);
        return true;
      });
    // Each by itself leaves nothing for the other.
    const results = await Promise.all([spend(3), spend(5)]);
    expect(results.map(({ result }) => result).sort()).toEqual([false, true]);
  });

  it("is not decided by a row of a view that has changed", async () => {
    await open();
    await db.append("accounts", [{ id: 1, balance: 1 }]);
    let runs = 0;
    await db.transaction(async (tx) => {
      const [row] = [await tx.get("odd", 1)];
      if (runs++ === 0) await db.append("accounts", [{ id: 1, balance: 7 }]);
      tx.append("moves", [{ a: row!["balance"] }]);
    });
    expect(runs).toBe(2);
    expect(await rowsOf(db, "SELECT a FROM moves")).toEqual([["7"]]);
  });

  it("is stored though others write what it has not read", async () => {
    await open();
    let runs = 0;
    await db.transaction(async (tx) => {
      runs++;
      await add(tx, 1, 1);
      await db.append("accounts", [{ id: 2, balance: 1 }]);
    });
    expect(runs).toBe(1);
  });

  it("stores nothing when its work throws, and says what was thrown", async () => {
    await open();
    const failed = db.transaction(async (tx) => {
      await add(tx, 1, 1);
      throw new Error("no money");
    });
    await expect(failed).rejects.toThrow("no money");
    expect(await rowsOf(db, "SELECT count(*) FROM accounts")).toEqual([["0"]]);
  });

  it("runs again also where its work has caught the conflict", async () => {
    await open();
    let runs = 0;
    await db.transaction(async (tx) => {
      await account(tx, 1);
      if (runs++ === 0) await db.append("accounts", [{ id: 1, balance: 7 }]);
      await account(tx, 2).catch(() => {});
      tx.append("moves", [{ a: runs }]);
    });
    expect(await rowsOf(db, "SELECT a FROM moves")).toEqual([["2"]]);
  });

  it("says so when something always comes in between", async () => {
    await open();
    let runs = 0;
    const hopeless = db.transaction(async (tx) => {
      await account(tx, 1);
      await db.append("accounts", [{ id: 1, balance: ++runs }]);
      tx.append("moves", [{ a: 1 }]);
    });
    await expect(hopeless).rejects.toMatchObject({ code: "conflict" });
    expect(runs).toBe(64);
    expect(await rowsOf(db, "SELECT count(*) FROM moves")).toEqual([["0"]]);
  });

  it("refuses what it cannot do, and its door when it has ended", async () => {
    await open();
    await db.append("accounts", [{ id: 1, balance: 1 }]);
    let kept: TransactionWork | undefined;
    await db.transaction(async (tx) => {
      kept = tx;
      await add(tx, 1, 1);
      await expect(tx.get("accounts", 1)).rejects.toMatchObject({ code: "feature_not_supported" });
      await expect(tx.get("moves", 1)).rejects.toMatchObject({ code: "wrong_object_type" });
      await expect(tx.get("absent", 1)).rejects.toMatchObject({ code: "undefined_table" });
      await expect(tx.rows("accounts")).rejects.toMatchObject({ code: "wrong_object_type" });
      expect(() => tx.delete("moves", [1])).toThrow("is a stream");
    });
    expect(() => kept!.append("moves", [{ a: 1 }])).toThrow("the transaction has ended");
    await expect(kept!.get("accounts", 1)).rejects.toThrow("the transaction has ended");
  });

  it("that only reads gives what is durable", async () => {
    await open();
    const appended = db.append("accounts", [{ id: 1, balance: 1 }]);
    const { position, result } = await db.transaction((tx) => account(tx, 1));
    const { position: at } = await appended;
    expect(result.balance).toBe(Number(position) >= Number(at) ? 1 : 0);
    expect(db.core.log.durablePosition).toBeGreaterThanOrEqual(Number(position));
  });
});

it("goes on upon rows that are not durable yet, and is acknowledged after them", async () => {
  const disk = new SimulatedDisk();
  db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, n int4)");
  const seen: unknown[] = [];
  let inFlight = 0;
  const bump = async (): Promise<string> => {
    const { position } = await db.transaction(async (tx) => {
      const row = await tx.get("t", 1);
      const n = Number(row?.["n"] ?? 0);
      seen.push(n);
      if (n > 0 && db.core.log.durablePosition < db.core.stepper.position) inFlight++;
      tx.append("t", [{ k: 1, n: n + 1 }]);
    });
    return position;
  };
  await Promise.all(Array.from({ length: 30 }, bump));
  expect(await rowsOf(db, "SELECT n FROM t")).toEqual([["30"]]);
  expect(inFlight).toBeGreaterThan(0);
});

it.each([1, 2, 3, 4, 5, 6])(
  "transfers keep the sum and never overdraw, beside other writers, wherever rows are (seed %i)",
  async (seed) => {
    await open(seed % 2 === 0 ? 0 : undefined);
    const random = new SeededRandom(seed);
    const accounts = 6;
    await db.append(
      "accounts",
      Array.from({ length: accounts }, (_, id) => ({ id, balance: 10 })),
    );
    let moved = 0;
    const transfer = async (): Promise<void> => {
      const [from, to] = [random.below(accounts), random.below(accounts)];
      const amount = 1 + random.below(8);
      const waits = random.below(3);
      const { result } = await db.transaction(async (tx) => {
        const source = await account(tx, from);
        for (let i = 0; i < waits; i++) await turn();
        if (from === to || source.balance < amount) return 0;
        const target = await account(tx, to);
        tx.append("accounts", [
          { id: from, balance: source.balance - amount },
          { id: to, balance: target.balance + amount },
        ]);
        return amount;
      });
      moved += result;
    };
    for (let round = 0; round < 12; round++) {
      await Promise.all(Array.from({ length: 10 }, transfer));
      await db.settled();
      expect(await rowsOf(db, "SELECT sum, n FROM total")).toEqual([
        [String(10 * accounts), String(accounts)],
      ]);
      expect(await rowsOf(db, "SELECT count(*) FROM accounts WHERE balance < 0")).toEqual([["0"]]);
    }
    expect(moved).toBeGreaterThan(50);
  },
  60_000,
);
