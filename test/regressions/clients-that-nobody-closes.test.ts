/** EvertProvider makes a client for an address, which needs no closing; each one stayed for as long as the page, held by its listener for the network to come back. */
import { afterEach, expect, it, vi } from "vitest";
import { connect } from "../../src/client/index.ts";
import { server } from "../servers/http/served.ts";

afterEach(() => vi.unstubAllGlobals());

it("listens to the page only while a view is wanted", async () => {
  const listeners = new Set<unknown>();
  vi.stubGlobal("addEventListener", (type: string, listener: unknown) => {
    if (type === "online") listeners.add(listener);
  });
  vi.stubGlobal("removeEventListener", (_: string, listener: unknown) => listeners.delete(listener));
  const client = connect(server.url, { lingerMs: 0 });
  expect(listeners.size).toBe(0);
  const view = client.view("nothing");
  const leave = view.subscribe(() => {});
  await expect.poll(() => listeners.size).toBe(1);
  leave();
  await expect.poll(() => listeners.size).toBe(0);
});
