/** evert watch in a pipe told of a view's end twice: as the stream's last words, and again when it had connected to ask for what was gone. */
import { expect, test } from "vitest";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Running } from "../cli/run.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("a view that is dropped ends who watches it, with one error", async () => {
  const engine = await openInMemory(new SimulatedDisk());
  const server = await createHttpServer(engine, { port: 0 });
  try {
    await sql(engine, "CREATE TABLE s (n int4); INSERT INTO s VALUES (1)");
    await sql(engine, "CREATE MATERIALIZED VIEW v AS SELECT n FROM s");
    const running = new Running(["watch", "v"], { url: server.url });
    await running.until(() => running.stdout !== "");
    await sql(engine, "DROP MATERIALIZED VIEW v");
    const { code, stderr } = await running.done;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: view "v" does not exist \(undefined_table, 42P01\)\n(hint: .*\n)?$/);
  } finally {
    await server.close();
    await engine.close();
  }
});
