/** /v1/ws as a page has it, with the WebSocket of its browser: from the server's own origin, and from another. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { findChromium, launch } from "./chromium.ts";

const executablePath = findChromium();

/** What the page keeps of its connection. */
interface Connected {
  readonly socket: WebSocket;
  readonly messages: { type: string; position?: string }[];
  readonly closed: Promise<number>;
}

type InPage = typeof globalThis & { connected: Connected };

describe.skipIf(executablePath === undefined)("a WebSocket of a page", () => {
  let db: Database;
  let server: HttpServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    db = await openInMemory();
    await sql(
      db,
      `CREATE TABLE songs (id int4 PRIMARY KEY, name text); INSERT INTO songs VALUES (1, 'Typical Girls');
       CREATE MATERIALIZED VIEW named AS SELECT id, name FROM songs; CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM songs`,
    );
    server = await createHttpServer(db, { port: 0 });
    browser = await launch(executablePath as string);
    page = await browser.newPage();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await db?.close();
  });

  /** Resolves with how it ended where it was not let in. */
  function connect(): Promise<number | "open"> {
    return page.evaluate(
      (url) => {
        const socket = new WebSocket(url);
        const messages: Connected["messages"] = [];
        socket.onmessage = ({ data }) => messages.push(JSON.parse(data as string));
        const closed = new Promise<number>((resolve) => {
          socket.onclose = ({ code }) => resolve(code);
        });
        Object.assign(globalThis, { connected: { socket, messages, closed } });
        return Promise.race([
          closed,
          new Promise<"open">((resolve) => {
            socket.onopen = () => resolve("open");
          }),
        ]);
      },
      `${server.url.replace("http", "ws")}/v1/ws`,
    );
  }

  const send = (message: object): Promise<void> =>
    page.evaluate((text) => (globalThis as InPage).connected.socket.send(text), JSON.stringify(message));

  const messages = (type: string): Promise<unknown[]> =>
    page.evaluate(
      (wanted) => (globalThis as InPage).connected.messages.filter((message) => message.type === wanted),
      type,
    );

  test("shows two views at one moment, and each step that touches them", async () => {
    await page.goto(`${server.url}/v1/health`);
    expect(await connect()).toBe("open");
    await send({ type: "subscribe", targets: [{ view: "named" }, { view: "counted" }], request: 1 });
    await expect.poll(() => messages("subscribed")).toHaveLength(1);
    const [named, counted] = (await messages("snapshot")) as { view: string; rows: { row: object }[] }[];
    expect([named, counted]).toMatchObject([
      { view: "named", rows: [{ row: { id: 1, name: "Typical Girls" } }] },
      { view: "counted", rows: [{ row: { n: 1 } }] },
    ]);

    const { position } = await db.append("songs", [{ id: 2, name: "Oh Bondage" }]);
    await expect.poll(() => messages("step")).toHaveLength(1);
    expect(await messages("step")).toMatchObject([
      {
        position,
        views: {
          named: [{ op: "insert", row: { id: 2, name: "Oh Bondage" } }],
          counted: [{ op: "update", row: { n: 2 } }],
        },
      },
    ]);

    await send({ type: "unsubscribe", targets: [{ view: "named" }], request: 2 });
    await expect.poll(() => messages("unsubscribed")).toHaveLength(1);
    await db.append("songs", [{ id: 3, name: "Identity" }]);
    await expect.poll(() => messages("step")).toHaveLength(2);
    const [, last] = (await messages("step")) as { views: object }[];
    expect(Object.keys(last!.views)).toEqual(["counted"]);
  });

  test("is told that the server goes, and closed", async () => {
    await page.goto(`${server.url}/v1/health`);
    expect(await connect()).toBe("open");
    await send({ type: "subscribe", targets: [{ view: "counted" }] });
    await expect.poll(() => messages("subscribed")).toHaveLength(1);
    await server.close();
    expect(await page.evaluate(() => (globalThis as InPage).connected.closed)).toBe(1001);
    expect(await messages("error")).toMatchObject([{ final: true, error: { code: "shutting_down" } }]);
    server = await createHttpServer(db, { port: 0 });
  });

  test("is refused to a page of another origin", async () => {
    const other = createServer((_, response) => response.end("<title>elsewhere</title>"));
    await new Promise<void>((listening) => other.listen(0, "127.0.0.1", listening));
    try {
      await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
      // What a browser says of a handshake that was answered with anything but 101.
      expect(await connect()).toBe(1006);
    } finally {
      await page.goto("about:blank");
      other.close();
    }
  });
});
