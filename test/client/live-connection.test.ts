/** What becomes of live views when their connection breaks. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { eventText, insert } from "./fake-server.ts";
import { at, client, type Item, reopen, server, until } from "./live.ts";

afterEach(() => {
  vi.useRealTimers();
});

describe("when the connection breaks", () => {
  test("it resumes after a restart of the server, without a gap and without an overlap", async () => {
    const view = client.view<Item>("items");
    const statuses: string[] = [];
    view.subscribe(() => statuses.push(view.status));
    const first = await server.stream();
    first.snapshot("items", "1", [{ id: 1, name: "a" }]);
    first.step("2", { items: [insert({ id: 2, name: "b" })] });
    await until(view, at("2"));
    await server.stop();
    await until(view, (v) => v.status === "reconnecting");
    expect(view.rows.length).toBe(2);
    await server.start();
    const second = await server.stream();
    expect(second.views).toEqual([["items", "2"]]);
    // A server may repeat what the client has.
    second.step("2", { items: [insert({ id: 2, name: "b" })] });
    second.step("3", { items: [insert({ id: 3, name: "c" })] });
    await until(view, at("3"));
    expect(view.rows.map((r) => r.id)).toEqual([1, 2, 3]);
    expect(statuses.filter((s, i) => s !== statuses[i - 1])).toEqual(["live", "reconnecting", "live"]);
  });

  test("in the middle of a snapshot, it starts the snapshot again", async () => {
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    const first = await server.stream();
    first.snapshot("items", "1", [{ id: 1, name: "a" }], { last: false });
    // Sent after it on the same stream, so the part above has arrived as well when this error has been seen.
    first.event("error", {
      view: "items",
      error: { code: "view_failed", message: "for a moment" },
      final: false,
    });
    await until(view, (v) => v.status === "error");
    first.destroy();
    const second = await server.stream();
    expect(second.views).toEqual([["items", undefined]]);
    second.snapshot("items", "2", [{ id: 2, name: "b" }]);
    await until(view, at("2"));
    expect(view.rows).toEqual([{ id: 2, name: "b" }]);
  });

  test("in the middle of an event, the half event counts for nothing", async () => {
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    const first = await server.stream();
    first.snapshot("items", "1", []);
    await until(view, at("1"));
    const text = eventText("step", { position: "2", views: { items: [insert({ id: 1, name: "a" })] } });
    first.raw(text.slice(0, -1));
    first.end();
    const second = await server.stream();
    expect(second.views).toEqual([["items", "1"]]);
    second.raw(text);
    await until(view, at("2"));
    expect(view.rows.length).toBe(1);
  });

  test("a silent connection is given up", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    reopen({ silenceMsMax: 50_000 });
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    const first = await server.stream();
    first.snapshot("items", "1", []);
    await until(view, at("1"));
    vi.advanceTimersByTime(70_000);
    await first.closed;
    expect((await server.stream()).views).toEqual([["items", "1"]]);
  });

  test("a server that is not there yet is waited for", async () => {
    await server.stop();
    const view = client.view<Item>("items");
    const live = view.ready();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(view.status).toBe("connecting");
    await server.start();
    (await server.stream()).snapshot("items", "1", []);
    await live;
  });

  test("a refusal is an error of every view, and is tried again", async () => {
    server.refuseStreams = {
      status: 401,
      body: { error: { code: "unauthorized", message: "who are you", hint: "Say." } },
    };
    const view = client.view<Item>("items");
    await expect(view.ready()).rejects.toMatchObject({
      code: "unauthorized",
      message: "who are you",
      hint: "Say.",
    });
    server.refuseStreams = undefined;
    view.subscribe(() => undefined);
    (await server.stream()).snapshot("items", "1", []);
    await until(view, at("1"));
    expect(view).toMatchObject({ status: "live", error: undefined });
  });

  test("a server that is starting is waited for", async () => {
    server.refuseStreams = { status: 503, body: "<h1>Bad Gateway</h1>" };
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    await expect.poll(() => server.asked.length).toBeGreaterThan(2);
    expect(view.status).toBe("connecting");
    server.refuseStreams = undefined;
    (await server.stream()).snapshot("items", "1", []);
    await until(view, at("1"));
  });
});
