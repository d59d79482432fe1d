/** Producers: what is sent again is stored once, and in order, whatever comes in between; against a list of what was sent. */
import { afterEach, describe, expect, it } from "vitest";
import type { AppendResult, ProducerSequence } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { IDLE_US_MAX, REMEMBERED } from "../../src/engine/own/producers.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;
afterEach(() => db.close().catch(() => {}));

const TABLES = "CREATE TABLE s (a int4) WITH (append_only); CREATE TABLE other (a int4) WITH (append_only)";

async function open(disk = new SimulatedDisk(), clock = new SimulatedClock()): Promise<SimulatedDisk> {
  db = await openInMemory(disk, { clock });
  await db.built();
  return disk;
}

async function fresh(clock?: SimulatedClock): Promise<SimulatedDisk> {
  const disk = await open(new SimulatedDisk(), clock);
  await sql(db, TABLES);
  return disk;
}

function send(
  seq: number,
  a: number,
  rest: Partial<ProducerSequence> & { topic?: string } = {},
): Promise<AppendResult> {
  const { topic = "s", ...of } = rest;
  return db.append(topic, [{ a }], { producer: { id: "p", epoch: 0, seq, ...of } });
}

async function stored(topic = "s"): Promise<number[]> {
  const found: number[] = [];
  for await (const { valueJson } of db.readTopic(topic)) found.push(JSON.parse(valueJson as string).a);
  return found;
}

