/** UPDATE and DELETE did not see the rows that the same transaction had inserted into a table without primary key. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a transaction changes and deletes its own new rows", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (n int4, s text NOT NULL); INSERT INTO t VALUES (1, 'old')");
  const { results, error } = await db.sql(
    `BEGIN; INSERT INTO t VALUES (1, 'new'), (2, 'gone'), (3, 'new'); UPDATE t SET n = n + 10 WHERE n = 1;
     DELETE FROM t WHERE n = 2; COMMIT`,
  );
  expect(error).toBeUndefined();
  expect(results.map((r) => r.command)).toEqual(["BEGIN", "INSERT 0 3", "UPDATE 2", "DELETE 1", "COMMIT"]);
  expect(await rowsOf(db, "SELECT n, s FROM t ORDER BY n, s")).toEqual([
    ["3", "new"],
    ["11", "new"],
    ["11", "old"],
  ]);
  const refused = await db.sql(
    "BEGIN; INSERT INTO t VALUES (4, 'x'); UPDATE t SET s = NULL WHERE n = 4; COMMIT",
  );
  expect(refused.error).toMatchObject({ sqlstate: "23502" });
  await db.close();
});
