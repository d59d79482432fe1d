/** A client's consumer took values by the types that its topic had when it began: after ALTER TYPE under the same name they came without their digits, or as what they are made of. */
import { expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const LARGE = 2n ** 60n + 1n;

for (const follow of [true, false]) {
  test(`a consumer is given values in the types of their columns, ${follow ? "while it follows" : "as far as there are records"}`, async () => {
    const db = await openInMemory();
    const server = await createHttpServer(db, { port: 0, drainMs: 0 });
    const client = connect(server.url);
    await sql(db, "CREATE TABLE t (a int4, b int8) WITH (append_only); INSERT INTO t VALUES (1, 1)");
    const consumer = client.consumer("c", { topics: ["t"], batchRecordsMax: 1, follow });
    const seen: unknown[] = [];
    const changes = [
      `ALTER TABLE t ALTER COLUMN a TYPE int8; INSERT INTO t VALUES (${LARGE}, 2)`,
      `ALTER TABLE t ALTER COLUMN b TYPE numeric; INSERT INTO t VALUES (3, 1.50)`,
    ];
    if (!follow) for (const change of changes) await sql(db, change);
    for await (const { records } of consumer) {
      for (const { value } of records) seen.push([value?.["a"], value?.["b"]]);
      if (seen.length === 3) break;
      if (follow) await sql(db, changes[seen.length - 1] as string);
    }
    const [one, two, three] = seen as [unknown[], unknown[], unknown[]];
    expect(two[0]).toBe(LARGE);
    expect(three).toEqual([3, "1.50"]);
    expect([Number(one[0]), Number(one[1])]).toEqual([1, 1]);
    client.close();
    await server.close();
    await db.close();
  });
}
