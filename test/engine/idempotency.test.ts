/** An idempotency key: its request is stored once, however often it comes. */
import { describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { refusalOf } from "../support/refusal.ts";
import { openInMemory, sql } from "./support/memory.ts";

describe("an idempotency key", () => {
  it("stores a request once, answers it again, refuses another under the same key, and outlives a restart", async () => {
    const disk = new SimulatedDisk();
    let db = await openInMemory(disk);
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    const first = await db.append("s", [{ n: 1 }, { n: 2 }], { idempotencyKey: "a" });
    expect(await db.append("s", [{ n: 1 }, { n: 2 }], { idempotencyKey: "a" })).toEqual(first);
    const other = () => db.append("s", [{ n: 1 }, { n: 3 }], { idempotencyKey: "a" });
    expect(await refusalOf(other)).toMatchObject({ code: "idempotency_conflict", status: 422 });
    const digest = { idempotencyKey: "b", requestDigest: "one" };
    const { position } = await db.transact([{ topic: "s", append: [{ n: 4 }] }], digest);
    const again = { idempotencyKey: "b", requestDigest: "two" };
    expect(await refusalOf(() => db.transact([{ topic: "s", append: [{ n: 4 }] }], again))).toMatchObject({
      code: "idempotency_conflict",
    });
    await db.close();
    db = await openInMemory(disk);
    expect(await db.append("s", [{ n: 1 }, { n: 2 }], { idempotencyKey: "a" })).toEqual(first);
    expect((await refusalOf(other)).code).toBe("idempotency_conflict");
    expect(await db.transact([{ topic: "s", append: [{ n: 4 }] }], digest)).toEqual({ position });
    expect(db.topic("s").records).toBe(3);
    await db.close();
  });

  it("stores one of many that come together", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => db.append("s", [{ n: 1 }], { idempotencyKey: "same" })),
    );
    expect(new Set(answers.map((a) => a.position)).size).toBe(1);
    expect(db.topic("s").records).toBe(1);
    await db.close();
  });

  it("stands for nothing when its request was refused", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
    await refusalOf(() => db.append("s", [{ n: "x" }], { idempotencyKey: "a" }));
    expect(await db.append("s", [{ n: 1 }], { idempotencyKey: "a" })).toMatchObject({
      count: 1,
      firstOffset: 0,
    });
    await db.close();
  });
});
