/**
 * Bytes behind a whole append on its connection (a body longer than its Content-Length, a pipelined request that is none) were refused in the place of the append's answer,
 * while its rows were stored: who sent them again stored them twice.
 */
import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { rowsOf, sql } from "../engine/support/memory.ts";
import * as served from "../servers/http/served.ts";

beforeEach(() => sql(served.engine, "CREATE TABLE t (n int4 NOT NULL) WITH (append_only)"));

const post = (body: string, length = body.length): string =>
  `POST /v1/topics/t/records HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;

/** `pieces` are written with `turns` of the event loop between them. The answers' heads, and the whole. */
function exchange(pieces: readonly string[], turns: number): Promise<{ statuses: string[]; text: string }> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(served.server.port, "127.0.0.1", async () => {
      socket.setNoDelay(true);
      for (const [i, piece] of pieces.entries()) {
        for (let k = 0; i > 0 && k < turns; k++) await turn();
        socket.write(piece);
      }
    });
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    // What the server has not read makes its end a reset, behind the answer.
    socket.on("error", () => {});
    socket.on("close", () => {
      resolve({ statuses: [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]!), text });
    });
  });
}

async function stored(): Promise<unknown[]> {
  await served.engine.settled();
  return (await rowsOf(served.engine, "SELECT n FROM t ORDER BY n")).flat();
}

const stray = "}}garbage\r\n\r\n";
const broken = "POST /v1/topics/t/records HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: many\r\n\r\n";

describe.each([
  ["bytes of its body beyond its length", stray],
  ["a request whose head is none", broken],
])("%s", (_what, behind) => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
    "%i turns behind an append leave it its answer",
    async (turns) => {
      const { statuses } = await exchange([post('[{"n":1}]'), behind], turns);
      expect(statuses[0]).toBe("200");
      // What comes behind an answer that has gone out is refused for itself.
      expect(["", "400"]).toContain(statuses.slice(1).join());
      expect(await stored()).toEqual(["1"]);
    },
  );

  test("in an append's packet leave it its answer, and no other", async () => {
    const { statuses, text } = await exchange([post('[{"n":1}]') + behind], 0);
    expect(statuses).toEqual(["200"]);
    expect(text.match(/\r\nConnection: [a-z-]+/gi)).toEqual(["\r\nConnection: close"]);
    expect(await stored()).toEqual(["1"]);
  });

  test("behind a pipeline leave all of it their answers", async () => {
    const pipeline = [1, 2, 3].map((n) => post(`[{"n":${n}}]`)).join("");
    const { statuses } = await exchange([pipeline + behind], 0);
    expect(statuses).toEqual(["200", "200", "200"]);
    expect(await stored()).toEqual(["1", "2", "3"]);
  });
});

test("a request that is itself broken is refused, behind the answers of those before it", async () => {
  const chunked =
    "POST /v1/topics/t/records HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nno length";
  expect((await exchange([chunked], 0)).statuses).toEqual(["400"]);
  const { statuses, text } = await exchange([post('[{"n":1}]') + chunked], 0);
  expect(statuses).toEqual(["200", "400"]);
  expect(text).toContain("what was sent is no request of HTTP/1.1");
  expect(await stored()).toEqual(["1"]);
});

test("an append that is refused says so itself", async () => {
  const { statuses, text } = await exchange([post('[{"n":"no number"}]') + stray], 0);
  expect(statuses).toEqual(["400"]);
  expect(text).not.toContain("no request of HTTP");
  expect(await stored()).toEqual([]);
});
