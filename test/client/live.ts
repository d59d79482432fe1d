/** A client of each test, before a server that says exactly what the test tells it to. */
import { afterEach, beforeEach } from "vitest";
import { type Client, type ClientOptions, connect, type LiveView } from "../../src/client/index.ts";
import { FakeServer } from "./fake-server.ts";

export let server: FakeServer;
export let client: Client;

export type Item = { id: number; name: string };

beforeEach(async () => {
  server = await new FakeServer().start();
  client = open();
});

afterEach(async () => {
  client.close();
  await server.stop();
});

/** Another client in its place. */
export function reopen(options: ClientOptions): void {
  client.close();
  client = open(options);
}

function open(options: ClientOptions = {}): Client {
  return connect(server.url, { notifyIntervalMs: 0, lingerMs: 20, backoffMsMax: 200, ...options });
}

/** Resolves when the view's snapshot fulfils the condition, as a listener sees it. */
export function until<Row>(view: LiveView<Row>, condition: (view: LiveView<Row>) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const leave = view.subscribe(check);
    function check() {
      if (!condition(view)) return;
      queueMicrotask(() => leave());
      resolve();
    }
    check();
  });
}

export const at = (position: string) => (view: LiveView<unknown>) => view.position === position;
