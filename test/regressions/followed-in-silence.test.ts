/**
 * `evert tail TOPIC --follow` failed with "the connection broke" when nothing had been appended for five minutes: it read by Node's fetch, which gives up an answer that is silent for as
 * long. So did `COPY … TO STDOUT` whose first row took five minutes. Here such a fetch has no patience at all.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Running } from "../cli/run.ts";

const silenceMs = 20;
/** Ends a body of fetch that has been silent, as the real one does after 300 s. */
const impatient = `
  const real = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const response = await real(input, init);
    const body = new ReadableStream({
      async start(controller) {
        const reader = response.body.getReader();
        for (;;) {
          const silence = new Promise((resolve) => setTimeout(resolve, ${silenceMs}, null));
          const next = await Promise.race([reader.read(), silence]);
          if (next === null) return controller.error(new TypeError("terminated"));
          if (next.done) return controller.close();
          controller.enqueue(next.value);
        }
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };`;

let stop = (): void => {};
afterEach(() => stop());

it("waits for the next record as long as it takes", async () => {
  let say: (line: string) => void = () => {};
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "application/x-ndjson").write('{"offset":0}\n');
    say = (line) => response.write(line);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stop = () => {
    server.closeAllConnections();
    server.close();
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const preload = `--import data:text/javascript,${encodeURIComponent(impatient)}`;
  const env = { NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} ${preload}` };
  const running = new Running(["tail", "t", "--follow"], { url, env });
  await running.until(() => running.stdout.includes('"offset":0'));
  await new Promise((resolve) => setTimeout(resolve, 10 * silenceMs));
  say('{"offset":1}\n');
  await running.until(() => running.stdout.includes('"offset":1'));
  expect(running.stderr).toBe("");
  running.process.kill("SIGKILL");
  await running.done;
});
