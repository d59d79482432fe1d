/**
 * `evert watch` whose connection ended before the first snapshot did had no position to go on from, and printed all rows once more without a word; and with a key, on a terminal or with
 * --format table, it ended when the server said that it was being restarted, where the same command without a key goes on.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { encodeSse } from "../../src/wire/http/sse.ts";
import { Running } from "../cli/run.ts";

const columns = [{ name: "id", type: "int4" }];
const goodbye = { error: { code: "shutting_down", message: "the server is shutting down" }, final: true };

function snapshot(id: number, last: boolean): string {
  const rows = [{ key: id, row: { id } }];
  const data = JSON.stringify({ columns, keyColumns: ["id"], order: [], rows, position: "7", last });
  return encodeSse({ event: "snapshot", ...(last ? { id: "7" } : {}), data });
}

/** What each connection is told before it is ended, and the query strings that they came with. */
async function serverOf(streams: readonly string[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url!, "http://a");
    if (!pathname.includes("/rows")) {
      response.setHeader("Content-Type", "application/json").end(JSON.stringify({ columns }));
      return;
    }
    response.setHeader("Content-Type", "text/event-stream").write(streams[asked.length] ?? "");
    asked.push(search);
    if (asked.length < streams.length) response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

let stop = (): void => {};
afterEach(() => stop());

it("asks for a reset where it had not been told all", async () => {
  const reset = encodeSse({ event: "reset", id: "0", data: '{"reason":"it is long ago"}' });
  const { url, asked } = await serverOf([snapshot(1, false), reset + snapshot(1, true)]);
  const running = new Running(["watch", "v"], { url });
  await running.until(() => running.stdout.split("\n").length === 4);
  expect(asked).toEqual(["", "?from=0"]);
  expect(running.stdout.split("\n")[1]).toContain("reset");
  running.process.kill("SIGKILL");
  await running.done;
});

it("goes on with one row when the server comes back", async () => {
  const final = encodeSse({ event: "error", data: JSON.stringify(goodbye) });
  const { url, asked } = await serverOf([snapshot(1, true) + final, snapshot(2, true)]);
  const running = new Running(["watch", "v", "1", "--format", "table"], { url });
  await running.until(() => asked.length === 2 && running.stdout.includes("2"));
  expect(asked).toEqual(["", "?from=7"]);
  running.process.kill("SIGKILL");
  await running.done;
});
