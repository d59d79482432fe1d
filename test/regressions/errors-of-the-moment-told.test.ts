/**
 * Who subscribes is told the rows of one moment, however slowly it takes them; whether a view has an error was asked when its turn came. A view that had healed by then was told
 * as it stood before, without the row that had failed, as if that had been all of it.
 */
import { expect, it } from "vitest";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import { told } from "../engine/support/memory.ts";
import { engine } from "../servers/http/served.ts";

it("tells an error that the view had at the moment that is told, though it has healed since", async () => {
  await engine.sql("CREATE TABLE many (id int PRIMARY KEY)");
  await engine.sql("INSERT INTO many SELECT g FROM generate_series(1, 25000) g");
  await engine.sql("CREATE TABLE t (id int PRIMARY KEY, n int)");
  await engine.sql("CREATE MATERIALIZED VIEW long AS SELECT id FROM many");
  await engine.sql("CREATE MATERIALIZED VIEW v AS SELECT id, 10 / n AS q FROM t");
  await engine.sql("INSERT INTO t VALUES (1, 5), (2, 0)");
  await told(engine);
  const events: SubscriptionEvent[] = [];
  const stop = new AbortController();
  for await (const event of engine.subscribe([{ view: "long" }, { view: "v" }], { signal: stop.signal })) {
    if (events.length === 0) await engine.sql("UPDATE t SET n = 1 WHERE id = 2");
    events.push(event);
    if (event.type === "snapshot" && event.view === "v" && event.last) break;
  }
  const ofV = events.filter((event) => event.type !== "step" && event.view === "v");
  expect(ofV.map(({ type }) => type)).toEqual(["error", "reset", "snapshot"]);
  expect(ofV.at(-1)).toMatchObject({ rowsJson: expect.arrayContaining([expect.stringContaining("10")]) });
});
