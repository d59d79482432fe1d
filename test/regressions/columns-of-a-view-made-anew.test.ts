/**
 * A client asks for a view's columns once, and took the rows of another view of that name by them: one that was made anew, or another version of it that was promoted.
 */
import { afterEach, expect, it } from "vitest";
import { type Client, connect } from "../../src/client/index.ts";
import { engine, server } from "../servers/http/served.ts";

let client: Client | undefined;
afterEach(() => client?.close());

it("reads rows by the columns that the view has when they are read", async () => {
  await engine.sql("CREATE TABLE t (id int PRIMARY KEY, n int8)");
  await engine.sql("INSERT INTO t VALUES (1, 5)");
  await engine.sql("CREATE MATERIALIZED VIEW v AS SELECT id, n FROM t");
  client = connect(server.url);
  expect((await client.rows("v")).rows).toEqual([{ id: 1, n: 5 }]);
  expect(await client.get("v", 1)).toEqual({ id: 1, n: 5 });
  await engine.sql("DROP MATERIALIZED VIEW v");
  await engine.sql(
    "CREATE MATERIALIZED VIEW v AS SELECT id, 12345678901234567890.25 AS n, n + 9007199254740993 AS m FROM t",
  );
  const row = { id: 1, n: "12345678901234567890.25", m: 9007199254740998n };
  expect(await client.get("v", 1)).toEqual(row);
  await engine.sql("DROP MATERIALIZED VIEW v");
  await engine.sql("CREATE MATERIALIZED VIEW v AS SELECT id, n + 0.50 AS n FROM t");
  expect((await client.rows("v")).rows).toEqual([{ id: 1, n: "5.50" }]);
});

it("finds the row whose key is nothing, or what a path takes for a step", async () => {
  await engine.sql("CREATE TABLE t (id text PRIMARY KEY, n int)");
  await engine.sql("CREATE MATERIALIZED VIEW v AS SELECT id, n FROM t");
  await engine.sql("INSERT INTO t VALUES ('', 1), ('.', 2), ('..', 3), ('a/b', 4)");
  client = connect(server.url);
  for (const [at, id] of ["", ".", "..", "a/b"].entries())
    expect(await client.get("v", id)).toEqual({ id, n: at + 1 });
  await engine.sql("DELETE FROM t WHERE id = '.'");
  expect(await client.get("v", ".", { atLeast: engine.position })).toBeUndefined();
});

it("goes on for the others who wait for a view's columns when one of them does not any more", async () => {
  await engine.sql("CREATE MATERIALIZED VIEW v AS SELECT 1 AS n");
  client = connect(server.url);
  const impatient = new AbortController();
  const first = client.rows("v", { signal: impatient.signal });
  const second = client.rows("v");
  impatient.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  expect((await second).rows).toEqual([{ n: 1 }]);
});

it("does not take an address at which there is no such server for a row that is not there", async () => {
  client = connect(`${server.url}/elsewhere`);
  await expect(client.get("v", 1)).rejects.toMatchObject({ code: "not_found" });
});
