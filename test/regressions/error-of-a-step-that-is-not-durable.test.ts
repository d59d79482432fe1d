/**
 * Whether a view has an error was asked of the last step, its rows were those of what is published. Before the disk (or a replica) had a commit that healed the view, it was read without the error
 * and without the row that had failed, as it never was; and an error was told of a commit that might still be lost.
 */
import { expect, it } from "vitest";
import { started } from "../engine/replica/nodes.ts";
import { type Node, refusal } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

/** A leader whose commits wait for a follower that never comes. */
async function alone(first: string): Promise<Node> {
  const leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(
    leader.db,
    `CREATE TABLE t (id int PRIMARY KEY, n int);
     CREATE MATERIALIZED VIEW v AS SELECT id, 10 / n AS q FROM t;
     ${first}`,
  );
  await leader.stop();
  await leader.start();
  return leader;
}

it("reads answer with the error until what has healed the view is durable", async () => {
  const leader = await alone("INSERT INTO t VALUES (1, 5), (2, 0)");
  const { db } = leader;
  expect(await refusal(db.view("v").rows())).toMatchObject({ code: "division_by_zero" });
  expect(await refusal(db.append("t", [{ id: 2, n: 1 }]))).toMatchObject({ code: "timeout" });
  expect(await refusal(db.view("v").rows())).toMatchObject({ code: "division_by_zero" });
  expect(await refusal(db.view("v").get(2))).toMatchObject({ code: "division_by_zero" });
  expect(await db.sql("SELECT * FROM v")).toMatchObject({ error: { code: "division_by_zero" } });
  expect(await db.sql("SELECT id, 10 / n AS q FROM t")).toMatchObject({
    error: { code: "division_by_zero" },
  });
  expect(db.views().find(({ name }) => name === "v")).toMatchObject({ errors: 1 });
  db.core.log.confirm(db.core.log.lastPosition);
  expect((await db.view("v").rows()).rows).toEqual([
    { id: 1, q: 2 },
    { id: 2, q: 10 },
  ]);
  expect(db.views().find(({ name }) => name === "v")).toMatchObject({ errors: 0 });
  await leader.stop();
});

it("nobody is told of an error before its commit is durable", async () => {
  const leader = await alone("INSERT INTO t VALUES (1, 5)");
  const { db } = leader;
  expect(await refusal(db.append("t", [{ id: 2, n: 0 }]))).toMatchObject({ code: "timeout" });
  expect((await db.view("v").rows()).rows).toEqual([{ id: 1, q: 2 }]);
  expect(await rowsOf(db, "SELECT * FROM v")).toEqual([["1", "2"]]);
  expect(await rowsOf(db, "SELECT id, 10 / n AS q FROM t")).toEqual([["1", "2"]]);
  expect(db.views().find(({ name }) => name === "v")).toMatchObject({ errors: 0 });
  db.core.log.confirm(db.core.log.lastPosition);
  expect(await refusal(db.view("v").rows())).toMatchObject({ code: "division_by_zero" });
  await leader.stop();
});
