/**
 * CREATE INDEX whose definition waited for replicas for longer than its `timeout` gave up what had grown. When they came, the index grew again within the step that made it, with all others waiting for
 * it, and rows on disk came back once more.
 */
import { expect, test, vi } from "vitest";
import { started } from "../engine/replica/nodes.ts";
import { refusal, TABLES, until } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

test.each(["INDEX", "UNIQUE INDEX"])("CREATE %s that waits for replicas grows once", async (kind) => {
  const leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, TABLES);
  await leader.db.append(
    "t",
    Array.from({ length: 3_000 }, (_, k) => ({ k, a: `a${k}` })),
  );
  await leader.stop();
  await leader.start();
  const { core } = leader.db;
  const store = core.storeOf(core.catalog.topic("t").id)!;
  const warmers = store.warmers;
  const statement = leader.db.sql(`CREATE ${kind} late ON t (a)`).then(({ error }) => {
    if (error !== undefined) throw error;
  });
  expect(await refusal(statement)).toMatchObject({ code: "timeout" });
  const grow = vi.spyOn(store, "growIndex");
  await started({ follow: { url: leader.url } });
  await until(() => core.catalog.index("late") !== undefined);
  // What it is asked for again is all there.
  expect(grow).toHaveBeenCalled();
  for (const { value } of grow.mock.results) expect(value.advance(0)).toBe(true);
  await until(() => store.warmers === warmers);
  // No lease is left but the catalog's.
  await sql(leader.db, "DROP INDEX late");
  await until(() => store.orderedIndexes.length === 0);
});

test("CREATE INDEX that waits for replicas when the database is closed leaves nobody waiting", async () => {
  const leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, TABLES);
  await leader.stop();
  await leader.start();
  const { error } = await leader.db.sql("CREATE INDEX late ON t (a)");
  expect(error).toMatchObject({ code: "timeout" });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, "DROP INDEX late");
});
