/** Rows are made at the pace of whoever takes them, and let go of when nobody does. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import type { ViewReader } from "../../../src/engine/api.ts";
import { createHttpServer } from "../../../src/servers/http/server.ts";
import { FakeEngine } from "../fake-engine.ts";
import { until } from "./harness.ts";

/** A view of `chunks` times 64 KiB. */
class LongView extends FakeEngine {
  made = 0;
  released = 0;
  readonly #chunks: number;

  constructor(chunks: number) {
    super();
    this.#chunks = chunks;
  }

  override view(name: string): ViewReader {
    const row = JSON.stringify({ id: 1, name: "x".repeat(64 * 1024) });
    const rows = async function* (this: LongView) {
      try {
        for (; this.made < this.#chunks; this.made++) yield [row];
      } finally {
        this.released++;
      }
    }.bind(this);
    const reader = super.view(name);
    const { fields } = reader.info.schema;
    return { ...reader, rowsJson: async () => ({ rowsJson: rows(), fields, position: "0" }) };
  }
}

test("a client that stops reading stops the making, and leaving lets go of the rows", async () => {
  const engine = new LongView(100_000);
  const server = await createHttpServer(engine, { port: 0 });
  const socket = connect(server.port, "127.0.0.1");
  socket.write("GET /v1/views/songs_view/rows HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(socket, "data");
  socket.pause();
  await until(() => engine.made > 1);
  // What fits into the sockets' buffers goes out, then nothing more.
  for (let before = -1; before !== engine.made; ) {
    before = engine.made;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(engine.made).toBeLessThan(1_000);
  expect(engine.released).toBe(0);
  socket.destroy();
  await until(() => engine.released === 1);
  await server.close();
});

test("all of it arrives, and is one JSON text", async () => {
  for (const chunks of [0, 1, 2, 3, 50]) {
    const engine = new LongView(chunks);
    const server = await createHttpServer(engine, { port: 0 });
    const response = await fetch(`${server.url}/v1/views/songs_view/rows`);
    const { rows, position } = (await response.json()) as { rows: unknown[]; position: string };
    expect([rows.length, position, engine.released]).toEqual([chunks, "0", 1]);
    await server.close();
  }
});
