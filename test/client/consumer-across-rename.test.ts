/** A named consumer that follows a topic while that gets another name: it goes on, and nothing is missing or comes twice. */
import { afterEach, expect, test } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import { connect } from "../../src/client/index.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

let db: Database;
let server: HttpServer;
const refused: string[] = [];

afterEach(async () => {
  await server.close();
  await db.close();
});

async function begin(): Promise<void> {
  db = await openInMemory();
  await sql(db, "CREATE TABLE s (n int4, v int4) WITH (append_only)");
  server = await createHttpServer(db, { port: 0 });
}

/** What the consumer is given; `at` runs when it has so many. */
async function read(until: number, at: ReadonlyMap<number, () => Promise<unknown>>, topic = "s") {
  const client = connect(server.url);
  const values: Record<string, unknown>[] = [];
  for await (const batch of client.consumer("c", { topics: [topic], batchRecordsMax: 3 })) {
    for (const { value } of batch.records) {
      values.push(value as Record<string, unknown>);
      await at.get(values.length)?.();
    }
    await batch.commit().catch((error: EvertError) => refused.push(error.code));
    if (values.length >= until) break;
  }
  client.close();
  return values;
}

async function append(rows: readonly object[], topic = "s"): Promise<void> {
  await db.append(topic, rows);
}

test("a topic that gets another name while it is followed", async () => {
  await begin();
  await append([{ n: 1, v: 1 }]);
  const first = read(
    2,
    new Map([
      [
        1,
        async () => {
          await sql(db, "ALTER TABLE s RENAME TO r");
          await append([{ n: 2, v: 2 }], "r");
        },
      ],
    ]),
  );
  expect((await first).map(({ n }) => n)).toEqual([1, 2]);
  // What it commits under the old name is refused; by the new one it goes on behind what it has committed.
  expect(refused.splice(0)).toEqual(["undefined_table", "undefined_table"]);
  const { topics } = await db.consumer("c");
  expect(topics).toMatchObject([{ topic: "r" }]);
  const at = topics[0]!.offset;
  await append([{ n: 3, v: 3 }], "r");
  expect((await read(3 - at, new Map(), "r")).map(({ n }) => n)).toEqual([1, 2, 3].slice(at));
});
