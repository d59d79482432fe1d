/** A consumer, over HTTP and in process, whose records have been given up by retention before it read them: it is told where the topic begins now, and its lag counts what is there. */
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import type { Database } from "../../src/engine/database.ts";
import { DbConsumer } from "../../src/engine/db/consumer.ts";
import { int8, text, topic } from "../../src/face/index.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const pad = "p".repeat(500);
const events = topic("events", { schema: { n: int8, pad: text } });
let db: Database;
let server: HttpServer;

afterEach(async () => {
  await server.close();
  await db.close();
});

interface Read {
  readonly name: string;
  open(options?: { reset?: boolean }): AsyncIterable<{
    readonly records: readonly { readonly offset: number }[];
    commit(): Promise<unknown>;
  }>;
}

const READERS: readonly { readonly kind: string; readonly reader: (follow: boolean) => Read }[] = [
  {
    kind: "over HTTP",
    reader: (follow) => ({
      name: "c",
      open: (options = {}) =>
        connect(server.url).consumer("c", { topics: ["events"], follow, batchRecordsMax: 10, ...options }),
    }),
  },
  {
    kind: "in process",
    reader: (follow) => ({
      name: "c",
      open: (options = {}) =>
        new DbConsumer(db, "c", { topics: [events], follow, batchRecordsMax: 10, ...options }),
    }),
  },
];

async function append(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 50)
    await db.append(
      "events",
      Array.from({ length: 50 }, (_, i) => ({ n: n + i, pad })),
    );
  await db.settled();
}

async function begin(): Promise<void> {
  db = await openInMemory(new SimulatedDisk(), { segmentBytes: 64 * 1024 });
  await sql(db, "CREATE TABLE events (n int8, pad text) WITH (append_only)");
  await append(0, 1000);
  server = await createHttpServer(db, { port: 0 });
}

/** Retention gives up most of what is there. */
async function giveUp(): Promise<number> {
  await sql(db, "ALTER TABLE events SET (retain_bytes = '1 B')");
  await db.compact();
  return db.topic("events").start;
}

describe.each(READERS)("$kind", ({ reader }) => {
  test("that comes back", async () => {
    await begin();
    let reached = 0;
    for await (const batch of reader(false).open()) {
      await batch.commit();
      reached = batch.records.at(-1)!.offset + 1;
      break;
    }
    expect((await db.consumer("c")).topics).toMatchObject([
      { offset: reached, lag: 1000 - reached, lost: 0 },
    ]);
    const start = await giveUp();
    expect(start).toBeGreaterThan(100);
    const [told] = (await db.consumer("c")).topics;
    expect(told).toMatchObject({ offset: reached, end: 1000, lag: 1000 - start, lost: start - reached });

    // Its progress stays as it was: nobody decides for it that what it has missed does not matter.
    const read = async (): Promise<void> => {
      for await (const _ of reader(false).open()) expect.unreachable();
    };
    for (let again = 0; again < 2; again++) {
      await expect(read()).rejects.toMatchObject({
        code: "records_gone",
        message: expect.stringContaining(`begins at offset ${start}`),
      });
      expect((await db.consumer("c")).topics).toMatchObject([{ offset: reached, lost: start - reached }]);
    }

    let next = start;
    for await (const batch of reader(false).open({ reset: true })) {
      for (const { offset } of batch.records) expect(offset).toBe(next++);
      await batch.commit();
    }
    expect(next).toBe(1000);
    expect((await db.consumer("c")).topics).toMatchObject([{ offset: 1000, lag: 0, lost: 0 }]);
  });

  test("that reads slowly meanwhile", async () => {
    await begin();
    const seen: number[] = [];
    let start = 0;
    let reached = 0;
    const read = async (): Promise<void> => {
      for await (const batch of reader(true).open()) {
        seen.push(...batch.records.map(({ offset }) => offset));
        if (start > 0) continue;
        reached = seen.length;
        await append(1000, 10_000);
        start = await giveUp();
        await batch.commit();
      }
    };
    const error = await read().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "records_gone",
      message: expect.stringContaining(`begins at offset ${start}`),
    });
    // What it had been sent by then it has seen in order and without a gap; nothing behind what is gone.
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => i));
    expect(seen.length).toBeLessThan(start);
    const [told] = (await db.consumer("c")).topics;
    expect(told).toMatchObject({ offset: reached, lag: 10_000 - start, lost: start - reached });
  });
});
