/**
 * PostgreSQL's sum of nothing but -0 is -0, and avg of it 0; sum was 0. Found by sql/answers.test.ts, seed 533373103.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("sums -0 to -0 as long as there is nothing else", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, x float8)");
  const query = "SELECT sum(x), avg(x), count(*) FROM t";
  await sql(db, `CREATE MATERIALIZED VIEW v AS ${query}`);
  const answers = async (statement: string, answer: readonly (string | null)[]) => {
    await sql(db, statement);
    expect(await rowsOf(db, "SELECT * FROM v"), statement).toEqual([answer]);
    expect(await rowsOf(db, query), statement).toEqual([answer]);
  };
  await answers("INSERT INTO t VALUES (1, '-0')", ["-0", "0", "1"]);
  await answers("INSERT INTO t VALUES (2, '-0'), (3, NULL)", ["-0", "0", "3"]);
  await answers("INSERT INTO t VALUES (4, 1)", ["1", "0.3333333333333333", "4"]);
  await answers("DELETE FROM t WHERE k = 4", ["-0", "0", "3"]);
  await answers("UPDATE t SET x = 0 WHERE k = 3", ["0", "0", "3"]);
  await answers("UPDATE t SET x = NULL WHERE k = 3", ["-0", "0", "3"]);
  await answers("UPDATE t SET x = 0", ["0", "0", "3"]);
  await answers("UPDATE t SET x = NULL", [null, null, "3"]);
  await answers("INSERT INTO t VALUES (5, '-0'), (6, 'infinity')", ["Infinity", "Infinity", "5"]);
  await answers("DELETE FROM t WHERE k = 6", ["-0", "0", "4"]);
  await db.close();
});
