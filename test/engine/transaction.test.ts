/** Transactions that read: as if each had run by itself, in the order of the log. */
import { afterEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { open as openDb } from "../../src/engine/open.ts";
import type { TransactionWork } from "../../src/engine/write/transaction.ts";
import { int4, table } from "../../src/face/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const wallets = table("wallets", { key: "id", schema: { id: int4, coins: int4 } });

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
        await db.settled();
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

describe("beside a writer", () => {
  it("sees no half of a commit, nothing later than its position, and nothing that is not durable", async () => {
    db = await openInMemory();
    await sql(
      db,
      `CREATE TABLE a (k int4 PRIMARY KEY, n int4); CREATE TABLE b (k int4 PRIMARY KEY, n int4);
       CREATE MATERIALIZED VIEW va AS SELECT k, n FROM a`,
    );
    await db.built();
    const positions = new Map<number, number>();
    const both = async (n: number): Promise<void> => {
      const { position } = await db.transact([
        { topic: "a", upsert: [{ k: 1, n }] },
        { topic: "b", upsert: [{ k: 1, n }] },
      ]);
      positions.set(n, Number(position));
    };
    await both(0);
    let isOver = false;
    const seen: { readonly n: number; readonly position: number }[] = [];
    const reader = async (): Promise<void> => {
      while (!isOver) {
        const { position, result } = await db.transaction(async (tx) => [
          await tx.get("va", 1),
          await tx.get("a", 1),
          await tx.get("b", 1),
        ]);
        expect(db.core.log.durablePosition).toBeGreaterThanOrEqual(Number(position));
        const values = result.map((row) => row?.["n"]);
        expect(new Set(values).size).toBe(1);
        seen.push({ n: Number(values[0]), position: Number(position) });
      }
    };
    const reading = [reader(), reader(), reader()];
    // A step takes all commits that wait, so where they come far faster than they are stepped there are few moments to read.
    for (let n = 1; n <= 300 || seen.length <= 300; n++)
      await Promise.all([both(n), n % 8 === 0 ? db.settled() : turn()]);
    isOver = true;
    await Promise.all(reading);
    for (const { n, position } of seen) expect(position).toBeGreaterThanOrEqual(positions.get(n)!);
  });

  it("sees what was acknowledged before it began, also behind a large commit", async () => {
    await open();
    for (let n = 1; n <= 5; n++) {
      const large = db.append(
        "accounts",
        Array.from({ length: 20_000 }, (_, i) => ({ id: 100 + i, balance: n })),
      );
      await db.append("accounts", [{ id: 1, balance: n }]);
      const { result } = await db.transaction((tx) => account(tx, 1));
      expect(result.balance).toBe(n);
      await large;
    }
  });

  it("throws what was decided by what is durable, and still holds", async () => {
    await open();
    for (let n = 1; n <= 40; n++) {
      const writing = db.append("accounts", [{ id: 1, balance: n }]);
      const thrown = await db
        .transaction(async (tx) => {
          const { balance } = await account(tx, 1);
          throw Object.assign(new Error("told"), { balance });
        })
        .catch((error: { balance?: number }) => error.balance);
      const { position } = await writing;
      if (thrown === n) expect(db.core.log.durablePosition).toBeGreaterThanOrEqual(Number(position));
      else expect(thrown).toBe(n - 1);
    }
  });
});

describe("what changes under it", () => {
  it("a table that is dropped, or made anew, is not what was read or is written to", async () => {
    await open();
    await db.append("accounts", [{ id: 1, balance: 5 }]);
    await sql(db, "DROP MATERIALIZED VIEW total; DROP MATERIALIZED VIEW odd");
    const anew = "DROP TABLE accounts; CREATE TABLE accounts (id int4 PRIMARY KEY, balance int4)";
    let runs = 0;
    const { result } = await db.transaction(async (tx) => {
      const { balance } = await account(tx, 1);
      if (runs++ === 0) await sql(db, anew);
      tx.append("moves", [{ a: balance }]);
      return balance;
    });
    expect([result, runs]).toEqual([0, 2]);
    runs = 0;
    await db.transaction(async (tx) => {
      tx.append("accounts", [{ id: 7, balance: 7 }]);
      if (runs++ === 0) await sql(db, anew);
    });
    expect(runs).toBe(2);
    expect(await rowsOf(db, "SELECT id FROM accounts")).toEqual([["7"]]);
  });

  it("a view that is made anew under its name is another list", async () => {
    await open();
    await db.append("accounts", [{ id: 1, balance: 5 }]);
    let runs = 0;
    const { result } = await db.transaction(async (tx) => {
      const { length } = await tx.rows("odd");
      if (runs++ === 0) {
        await sql(
          db,
          "DROP MATERIALIZED VIEW odd; CREATE MATERIALIZED VIEW odd AS SELECT id, balance FROM accounts WHERE id > 1",
        );
        await db.built();
      }
      tx.append("moves", [{ a: length }]);
      return length;
    });
    expect([result, runs]).toEqual([0, 2]);
  });

  it("a row that could not be read, and can be by now", async () => {
    await open();
    await sql(db, "CREATE MATERIALIZED VIEW shares AS SELECT id, 100 / balance AS share FROM accounts");
    await db.built();
    await db.append("accounts", [{ id: 1, balance: 0 }]);
    await db.settled();
    let runs = 0;
    const { result } = await db.transaction(async (tx) => {
      const share = await tx.get("shares", 1).then(
        (row) => Number(row?.["share"]),
        () => -1,
      );
      if (runs++ === 0) await db.append("accounts", [{ id: 1, balance: 4 }]);
      tx.append("moves", [{ a: share }]);
      return share;
    });
    expect([result, runs]).toEqual([25, 2]);
  });

  it("a view of what it has written is not read", async () => {
    await open();
    await db.transaction(async (tx) => {
      tx.append("accounts", [{ id: 1, balance: 1 }]);
      await expect(tx.get("odd", 1)).rejects.toMatchObject({ code: "feature_not_supported" });
      await expect(tx.rows("odd")).rejects.toMatchObject({ code: "feature_not_supported" });
    });
  });
});

describe("turns", () => {
  it("of one that takes long hold up neither others nor what it calls itself", async () => {
    await open();
    const bump = async (id: number, during: (run: number) => Promise<unknown>): Promise<void> => {
      let run = 0;
      await db.transaction(async (tx) => {
        await add(tx, id, 1);
        await during(run++);
      });
    };
    const disturb = (id: number) => db.append("accounts", [{ id, balance: 100 }]);
    let released = (): void => {};
    const slow = bump(1, (run) => (run === 0 ? disturb(1) : new Promise<void>((done) => (released = done))));
    // The same row, and another; and one within another.
    await bump(2, async (run) => run === 0 && (await disturb(2)));
    await bump(3, async (run) => {
      if (run === 0) await disturb(3);
      else if (run === 1) await bump(3, async (inner) => inner === 0 && (await disturb(3)));
    });
    released();
    await slow;
    expect((await rowsOf(db, "SELECT id, balance FROM accounts ORDER BY id")).map(([id]) => id)).toEqual([
      "1",
      "2",
      "3",
    ]);
  });

  it("are given while very much is read", async () => {
    await open();
    const count = 3000;
    await db.append(
      "accounts",
      Array.from({ length: count }, (_, id) => ({ id, balance: 1 })),
    );
    let turns = 0;
    let isOver = false;
    const counting = (async () => {
      for (; !isOver; turns++) await turn();
    })();
    const { result } = await db.transaction(async (tx) => {
      let sum = 0;
      for (let id = 0; id < count; id++) {
        sum += (await account(tx, id)).balance;
        if (id % 1000 === 500) await db.append("moves", [{ a: id }]);
      }
      tx.append("moves", [{ a: sum }]);
      return sum;
    });
    isOver = true;
    await counting;
    expect(result).toBe(count);
    expect(turns).toBeGreaterThan(10);
  });

  it("two reads at once, of which one fails, end no process", async () => {
    await open();
    const typed = await openDb({ dir: "/typed", disk: new SimulatedDisk(), topics: [wallets] });
    const unhandled: unknown[] = [];
    const listen = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", listen);
    try {
      let runs = 0;
      await typed.transact(async (tx) => {
        const first = await tx.get(wallets, 1);
        if (runs++ === 0) await typed.append(wallets, { id: 1, coins: 1 });
        const [a, b] = [tx.get(wallets, 2), tx.get(wallets, 3)];
        await a;
        await b;
        tx.append(wallets, { id: 2, coins: first?.coins ?? 0 });
      });
      await turn();
      expect(runs).toBe(2);
    } finally {
      process.off("unhandledRejection", listen);
      await typed.close();
    }
    expect(unhandled).toEqual([]);
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