describe("a request", () => {
  it("is stored once, and answered as the first time", async () => {
    await fresh();
    const first = await send(0, 10);
    const second = await send(1, 11);
    expect(second).toMatchObject({ count: 1, firstOffset: 1, lastOffset: 1 });
    expect(await send(0, 10)).toEqual(first);
    expect(await send(1, 11)).toEqual(second);
    expect(await stored()).toEqual([10, 11]);
  });

  it("that comes twice at once is stored once", async () => {
    await fresh();
    const answers = await Promise.all([send(0, 1), send(0, 1), send(0, 1)]);
    expect(answers).toEqual([answers[0], answers[0], answers[0]]);
    expect(await stored()).toEqual([1]);
  });

  it("is refused while one before it is missing", async () => {
    await fresh();
    await send(0, 10);
    await expect(send(2, 12)).rejects.toMatchObject({
      code: "out_of_sequence",
      status: 409,
      message: 'producer "p" is expected to send 1 to "s", not 2',
      expected: { seq: 1, received: 2 },
      epoch: 0,
    });
    await send(1, 11);
    await send(2, 12);
    expect(await stored()).toEqual([10, 11, 12]);
  });

  it("of which only the number is remembered is known to be stored", async () => {
    await fresh();
    const answers: AppendResult[] = [];
    for (let i = 0; i < REMEMBERED + 2; i++) answers.push(await send(i, i));
    expect(await send(2, 2)).toEqual(answers[2]);
    const forgotten = await send(1, 1);
    expect(forgotten.count).toBe(0);
    expect(Number(forgotten.position)).toBeGreaterThanOrEqual(Number((answers[1] as AppendResult).position));
    expect(await stored()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("counts for its topic alone", async () => {
    await fresh();
    await send(0, 1);
    await send(0, 2, { topic: "other" });
    await send(1, 3);
    await expect(send(2, 4, { topic: "other" })).rejects.toMatchObject({ code: "out_of_sequence" });
    expect([await stored(), await stored("other")]).toEqual([[1, 3], [2]]);
  });

  it("that is refused for its rows does not use its number", async () => {
    await fresh();
    await expect(
      db.append("s", [{ a: "x" }], { producer: { id: "p", epoch: 0, seq: 0 } }),
    ).rejects.toMatchObject({
      code: "datatype_mismatch",
    });
    await send(0, 7);
    expect(await stored()).toEqual([7]);
  });

  it("may count its records, and is refused where a part of them is stored", async () => {
    await fresh();
    const rows = [{ a: 0 }, { a: 1 }, { a: 2 }];
    const first = await db.append("s", rows, { producer: { id: "p", epoch: 0, seq: 0, count: 3 } });
    expect(await db.append("s", rows, { producer: { id: "p", epoch: 0, seq: 0, count: 3 } })).toEqual(first);
    await expect(
      db.append("s", rows, { producer: { id: "p", epoch: 0, seq: 2, count: 3 } }),
    ).rejects.toMatchObject({ code: "out_of_sequence", expected: { seq: 3, received: 2 } });
    await send(3, 3);
    expect(await stored()).toEqual([0, 1, 2, 3]);
  });

  it.each([
    { id: "" },
    { id: "x\n" },
    { seq: -1 },
    { seq: 1.5 },
    { epoch: -1 },
    { count: 0 },
    { epoch: 2 ** 53 },
  ])("with %j is refused", async (wrong) => {
    await fresh();
    await expect(send(0, 1, wrong)).rejects.toMatchObject({ code: "invalid_request" });
    expect(await stored()).toEqual([]);
  });

  it("has no idempotency key beside", async () => {
    await fresh();
    const producer = { id: "p", epoch: 0, seq: 0 };
    await expect(db.append("s", [{ a: 1 }], { producer, idempotencyKey: "k" })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});

describe("an epoch", () => {
  it("that has begun fences the one before, on every topic", async () => {
    await fresh();
    expect(await db.registerProducer("p")).toMatchObject({ epoch: 0 });
    await send(0, 1);
    expect(await db.registerProducer("p")).toMatchObject({ epoch: 1 });
    for (const topic of ["s", "other"]) {
      await expect(send(1, 2, { topic })).rejects.toMatchObject({ code: "fenced", status: 403, epoch: 1 });
    }
    await expect(send(0, 1)).rejects.toMatchObject({ code: "fenced" });
    await send(0, 3, { epoch: 1 });
    expect(await stored()).toEqual([1, 3]);
  });

  it("may be begun by a request with number 0", async () => {
    await fresh();
    await send(0, 1, { epoch: 4 });
    await expect(send(1, 2, { epoch: 5 })).rejects.toMatchObject({ code: "invalid_request" });
    await send(0, 2, { epoch: 5 });
    await expect(send(1, 2, { epoch: 4 })).rejects.toMatchObject({ code: "fenced", epoch: 5 });
    expect(await db.producer("p")).toMatchObject({ epoch: 5, topics: [{ topic: "s", seq: 0 }] });
  });

  it("is begun once by a request that is repeated", async () => {
    const disk = await fresh();
    const first = await db.registerProducer("p", { idempotencyKey: "one" });
    await db.registerProducer("q", { idempotencyKey: "two" });
    expect(await db.registerProducer("p", { idempotencyKey: "three" })).toMatchObject({ epoch: 1 });
    expect(await db.registerProducer("p", { idempotencyKey: "one" })).toEqual(first);
    await expect(db.registerProducer("q", { idempotencyKey: "one" })).rejects.toMatchObject({
      code: "idempotency_conflict",
    });
    await db.close();
    await open(disk);
    expect(await db.registerProducer("p", { idempotencyKey: "one" })).toEqual(first);
    expect(await db.producer("p")).toMatchObject({ epoch: 1 });
  });
});

describe("what is known of producers", () => {
  it.each(["checkpoint", "log"])("comes back from the %s", async (from) => {
    const disk = await fresh();
    const answers: AppendResult[] = [];
    for (let i = 0; i < 8; i++) answers.push(await send(i, i));
    await db.registerProducer("q");
    if (from === "log") {
      // Not closed: what the disk holds is all there is.
      const crashed = disk.reboot("process");
      await db.close().catch(() => {});
      await open(crashed);
    } else {
      await db.close();
      await open(disk);
    }
    for (let i = 3; i < 8; i++) expect(await send(i, i)).toEqual(answers[i]);
    expect((await send(2, 2)).count).toBe(0);
    await expect(send(9, 9)).rejects.toMatchObject({ expected: { seq: 8, received: 9 } });
    expect(await db.registerProducer("q")).toMatchObject({ epoch: 1 });
    await send(8, 8);
    expect(await stored()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("is a table that everyone reads and nobody writes", async () => {
    await fresh();
    await send(0, 1);
    await send(1, 2);
    expect(
      await rowsOf(db, "SELECT producer, topic, epoch, seq, first_offset FROM evert_producers ORDER BY seq"),
    ).toEqual([
      ["p", "s", "0", "0", "0"],
      ["p", "s", "0", "1", "1"],
    ]);
    for (const text of [
      "INSERT INTO evert_producers (producer) VALUES ('p')",
      "INSERT INTO evert_producers SELECT * FROM evert_producers",
      "BEGIN; INSERT INTO evert_producers (producer) VALUES ('p'); COMMIT",
      "DELETE FROM evert_producers",
      "UPDATE evert_producers SET epoch = 7",
      "DROP TABLE evert_producers",
      "CREATE INDEX ON evert_producers (epoch)",
      "TRUNCATE evert_producers",
      "ALTER TABLE evert_producers SET (compact)",
    ]) {
      await expect(sql(db, text)).rejects.toThrow(/42809 "evert_producers" is kept by the database itself/);
    }
    await expect(db.copy("COPY evert_producers (producer) FROM STDIN")).rejects.toMatchObject({
      code: "wrong_object_type",
    });
    const row = { producer: "p", topic_id: 0, slot: 0, epoch: 9, position: 1, used_at: new Date(0) };
    await expect(db.append("evert_producers", [row])).rejects.toMatchObject({ code: "wrong_object_type" });
    await expect(sql(db, "CREATE TABLE evert_producers (a int4)")).rejects.toThrow(/42P07/);
    expect(db.topics().map(({ name }) => name)).toEqual(["s", "other"]);
  });

  it("can be shown by a view, which follows it", async () => {
    const disk = await fresh();
    await sql(
      db,
      "CREATE MATERIALIZED VIEW sent AS SELECT producer, max(last_seq) AS last FROM evert_producers GROUP BY 1",
    );
    for (let i = 0; i < 7; i++) await send(i, i);
    expect(await rowsOf(db, "SELECT * FROM sent")).toEqual([["p", "6"]]);
    await db.close();
    await open(disk);
    await send(7, 7);
    expect(await rowsOf(db, "SELECT * FROM sent")).toEqual([["p", "7"]]);
  });

  it("goes with the topic", async () => {
    const disk = await fresh();
    for (let i = 0; i < 6; i++) await send(i, i);
    await sql(db, "DROP TABLE s");
    expect(await rowsOf(db, "SELECT * FROM evert_producers")).toEqual([]);
    await db.close();
    await open(disk);
    await sql(db, "CREATE TABLE s (a int4) WITH (append_only)");
    await expect(send(6, 6)).rejects.toMatchObject({
      code: "out_of_sequence",
      expected: { seq: 0, received: 6 },
    });
    await send(0, 7);
    expect(await stored()).toEqual([7]);
  });

  it("is forgotten after seven days, when another one comes", async () => {
    const clock = new SimulatedClock();
    const disk = await fresh(clock);
    await send(0, 1);
    await send(0, 1, { id: "late" });
    clock.advance(IDLE_US_MAX / 2);
    await send(1, 2, { id: "late" });
    clock.advance(IDLE_US_MAX / 2 + 1_000_000);
    await send(0, 3, { id: "new" });
    expect(await rowsOf(db, "SELECT DISTINCT producer FROM evert_producers ORDER BY 1")).toEqual([
      ["late"],
      ["new"],
    ]);
    const check = async () => {
      expect(await db.producer("p")).toBeNull();
      await expect(send(1, 2)).rejects.toMatchObject({
        code: "out_of_sequence",
        expected: { seq: 0, received: 1 },
      });
    };
    await check();
    await db.close();
    await open(disk, clock);
    await check();
  });
});

describe("a hostile network", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "with seed %i stores everything once and in order, over restarts",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = await fresh();
      let acknowledged = -1;
      for (let round = 0; round < 120; round++) {
        // Anything that was ever sent may come again, at any time, several at once; and what is to come, too early.
        const seqs = Array.from({ length: 1 + random.below(5) }, () =>
          Math.max(0, acknowledged + 2 - random.below(7)),
        );
        await Promise.all(
          seqs.map(async (seq) => {
            try {
              await send(seq, seq * 10);
              acknowledged = Math.max(acknowledged, seq);
            } catch (error) {
              expect(error).toMatchObject({ code: "out_of_sequence" });
            }
          }),
        );
        if (!random.oneIn(15)) continue;
        const crashed = disk.reboot(random.oneIn(2) ? "process" : "power cut");
        await db.close().catch(() => {});
        disk = crashed;
        await open(disk);
      }
      expect(acknowledged).toBeGreaterThan(20);
      expect(await stored()).toEqual(Array.from({ length: acknowledged + 1 }, (_, i) => i * 10));
    },
  );
});
