/** CREATE INDEX over many rows was done by a replica in one turn of its event loop, when it met the index in the log: its readers waited. */
import { expect, test } from "vitest";
import { level, Node } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

test.each(["CREATE INDEX i ON t (a DESC, k)", "CREATE UNIQUE INDEX i ON t (b)"])("%s", async (create) => {
  const leader = await Node.start();
  await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4, b text)");
  await sql(leader.db, "INSERT INTO t SELECT g, g % 1000, 'b' || g FROM generate_series(1, 30000) g");
  const replica = await Node.start({ follow: { url: leader.url } });
  await level(leader.db, replica.db);
  const { core } = replica.db;
  const store = core.tables.store(core.catalog.topic("t").id)!;
  let slices = 0;
  const grow = store.growIndex.bind(store);
  store.growIndex = (spec) => {
    const growth = grow(spec);
    return {
      advance(slots) {
        if (slots > 0) slices++;
        return growth.advance(slots);
      },
      release: () => growth.release(),
    };
  };
  // Whoever asks for an index that is not there has it made at once.
  const atOnce: string[] = [];
  const { orderedIndex, hashIndex } = store;
  store.orderedIndex = (spec) => {
    const before = store.orderedIndexes.length;
    const index = orderedIndex.call(store, spec);
    if (store.orderedIndexes.length > before) atOnce.push("ordered");
    return index;
  };
  store.hashIndex = (spec) => {
    const before = store.hashIndexes.length;
    const index = hashIndex.call(store, spec);
    if (store.hashIndexes.length > before) atOnce.push("hash");
    return index;
  };
  await sql(leader.db, create);
  await leader.db.append("t", [{ k: 0, a: -1, b: "last" }]);
  await level(leader.db, replica.db);
  expect(slices).toBeGreaterThan(10);
  expect(atOnce).toEqual([]);
  const query = "SELECT k FROM t WHERE b = 'b777' OR a = -1 ORDER BY a DESC, k LIMIT 5";
  expect(await rowsOf(replica.db, query)).toEqual([["777"], ["0"]]);
  expect(await rowsOf(replica.db, "SELECT count(*) FROM t WHERE a = 5")).toEqual([["30"]]);
  await replica.stop();
  await leader.stop();
});
