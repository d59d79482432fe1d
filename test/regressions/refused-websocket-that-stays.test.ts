/** A WebSocket that was refused, and whose client did not end its half of the connection, stayed open, and the server did not close. */
import { connect } from "node:net";
import { expect, test } from "vitest";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { FakeEngine } from "../servers/fake-engine.ts";

test("who is refused is let go", async () => {
  const server = await createHttpServer(new FakeEngine(), { port: 0 });
  const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  socket.write(
    `GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://evil.example\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  let text = "";
  for await (const data of socket.iterator({ destroyOnReturn: false })) text += String(data);
  expect(text).toMatch(/^HTTP\/1.1 403 /);
  await server.close();
  socket.destroy();
});
