/**
 * Ctrl-C while a statement ran in the shell did not end the statement but, once that had ended by itself, the shell. And where its history could not be read there was no shell, where it could
 * not be written the shell had failed; as it had where its input ended, by Ctrl-D or a paste, before its last line had been run.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Remote } from "../../src/cli/remote.ts";
import { runShell } from "../../src/cli/shell.ts";

const asked: IncomingMessage[] = [];
let server: Server;
let remote: Remote;

beforeEach(async () => {
  asked.length = 0;
  server = createServer((request, response) => {
    const path = request.url!;
    if (path === "/v1/sql") asked.push(request);
    else response.setHeader("Content-Type", "application/json").end('{"topics":[],"views":[]}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  remote = new Remote({ url: `http://127.0.0.1:${port}` });
});

afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});

function terminal() {
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  const screen = { shown: "" };
  output.on("data", (text) => {
    screen.shown += text;
  });
  return { input, output, screen };
}

it("runs all that has come when there is no more to come", async () => {
  vi.stubEnv("EVERT_HISTORY", "/dev/null");
  const { input, output, screen } = terminal();
  const ended = runShell(remote, "table", { input, output });
  input.end("SELECT 1;\nSELECT 2;\n");
  await expect.poll(() => asked.length).toBe(1);
  input.destroy();
  asked[0]!.socket.destroy();
  await expect.poll(() => asked.length).toBe(2);
  asked[1]!.socket.destroy();
  await ended;
  expect(screen.shown).toContain("evert> ");
});

it("has no history where there is no place for it", async () => {
  vi.stubEnv("EVERT_HISTORY", import.meta.dirname);
  const { input, output } = terminal();
  const ended = runShell(remote, "table", { input, output });
  input.end("\\?\n\\q\n");
  await ended;
});

it("gives up the statement, and goes on", async () => {
  vi.stubEnv("EVERT_HISTORY", "/dev/null");
  const { input, output, screen } = terminal();
  const ended = runShell(remote, "table", { input, output });
  for (let statement = 1; statement <= 2; statement++) {
    input.write("SELECT pg_sleep(1000);\n");
    await expect.poll(() => asked.length).toBe(statement);
    const closed = once(asked[statement - 1]!.socket, "close");
    screen.shown = "";
    input.write("\u0003");
    await closed;
    await expect.poll(() => screen.shown).toContain("evert> ");
  }
  input.write("\\q\n");
  await ended;
});
