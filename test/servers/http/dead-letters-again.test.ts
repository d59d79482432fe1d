/** A request that put records aside and comes again when its topic sends them elsewhere, or nowhere: the first answer, word for word. It was told the offsets of dead letters as those of its records. */
import { beforeEach, expect, test } from "vitest";
import { sql } from "../../engine/support/memory.ts";
import { client, close, engine, open } from "./served.ts";

const path = "/v1/topics/t/records";
/** All of it is put aside; some of it. */
const bodies = ["nonsense\n", '{"n":1}\n{"n":"x"}\n'];

beforeEach(async () => {
  // Dead letters of one topic, made with it, are older than the other topic that sends its own there.
  await sql(engine, "CREATE TABLE elder (n int4) WITH (append_only, dead_letters = 'dead')");
  await sql(engine, "ALTER TABLE elder RESET (dead_letters)");
  await sql(engine, "CREATE TABLE t (n int4) WITH (append_only, dead_letters = 'dead')");
  // The dead letters' offsets are not those of the topic.
  await client.ndjson(path, "x\ny\nz\n");
});

for (const [how, statements] of [
  ["nowhere", ["ALTER TABLE t RESET (dead_letters)"]],
  ["to another stream", ["ALTER TABLE t SET (dead_letters = 'others')"]],
  ["nowhere, and the stream is gone", ["ALTER TABLE t RESET (dead_letters)", "DROP TABLE dead"]],
  [
    "nowhere, and its stream and the topic are made anew",
    [
      "ALTER TABLE t RESET (dead_letters)",
      "DROP TABLE dead, t",
      "CREATE TABLE t (n int4) WITH (append_only, dead_letters = 'dead')",
      "INSERT INTO t VALUES (7)",
    ],
  ],
  [
    "to a stream made anew",
    ["ALTER TABLE t RESET (dead_letters)", "DROP TABLE dead", "ALTER TABLE t SET (dead_letters = 'dead')"],
  ],
] as const)
  test(`dead letters go ${how} by then`, async () => {
    const send = async (): Promise<[number, unknown][]> => {
      const answers: { status: number; body: unknown }[] = [];
      for (const [i, body] of bodies.entries())
        answers.push(await client.ndjson(path, body, { "Idempotency-Key": `k${i}` }));
      return answers.map((answer) => [answer.status, answer.body]);
    };
    const first = await send();
    expect(first).toMatchObject([
      [200, { count: 0, firstOffset: 0, lastOffset: -1, deadLetters: 1 }],
      [200, { count: 1, firstOffset: 0, lastOffset: 0, deadLetters: 1 }],
    ]);
    expect(await send()).toEqual(first);
    for (const statement of statements) await sql(engine, statement);
    expect(await send()).toEqual(first);
    await close();
    await open();
    expect(await send()).toEqual(first);
  });

test("a producer's request of which all was put aside is known when nothing is put aside any more", async () => {
  const headers = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };
  const first = await client.ndjson(path, "nonsense\n", headers);
  expect(first).toMatchObject({ status: 200, body: { count: 0, deadLetters: 1 } });
  await sql(engine, "ALTER TABLE t RESET (dead_letters)");
  expect(await client.ndjson(path, "nonsense\n", headers)).toMatchObject({ status: 200, body: first.body });
});
