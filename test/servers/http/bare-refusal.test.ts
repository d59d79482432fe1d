/** What is no request, and what is refused before its body has come, over a bare socket. */
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHttpServer } from "../../../src/servers/http/server.ts";
import { Harness } from "./harness.ts";

let h: Harness;
beforeEach(async () => {
  h = await Harness.start();
});
afterEach(() => h.stop());

/** What comes back until the server ends the connection; `half`: this side ends its own first. */
function exchange(text: string, half = false, port = h.server.port): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => {
      if (half) socket.end(text);
      else socket.write(text);
    });
    socket.setEncoding("utf8").on("data", (piece: string) => {
      answer += piece;
    });
    // What the server has not read makes its end a reset, behind the answer.
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}

const body = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
const append =
  "POST /v1/topics/songs/records HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";

test.each([
  ["bytes of something else", "hello\r\n\r\n", 400, "what was sent is no request of HTTP/1.1"],
  [
    "a body that ends in its middle",
    `${append}Content-Length: 100\r\n\r\n{"id"`,
    400,
    "the request was broken off before its end",
  ],
  [
    "headers without end",
    `GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nA: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
    "the request's headers are longer than 16 KiB",
  ],
  [
    "a handshake without a key",
    "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    400,
    "this is no handshake of a WebSocket",
  ],
  [
    "an expectation that nobody meets",
    `${append}Expect: 200-ok\r\nContent-Length: 2\r\n\r\n[]`,
    417,
    "the server cannot do what the request expects",
  ],
])("%s is refused as any other request", async (_what, text, status, message) => {
  const answer = await exchange(text, true);
  expect(answer.split(" ")[1]).toBe(String(status));
  expect(answer).toMatch(/\r\nEvert-Position: \d+\r\nConnection: close\r\n/);
  expect(body(answer)).toMatchObject({ error: { code: "invalid_request", sqlstate: "22023", message } });
});

test.each([
  ["no host", "GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n"],
  ["no path", "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"],
])("who names %s is told what to send", async (_what, text) => {
  const answer = await exchange(text, true);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toMatch(/\r\nEvert-Position: \d+\r\n/);
  expect(body(answer)).toMatchObject({
    error: { message: "the request's address cannot be read", hint: expect.stringContaining("Host") },
  });
});

test("an append that is refused while its body is still to come says that the connection ends", async () => {
  const answer = await exchange(`${append}Content-Length: 1000\r\n\r\n[{"id":"x"},`);
  expect(answer.split(" ")[1]).toBe("400");
  expect(answer.match(/\r\nConnection: [a-z-]+/gi)).toEqual(["\r\nConnection: close"]);
});

test("who does not get to the end of the headers is told so, and let go", async () => {
  const server = await createHttpServer(h.engine, { port: 0, headersMsMax: 50 });
  try {
    for (const begun of ["GET /v1/health HTTP/1.1\r\nHost: 127", ""]) {
      const answer = await exchange(begun, false, server.port);
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(body(answer)).toMatchObject({
        error: { message: "the request's headers did not come in time" },
      });
    }
  } finally {
    await server.close();
  }
});

test.each([
  ["an append", append],
  ["a statement", append.replace("topics/songs/records", "sql")],
  ["a transaction", append.replace("topics/songs/records", "transactions")],
])("of %s whose sender falls silent nothing is held any more", async (_what, head) => {
  const server = await createHttpServer(h.engine, { port: 0, stallMs: 50, bodiesBytesMax: 40 });
  try {
    const silent = exchange(`${head}Content-Length: 100\r\n\r\n${" ".repeat(40)}`, false, server.port);
    const answer = await silent;
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(body(answer)).toMatchObject({
      error: { code: "connection_failed", message: "the rest of the request's body did not come" },
    });
    const next = exchange(
      `${append}Connection: close\r\nContent-Length: 20\r\n\r\n{"id":1,"name":"abc"}`,
      false,
      server.port,
    );
    expect(await next).not.toMatch(/^HTTP\/1\.1 429 /);
  } finally {
    await server.close();
  }
});

test("who asks for another version of the WebSocket is told which one there is", async () => {
  const answer = await exchange(
    "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 14\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain("\r\nSec-WebSocket-Version: 13\r\n");
  expect(body(answer)).toMatchObject({
    error: { message: "this is no handshake of a WebSocket", detail: expect.stringContaining("Version") },
  });
});
