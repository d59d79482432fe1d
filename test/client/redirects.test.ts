/** A server that says that it is elsewhere: the error names the address, and nothing is sent to where nobody asked for. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { patientFetch } from "../../src/cli/patient-fetch.ts";
import { Remote } from "../../src/cli/remote.ts";
import { type Client, connect } from "../../src/client/index.ts";
import { run } from "../cli/run.ts";

let server: Server;
let url: string;
let status = 302;
let asked: string[] = [];
/** What a request that follows finds. */
const elsewhere = "/there";
let client: Client;

beforeEach(async () => {
  asked = [];
  server = createServer((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    if (request.url!.startsWith(elsewhere)) {
      answer.writeHead(200, { "content-type": "text/html" }).end("<p>log in</p>");
      return;
    }
    answer.writeHead(status, { location: `${elsewhere}${request.url}` }).end("<p>moved</p>");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = connect(url, { retryMsMax: 0 });
});

afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const told = () => ({
  code: "protocol_violation",
  message: expect.stringContaining(`redirect to ${url}${elsewhere}/v1/`),
  hint: `Use ${url}${elsewhere} as the server's address.`,
});

describe.each([301, 302, 303, 307, 308])("%i", (given) => {
  beforeEach(() => {
    status = given;
  });

  test("of the client's writes and statements, which are sent once", async () => {
    await expect(client.append("t", { a: 1 })).rejects.toMatchObject(told());
    await expect(client.transact([{ topic: "t", append: { a: 1 } }])).rejects.toMatchObject(told());
    await expect(client.sql("SELECT 1")).rejects.toMatchObject(told());
    await expect(client.stream("SELECT 1").next()).rejects.toMatchObject(told());
    await expect(client.producer("p").append("t", { a: 1 })).rejects.toMatchObject(told());
    expect(asked.filter((path) => path.includes(elsewhere))).toEqual([]);
  });

  test("of reads, which are followed: an answer of somebody else is called that", async () => {
    await expect(client.get("v", 1)).rejects.toMatchObject({
      code: "protocol_violation",
      message: `${url}${elsewhere}/v1/views/v, where a redirect led, answered with status 200 and no JSON`,
    });
  });

  test("of all that the command line sends", async () => {
    const remote = new Remote({ url });
    const signal = new AbortController().signal;
    await expect(remote.get("/v1/topics")).rejects.toMatchObject(told());
    await expect(remote.stream("/v1/topics/t/records", "application/x-ndjson")).rejects.toMatchObject(told());
    await expect(remote.sql("SELECT 1", "json", undefined).next()).rejects.toMatchObject(told());
    await expect(remote.send("POST", "/v1/consumers", {})).rejects.toMatchObject(told());
    await expect(remote.copyOut("COPY t TO STDOUT", signal).next()).rejects.toMatchObject(told());
    await expect(
      remote.post("/v1/topics/t/records", "application/json", Buffer.from("{}"), {}),
    ).rejects.toMatchObject(told());
    expect(asked.filter((path) => path.includes(elsewhere))).toEqual([]);
  });
});

test("an append in columns, too", async () => {
  status = 302;
  const columns = [{ name: "a", type: "text", declaredType: "text", nullable: false }];
  const topics = { topics: [{ name: "t", kind: "stream", key: null, columns }], position: "1" };
  client.close();
  client = connect(url, {
    retryMsMax: 0,
    fetch: (input, init) =>
      String(input).endsWith("/v1/topics")
        ? Promise.resolve(Response.json(topics))
        : globalThis.fetch(input as string, init),
  });
  await expect(client.appendColumns("t", { a: ["x", "y"] })).rejects.toMatchObject(told());
});

test("where a browser hides the address, that there is one", async () => {
  client.close();
  const hidden = { status: 0, type: "opaqueredirect", headers: new Headers(), body: null, ok: false };
  client = connect(url, { fetch: () => Promise.resolve(hidden as unknown as Response) });
  await expect(client.sql("SELECT 1")).rejects.toMatchObject({
    code: "protocol_violation",
    hint: "Use the address that it leads to.",
  });
});

test("a patient fetch hands the redirect on", async () => {
  status = 307;
  expect((await patientFetch(`${url}/v1/topics`)).status).toBe(307);
});

test("a command ends with it", async () => {
  status = 301;
  const { code, stdout, stderr } = await run(["query", "SELECT 1"], { url });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain(`hint: Use ${url}${elsewhere} as the server's address.`);
});
