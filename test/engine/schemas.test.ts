/** Schemas that writers have registered: in the log, so that all copies of it know them by the same numbers. */
import { expect, it } from "vitest";
import { started } from "./replica/nodes.ts";
import { level } from "./replica/support.ts";
import { rowsOf, sql } from "./support/memory.ts";

it("a replica knows them, registers none, and counts on when it leads", async () => {
  const leader = await started();
  await sql(
    leader.db,
    "CREATE TABLE t (a int4) WITH (append_only); CREATE TABLE u (a int4) WITH (append_only)",
  );
  expect(await leader.db.registerSchema("t", "one")).toMatchObject({ id: 1, text: "one" });
  const replica = await started({ follow: { url: leader.url } });
  expect(await leader.db.registerSchema("u", "one")).toMatchObject({ id: 2 });
  expect(await leader.db.registerSchema("t", "one")).toMatchObject({ id: 1 });
  await level(leader.db, replica.db);
  expect(await replica.db.registeredSchemas()).toEqual(await leader.db.registeredSchemas());
  await expect(replica.db.registerSchema("t", "two")).rejects.toMatchObject({ code: "not_leader" });
  await leader.stop();
  await replica.db.replication.promote();
  expect(await replica.db.registerSchema("t", "two")).toMatchObject({ id: 3 });
  expect(await rowsOf(replica.db, "SELECT id, topic, schema FROM evert_schemas ORDER BY id")).toEqual([
    ["1", "t", "one"],
    ["2", "u", "one"],
    ["3", "t", "two"],
  ]);
});

it("nobody else writes them", async () => {
  const { db } = await started();
  await sql(db, "CREATE TABLE t (a int4) WITH (append_only)");
  await db.registerSchema("t", "one");
  await expect(sql(db, "DELETE FROM evert_schemas")).rejects.toThrow(/42809/);
  await expect(db.registerSchema("none", "one")).rejects.toMatchObject({ code: "undefined_table" });
});
