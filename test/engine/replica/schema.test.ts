/** A replica changes its topics' columns as its leader does, also where it comes later, and answers the same. */
import { expect, it } from "vitest";
import { rowsOf, sql } from "../support/memory.ts";
import { started } from "./nodes.ts";
import { level } from "./support.ts";

it("has the columns that its leader has", async () => {
  const leader = await started();
  await sql(
    leader.db,
    "CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE TABLE s (x int) WITH (append_only)",
  );
  await sql(leader.db, "CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a");
  const early = await started({ follow: { url: leader.url } });
  await sql(
    leader.db,
    "INSERT INTO t SELECT g, g % 5, 'b' || g FROM generate_series(1, 500) g; INSERT INTO s VALUES (1)",
  );
  await sql(
    leader.db,
    "ALTER TABLE t ADD COLUMN c int DEFAULT 7, DROP COLUMN b; ALTER TABLE s ALTER x TYPE int8",
  );
  await sql(leader.db, "UPDATE t SET c = 8 WHERE id = 1; INSERT INTO s VALUES (5000000000)");
  await sql(
    leader.db,
    "ALTER TABLE t RENAME a TO aa; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (501, 1, 9)",
  );
  const late = await started({ follow: { url: leader.url } });
  const questions = [
    "SELECT * FROM u ORDER BY id",
    "SELECT * FROM v ORDER BY a",
    "SELECT * FROM s ORDER BY x",
  ];
  for (const replica of [early, late]) {
    await level(leader.db, replica.db);
    for (const question of questions)
      expect(await rowsOf(replica.db, question)).toEqual(await rowsOf(leader.db, question));
    expect(replica.db.schemas("u").map((s) => s.changes)).toEqual(
      leader.db.schemas("u").map((s) => s.changes),
    );
  }
});
