/**
 * What the log and the engine keep to take a topic's rows in (its open columns, the chunk that steps are fed from) stayed for ever when the topic was
 * dropped: a program that makes a table for each job grew by each of them.
 */
import { queryObjects } from "node:v8";
import { expect, it } from "vitest";
import { Feeder } from "../../src/engine/builds/feeder.ts";
import { OpenTopic } from "../../src/log/open-topic.ts";
import { Store } from "../../src/state/store.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const kept = [OpenTopic, Feeder, Store];

/** How many of each there are, once what nobody has any more is gone. */
function counts(): Record<string, number> {
  return Object.fromEntries(kept.map((kind) => [kind.name, queryObjects(kind, { format: "count" })]));
}

const JOBS = 3;

it("keeps nothing of a dropped topic that was for its next rows", async () => {
  const engine = await openInMemory();
  const work = async (names: readonly string[]): Promise<void> => {
    for (const name of names) {
      await sql(engine, `CREATE TABLE keyed_${name} (id int PRIMARY KEY, note text)`);
      await sql(engine, `CREATE TABLE plain_${name} (id int, note text)`);
      await sql(
        engine,
        `CREATE MATERIALIZED VIEW v_${name} AS SELECT note, count(*) AS n FROM plain_${name} GROUP BY note`,
      );
      await sql(engine, `INSERT INTO keyed_${name} VALUES (1, 'a'), (2, 'b')`);
      await sql(engine, `INSERT INTO plain_${name} VALUES (1, 'a'), (2, 'b')`);
    }
  };
  const dropped = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await sql(engine, `DROP TABLE keyed_${name}, plain_${name} CASCADE`);
    // What has left is freed in the steps to come.
    for (let id = 0; id < 3; id++) await sql(engine, `INSERT INTO stays VALUES (${id})`);
  };
  await sql(engine, "CREATE TABLE stays (id int)");
  await work(["first"]);
  await dropped(["first"]);
  const before = counts();
  const names = Array.from({ length: JOBS }, (_, n) => `job${n}`);
  await work(names);
  const among = counts();
  for (const kind of ["OpenTopic", "Feeder", "Store"])
    expect([kind, among[kind]! - before[kind]! >= 2 * JOBS]).toEqual([kind, true]);
  await dropped(names);
  expect(counts()).toEqual(before);
  await engine.close();
});
