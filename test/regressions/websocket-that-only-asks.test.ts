/**
 * A client that asked and asked and read nothing was followed at once each time: what it was owed grew with every request. And one that was not read,
 * because its line was full, was taken for gone.
 */
import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import { WsConnection } from "../../src/servers/http/ws-connection.ts";
import type { AlteredItem, SubscriptionItem } from "../../src/views/subscription-item.ts";
import { FakeEngine } from "../servers/fake-engine.ts";
import { serverContext } from "../servers/http/server-context.ts";

class SilentSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  isPaused = false;
  /** Called when it has been sent something, with what tells that the system took it. */
  onSend: (text: string, taken: () => void) => void = (_, taken) => taken();

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  send(text: string, _: object, taken: () => void): void {
    this.onSend(text, taken);
  }

  ping(): void {}

  terminate(): void {
    this.readyState = 3;
    this.emit("close");
  }
}

async function manyTurns(): Promise<void> {
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
}

test("a client that does not read waits for its own answers", async () => {
  const asked: unknown[] = [];
  const engine = new FakeEngine();
  engine.openSubscription = (signal) => ({
    events: (async function* (): AsyncGenerator<SubscriptionItem | AlteredItem> {
      while (!signal.aborted) {
        await new Promise(setImmediate);
        const tokens = asked.splice(0);
        if (tokens.length > 0) yield { type: "altered", tokens, position: "1", views: new Map() };
      }
    })(),
    async alter(_, token) {
      asked.push(token);
    },
  });
  const socket = new SilentSocket();
  const held: (() => void)[] = [];
  let answers = 0;
  let reads = false;
  socket.onSend = (text, taken) => {
    if (!text.includes("subscribed")) return taken();
    answers++;
    if (reads) taken();
    else held.push(taken);
  };
  const connection = new WsConnection(
    socket as unknown as WebSocket,
    serverContext(engine, { heartbeatMs: 10, stallMs: 600_000 }),
  );
  const ended = connection.run();
  const say = () => socket.emit("message", Buffer.from('{"type":"subscribe","view":"songs_view"}'), false);
  for (let i = 0; i < 1000; i++) {
    say();
    if (!socket.isPaused) continue;
    await manyTurns();
    if (socket.isPaused) break;
  }
  // The line is full, and what waits behind it is not asked of the engine.
  expect(socket.isPaused).toBe(true);
  expect(asked.length).toBeLessThan(64);
  reads = true;
  for (const taken of held) taken();
  await manyTurns();
  expect(socket.isPaused).toBe(false);
  expect(answers).toBeGreaterThan(64);
  socket.terminate();
  await ended;
});
