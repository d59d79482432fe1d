/**
 * A browser that comes back with the id that it was given last is told what came after it. Between a reset and the end of its snapshot that is an id of the rows that it was told to
 * give up: it had a part of the snapshot, and was told the steps since long before it.
 */
import { expect, it } from "vitest";
import { client, engine } from "../servers/http/served.ts";

it("who was told to begin anew, and has not been told all, begins anew when it comes back", async () => {
  await engine.sql("CREATE TABLE t (id int PRIMARY KEY, n int)");
  await engine.sql("CREATE MATERIALIZED VIEW v AS SELECT id, 10 / n AS q FROM t");
  await engine.sql("INSERT INTO t SELECT g, 1 FROM generate_series(1, 15000) g");
  await engine.settled();
  for (const path of ["/v1/views/v/rows", "/v1/subscribe?view=v"]) {
    const events = await client.events(path);
    while ((await events.next())?.id === "");
    await engine.sql("UPDATE t SET n = 0 WHERE id = 7");
    const error = await events.next();
    expect(error).toMatchObject({ event: "error" });
    const afterError = await client.events(path, { "Last-Event-ID": error?.id ?? "" });
    expect(await afterError.next()).toMatchObject({ event: "reset" });
    await afterError.close();
    await engine.sql("UPDATE t SET n = 2 WHERE id = 7");
    // The row that fails leaves the view.
    while ((await events.next())?.event !== "reset");
    const amid = await events.next();
    expect(amid).toMatchObject({ event: "snapshot", data: { last: false } });
    await events.close();
    const again = await client.events(path, { "Last-Event-ID": amid?.id ?? "" });
    expect(await again.next()).toMatchObject({ event: "reset" });
    expect(await again.next()).toMatchObject({ event: "snapshot" });
    await again.close();
  }
});
