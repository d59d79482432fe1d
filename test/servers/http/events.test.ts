import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import { Harness, until } from "./harness.ts";

let h: Harness;
beforeEach(async () => {
  h = await Harness.start({ heartbeatMs: 20 });
});
afterEach(() => h.stop());

const rows = "/v1/views/songs_view/rows";

describe("one view", () => {
  test("the snapshot, then one change per step", async () => {
    await h.song(1, "a");
    const events = await h.events(rows);
    expect(events.response.headers.get("Content-Type")).toBe("text/event-stream");
    expect(await events.next()).toEqual({
      event: "snapshot",
      id: "1",
      data: {
        columns: [
          { name: "id", type: "int4" },
          { name: "name", type: "text" },
          { name: "price", type: "numeric" },
        ],
        keyColumns: ["id"],
        order: [],
        rows: [{ key: 1, row: { id: 1, name: "a", price: null } }],
        position: "1",
        last: true,
      },
    });
    await h.post("/v1/topics/songs/records", [
      { id: 1, name: "b" },
      { id: 2, name: "c" },
    ]);
    expect(await events.next()).toEqual({
      event: "change",
      id: "2",
      data: {
        position: "2",
        changes: [
          {
            op: "update",
            key: 1,
            row: { id: 1, name: "b", price: null },
            old: { id: 1, name: "a", price: null },
          },
          { op: "insert", key: 2, row: { id: 2, name: "c", price: null } },
        ],
      },
    });
    await h.request("/v1/topics/songs/records/2", { method: "DELETE" });
    expect(await events.next()).toMatchObject({
      event: "change",
      id: "3",
      data: { changes: [{ op: "delete", key: 2 }] },
    });
  });

  test("only the last message of a snapshot can be resumed from", async () => {
    await h.song(1, "a");
    await h.song(2, "b");
    const events = await h.events(rows);
    expect(await events.next()).toMatchObject({ event: "snapshot", id: "", data: { last: false } });
    expect(await events.next()).toMatchObject({ event: "snapshot", id: "2", data: { last: true } });
  });

  test("resumes with what was missed, by ?from and by Last-Event-ID, which is the newer one", async () => {
    for (const id of [1, 2, 3]) await h.song(id, "x");
    const byQuery = await h.events(`${rows}?from=1`);
    expect(await byQuery.next()).toMatchObject({ event: "change", id: "2" });
    expect(await byQuery.next()).toMatchObject({ event: "change", id: "3" });
    const byHeader = await h.events(`${rows}?from=1`, { "Last-Event-ID": "2" });
    expect(await byHeader.next()).toMatchObject({ event: "change", id: "3" });
  });

  test("a reset is followed by a snapshot", async () => {
    await h.song(1, "x");
    const events = await h.events(`${rows}?from=99`);
    expect(await events.next()).toEqual({
      event: "reset",
      id: "0",
      data: { reason: "the position is not known" },
    });
    expect(await events.next()).toMatchObject({ event: "snapshot", id: "1" });
  });

  test("an error of the view is an event, and nothing after it can be resumed from", async () => {
    const events = await h.events(rows);
    expect(await events.next()).toMatchObject({ event: "snapshot", id: "0" });
    h.engine.fail("songs_view", new EvertError("division_by_zero", "division by zero"));
    expect(await events.next()).toMatchObject({
      event: "error",
      data: { error: { code: "division_by_zero", sqlstate: "22012" }, final: false },
    });
  });

  test("one row", async () => {
    await h.song(1, "a");
    const events = await h.events(`${rows}/2`);
    expect(await events.next()).toMatchObject({ event: "snapshot", data: { rows: [] } });
    await h.song(3, "c");
    await h.song(2, "b");
    expect(await events.next()).toMatchObject({
      event: "change",
      id: "3",
      data: { changes: [{ op: "insert", key: 2 }] },
    });
  });

  test("what cannot be followed is refused before any event", async () => {
    const headers = { Accept: "text/event-stream" };
    expect(await h.request("/v1/views/nothing/rows", { headers })).toMatchObject({ status: 404 });
    expect(await h.request(`${rows}?limit=10001`, { headers })).toMatchObject({ status: 400 });
    expect(await h.request(`${rows}?nothing=x`, { headers })).toMatchObject({ status: 400 });
    expect(await h.request(`${rows}?id=x`, { headers })).toMatchObject({ status: 400 });
    expect(await h.request(`${rows}?order=nothing`, { headers })).toMatchObject({ status: 400 });
    expect(await h.request(`${rows}?from=x`, { headers })).toMatchObject({ status: 400 });
    expect(await h.request(`${rows}/x`, { headers })).toMatchObject({ status: 400 });
    expect(await h.request(rows, { headers: { ...headers, "Last-Event-ID": "x" } })).toMatchObject({
      status: 400,
    });
  });
});

