/** Who followed a topic while its columns changed was given records under the names that the columns had before, and values of other columns under them. */
import { expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const KINDS = {
  stream: "CREATE TABLE t (a int4, b text, n int4) WITH (append_only)",
  table: "CREATE TABLE t (a int4, b text, n int4 PRIMARY KEY)",
  "table without key": "CREATE TABLE t (a int4, b text, n int4)",
};

for (const [kind, create] of Object.entries(KINDS)) {
  test(`a ${kind} is followed in the columns that it has when it is read`, async () => {
    const db = await openInMemory();
    await sql(db, `${create}; INSERT INTO t VALUES (1, 'x', 0)`);
    const stop = new AbortController();
    const following = db.readTopic("t", { follow: true, signal: stop.signal })[Symbol.asyncIterator]();
    const next = async () => {
      const { value } = await following.next();
      return [value?.keyJson, JSON.parse(value?.valueJson ?? "null")];
    };
    const key = (n: number) => (kind === "table" ? String(n) : undefined);
    expect(await next()).toEqual([key(0), { a: 1, b: "x", n: 0 }]);
    let coming = next();
    await sql(
      db,
      "ALTER TABLE t DROP COLUMN a, ADD COLUMN c int8 DEFAULT 7; INSERT INTO t VALUES ('y', 1, 2)",
    );
    expect(await coming).toEqual([key(1), { b: "y", n: 1, c: 2 }]);
    coming = next();
    await sql(db, "ALTER TABLE t RENAME COLUMN n TO m; INSERT INTO t VALUES ('z', 2, 3)");
    expect(await coming).toEqual([key(2), { b: "z", m: 2, c: 3 }]);
    stop.abort();
    await following.return?.();
    await db.close();
  });
}

test("a stream of Arrow, which has one schema, is broken off where the columns change", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (a int4, b int4) WITH (append_only); INSERT INTO t VALUES (1, 2)");
  const following = db.readTopicArrow("t", { follow: true })[Symbol.asyncIterator]();
  await following.next();
  await following.next();
  const coming = following.next();
  await sql(db, "ALTER TABLE t DROP COLUMN a; INSERT INTO t VALUES (3)");
  await expect(coming).rejects.toMatchObject({ code: "conflict", hint: "Read on from offset 1." });
  await db.close();
});

test("a consumer of the client is given columns that come later in their types, with all digits", async () => {
  const db = await openInMemory();
  const server = await createHttpServer(db, { port: 0, drainMs: 0 });
  const client = connect(server.url);
  await sql(db, "CREATE TABLE t (a int4) WITH (append_only); INSERT INTO t VALUES (1)");
  const seen: unknown[] = [];
  for await (const { records } of client.consumer("c", { topics: ["t"] })) {
    seen.push(...records.map(({ value }) => value));
    if (seen.length === 3) break;
    if (seen.length > 1) continue;
    await sql(
      db,
      "ALTER TABLE t ADD COLUMN b int8, ADD COLUMN c numeric; INSERT INTO t VALUES (2, 9007199254740993, 12345678901234567890.5), (3, 1, 2)",
    );
  }
  expect(seen).toEqual([
    { a: 1 },
    { a: 2, b: 9007199254740993n, c: "12345678901234567890.5" },
    { a: 3, b: 1, c: "2" },
  ]);
  client.close();
  await server.close();
  await db.close();
});
