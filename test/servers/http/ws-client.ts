/** A client of /v1/ws for tests: it sends what it is told to, keeps all that comes, and shows it as a screen would. */
import { WebSocket } from "ws";
import { encodeUtf8 } from "../../../src/base/bytes.ts";
import { parseJson } from "../../../src/batch/lossless-json.ts";
import type { SubscriptionEvent } from "../../../src/engine/api.ts";
import { Client, jsonText } from "../../engine/support/client.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every kind, and each says what it expects there
export type Message = { readonly type: string; readonly [member: string]: any };

export class WsClient {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  readonly screen = new Client();
  /** Called for each message, when the screen shows it. */
  onMessage: (message: Message) => void = () => {};
  /** Code and reason of its end. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #wake: (() => void)[] = [];
  #taken = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        resolve({ code, reason: String(reason) });
        this.#wakeAll();
      });
    });
    socket.on("error", () => {});
    socket.on("message", (data) => {
      const message = parseJson(String(data)) as Message;
      this.messages.push(message);
      const event = eventOf(message);
      if (event !== null) this.screen.apply(event);
      this.onMessage(message);
      this.#wakeAll();
    });
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<WsClient> {
    const client = new WsClient(new WebSocket(`${url.replace(/^http/, "ws")}/v1/ws`, { headers }));
    await new Promise<void>((resolve, reject) => {
      client.socket.once("open", resolve);
      client.socket.once("error", reject);
    });
    return client;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** The next message, heartbeats left out; undefined when the connection has ended. */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const message = this.messages[this.#taken];
      if (message === undefined) {
        if (this.socket.readyState === WebSocket.CLOSED) return undefined;
        await new Promise<void>((resolve) => this.#wake.push(resolve));
        continue;
      }
      this.#taken++;
      if (message.type !== "heartbeat") return message;
    }
  }

  /** Messages up to the first of that type, which is the last of them. */
  async until(type: string): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const message = await this.next();
      if (message === undefined) throw new Error(`it ended before ${type}: ${JSON.stringify(messages)}`);
      messages.push(message);
      if (message.type === type) return messages;
    }
  }

  async subscribe(...targets: readonly object[]): Promise<Message[]> {
    this.send({ type: "subscribe", targets });
    return this.until("subscribed");
  }

  async unsubscribe(...targets: readonly object[]): Promise<Message[]> {
    this.send({ type: "unsubscribe", targets });
    return this.until("unsubscribed");
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }

  #wakeAll(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const call of wake) call();
  }
}

function eventOf(message: Message): SubscriptionEvent | null {
  switch (message.type) {
    case "snapshot":
      return { ...message, rowsJson: message["rows"].map(jsonText) } as unknown as SubscriptionEvent;
    case "step": {
      const views = new Map<string, Uint8Array[]>();
      for (const [name, changes] of Object.entries(message["views"] as Record<string, unknown[]>))
        views.set(name, [encodeUtf8(changes.map(jsonText).join(","))]);
      return { type: "step", position: message["position"], views };
    }
    case "reset":
    case "error":
      return message["view"] === undefined ? null : (message as unknown as SubscriptionEvent);
    default:
      return null;
  }
}