describe("many views", () => {
  test("snapshots of each, then steps with every view that was touched", async () => {
    const events = await h.events("/v1/subscribe?view=songs_view&view=wide_view");
    expect(await events.next()).toMatchObject({
      event: "snapshot",
      id: "",
      data: { view: "songs_view", last: true },
    });
    expect(await events.next()).toMatchObject({
      event: "snapshot",
      id: "0",
      data: { view: "wide_view", last: true },
    });
    await h.song(1, "a");
    expect(await events.next()).toMatchObject({
      event: "step",
      id: "1",
      data: { position: "1", views: { songs_view: [{ op: "insert" }] } },
    });
  });

  test("each view can have its own position and key", async () => {
    await h.song(1, "a");
    await h.song(2, "b");
    const events = await h.events("/v1/subscribe?from=2&view=songs_view&from=1&view=wide_view");
    expect(await events.next()).toMatchObject({ event: "step", id: "2" });
    const keyed = await h.events("/v1/subscribe?view=songs_view&key=2");
    expect(await keyed.next()).toMatchObject({ event: "snapshot", data: { rows: [{ key: 2 }] } });
  });

  test("a view that is not there has an error of its own, the others go on", async () => {
    const events = await h.events("/v1/subscribe?view=nothing&view=songs_view");
    expect(await events.next()).toMatchObject({
      event: "error",
      data: { view: "nothing", error: { code: "undefined_table" }, final: false },
    });
    expect(await events.next()).toMatchObject({ event: "snapshot", data: { view: "songs_view" } });
    await h.song(1, "a");
    expect(await events.next()).toMatchObject({ event: "step" });
  });

  test.each([
    "",
    "view=a&view=a",
    "key=1&view=a",
    "view=a&key=1&key=2",
    "view=a&from=x",
    "view=a&vew=b",
    "view=a&atLeast=x",
  ])("?%s is refused", async (query) => {
    expect(await h.request(`/v1/subscribe?${query}`)).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_request" } },
    });
  });
});

describe("the connection", () => {
  test("a silent stream has heartbeats", async () => {
    const response = await h.fetch(rows, { headers: { Accept: "text/event-stream" } });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/: heartbeat\n\n: heartbeat\n\n$/.test(text)) text += (await reader.read()).value;
    expect(text).toMatch(/^retry: \d+\n\n/);
    await reader.cancel();
  });

  test("a client that goes ends its subscription", async () => {
    const events = await h.events(rows);
    await events.next();
    expect(h.engine.subscribers).toBe(1);
    await events.close();
    await until(() => h.engine.subscribers === 0);
  });

  test("a client that never reads is given up, and holds no more than its socket's buffers until then", async () => {
    await h.stop();
    h = await Harness.start({ stallMs: 200 });
    const socket = connect(h.server.port, "127.0.0.1");
    socket.write(`GET ${rows} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
    socket.pause();
    await until(() => h.engine.subscribers === 1);
    const name = "x".repeat(100_000);
    // Far more than the buffers of a loopback connection take.
    for (let id = 0; id < 300; id++) await h.song(id, name);
    await until(() => h.engine.subscribers === 0);
    socket.destroy();
  });

  test("when the server closes, streams say goodbye and end", async () => {
    const events = await h.events(rows);
    await events.next();
    const closed = h.server.close();
    expect(await events.next()).toMatchObject({
      event: "error",
      data: { error: { code: "shutting_down" }, final: true },
    });
    expect(await events.next()).toBeUndefined();
    await closed;
    expect(h.engine.subscribers).toBe(0);
  });
});
