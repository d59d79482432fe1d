/** A producer of the client, behind a network that does its worst: everything is stored once and in order. */
import { beforeEach, describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";
import { behind, client, crash, engine, numbers, proxy, stored } from "./hostile.ts";

beforeEach(async () => {
  await sql(engine, "CREATE TABLE s (n int4) WITH (append_only); CREATE TABLE u (n int4) WITH (append_only)");
});

describe("through a hostile network", () => {
  test.each([1, 2])("everything is stored once and in order, seed %i", async (seed) => {
    await behind(seed);
    const producer = client.producer("p");
    const answers = await Promise.all(
      numbers(50).flatMap((n) => [
        producer.append("s", { n }),
        producer.append("u", [{ n: 2 * n }, { n: 2 * n + 1 }]),
      ]),
    );
    await proxy.calm();
    expect(await stored("s")).toEqual(numbers(50));
    expect(await stored("u")).toEqual(numbers(100));
    // Each was told where its own rows are.
    const offsets = answers.filter((_, i) => i % 2 === 0).map(({ firstOffset }) => firstOffset);
    expect(offsets).toEqual(numbers(50));
    const { dropped, doubled, lost } = proxy.counts;
    expect(Math.min(dropped, doubled, lost)).toBeGreaterThan(0);
  });

  test.each([5, 6])("also while the server crashes and comes back, seed %i", async (seed) => {
    await behind(seed);
    const random = new SeededRandom(seed);
    const producer = client.producer("p");
    const all = Promise.all(numbers(60).map((n) => producer.append("s", { n })));
    for (let crashes = 0; crashes < 3; crashes++) {
      await new Promise((resolve) => setTimeout(resolve, 60 + random.below(100)));
      await crash(random);
    }
    await all;
    await proxy.calm();
    expect(await stored("s")).toEqual(numbers(60));
  });

  test("what is refused is left out, and nothing behind it is lost or doubled", async () => {
    await behind(8);
    const producer = client.producer("p");
    const outcomes = await Promise.allSettled(
      numbers(40).map((n) => producer.append("s", n % 9 === 4 ? { n: "wrong" } : { n })),
    );
    const refused = numbers(40).filter((n) => n % 9 === 4);
    expect(outcomes.flatMap(({ status }, n) => (status === "rejected" ? [n] : []))).toEqual(refused);
    await proxy.calm();
    expect(await stored("s")).toEqual(numbers(40).filter((n) => n % 9 !== 4));
  });
});

describe("two instances", () => {
  test("the newer one goes on, the older is told", async () => {
    await behind(1);
    proxy.isKind = true;
    const [older, newer] = [client.producer("p"), client.producer("p")];
    await older.append("s", { n: 0 });
    await newer.append("s", { n: 1 });
    await expect(older.append("s", { n: 9 })).rejects.toMatchObject({ code: "fenced" });
    await expect(older.append("u", { n: 9 })).rejects.toMatchObject({ code: "fenced" });
    await newer.append("s", { n: 2 });
    expect([older.epoch, newer.epoch]).toEqual([0, 1]);
    expect(await stored("s")).toEqual([0, 1, 2]);
  });
});

test("a topic that is made anew is gone on with", async () => {
  await behind(1);
  proxy.isKind = true;
  const producer = client.producer("p");
  await producer.append("s", { n: 0 });
  await producer.append("s", { n: 1 });
  await sql(engine, "DROP TABLE s; CREATE TABLE s (n int4) WITH (append_only)");
  await producer.append("s", { n: 2 });
  expect(await stored("s")).toEqual([2]);
});

test("closed, it refuses what comes, and flush() waits for what went before", async () => {
  await behind(1);
  proxy.isKind = true;
  const producer = client.producer("p");
  const answers = numbers(20).map((n) => producer.append("s", { n }));
  await producer.flush();
  await Promise.all(answers);
  producer.close();
  await expect(producer.append("s", { n: 99 })).rejects.toMatchObject({ code: "shutting_down" });
  expect(await rowsOf(engine, "SELECT count(*) FROM s")).toEqual([["20"]]);
});
