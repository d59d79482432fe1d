/**
 * A process that had slept, or had no turn for a while, took whoever had spoken meanwhile for silent: the time was over before what lay in the socket was read.
 * So a client gave up a good stream, and a server clients that were there.
 */
import { EventEmitter, once } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { WebSocket } from "ws";
import { pacedBody } from "../../src/servers/http/paced-body.ts";
import { WsConnection } from "../../src/servers/http/ws-connection.ts";
import { insert } from "../client/fake-server.ts";
import { at, client, type Item, reopen, server, until } from "../client/live.ts";
import { FakeEngine } from "../servers/fake-engine.ts";
import { serverContext } from "../servers/http/server-context.ts";

let slept: number;

beforeEach(() => {
  slept = 0;
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + slept);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("a client reads what came before it finds the connection silent", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  reopen({ silenceMsMax: 80_000 });
  const view = client.view<Item>("items");
  view.subscribe(() => undefined);
  const stream = await server.stream();
  stream.snapshot("items", "1", []);
  await until(view, at("1"));
  for (let night = 2; night <= 3; night++) {
    slept += 3_600_000;
    stream.step(String(night), { items: [insert({ id: night, name: "a" })] });
    vi.advanceTimersByTime(10_000);
    await until(view, at(String(night)));
  }
  expect(server.asked.length).toBe(1);
  slept += 3_600_000;
  vi.advanceTimersByTime(20_000);
  await stream.closed;
});

it("a server hears what came over a WebSocket before it finds it silent", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const engine = new FakeEngine();
  engine.openSubscription = (signal) => ({
    // biome-ignore lint/correctness/useYield: nothing is told.
    events: (async function* () {
      await once(signal, "abort");
    })(),
    alter: async () => {},
  });
  let pings = 0;
  let isOpen = true;
  const socket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    isPaused: false,
    get readyState() {
      return isOpen ? 1 : 3;
    },
    send: (_text: string, _options: object, taken: () => void) => taken(),
    ping: () => pings++,
    terminate: () => {
      isOpen = false;
      socket.emit("close");
    },
  });
  const connection = new WsConnection(
    socket as unknown as WebSocket,
    serverContext(engine, { heartbeatMs: 15_000, stallMs: 120_000 }),
  );
  const ended = connection.run();
  for (let night = 1; night <= 2; night++) {
    slept += 3_600_000;
    vi.advanceTimersByTime(15_000);
    expect([isOpen, pings]).toEqual([true, night]);
    socket.emit("pong");
  }
  slept += 3_600_000;
  vi.advanceTimersByTime(30_000);
  expect(isOpen).toBe(false);
  await ended;
});

it("a server sees what a client took before it finds that it takes nothing", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const source = (async function* () {
    for (let n = 0; ; n++) yield String(n);
  })();
  const broken: unknown[] = [];
  const reader = pacedBody(source, { stallMs: 120_000, breakOff: (why) => broken.push(why) }).getReader();
  await reader.read();
  // After a sleep, all that is due is called before anything is read, each timer once.
  vi.advanceTimersToNextTimer();
  expect(broken).toEqual([]);
  vi.advanceTimersToNextTimer();
  expect(broken).toEqual([new Error("the client stopped reading")]);
});
