/**
 * DELETE /v1/topics/{t}/records/{key} of a table whose key is jsonb, with a key that is an object: it was taken for the key's columns by name, of which it had none, and refused.
 */
import { expect, test } from "vitest";
import { client, engine } from "../servers/http/served.ts";

test.each(['{"b": 1, "a": 2}', '{"k": 1}', "[1, 2]", '"a"', "7"])("%s", async (key) => {
  await engine.sql(
    "CREATE TABLE t (k jsonb PRIMARY KEY, v int); CREATE MATERIALIZED VIEW w AS SELECT * FROM t",
  );
  await engine.sql("INSERT INTO t VALUES ($1, 1), ('null', 2)", { params: [key] });
  const path = encodeURIComponent(key);
  expect((await client.request(`/v1/views/w/rows/${path}`)).body).toMatchObject({
    row: { k: JSON.parse(key), v: 1 },
  });
  const { status, position } = await client.request(`/v1/topics/t/records/${path}`, { method: "DELETE" });
  expect(status).toBe(200);
  const rows = await client.request(`/v1/views/w/rows?atLeast=${position}`);
  expect(rows.body).toMatchObject({ rows: [{ k: null, v: 2 }] });
});
