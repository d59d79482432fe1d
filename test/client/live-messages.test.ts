/** What a server may say of live views, beside rows and changes, and what it may not. */
import { describe, expect, test, vi } from "vitest";
import { insert, remove, update } from "./fake-server.ts";
import { at, client, type Item, server, until } from "./live.ts";

describe("what the server may say", () => {
  test("reset: rows stay until the new snapshot is whole", async () => {
    const view = client.view<Item>("items");
    const shown: string[] = [];
    view.subscribe(() => shown.push(`${view.status}:${view.rows.map((r) => r.name).join()}`));
    const stream = await server.stream();
    stream.snapshot("items", "1", [{ id: 1, name: "old" }]);
    await until(view, at("1"));
    stream.event("reset", { view: "items", reason: "rebuilt" });
    await until(view, (v) => v.status === "reconnecting");
    stream.snapshot("items", "3", [{ id: 1, name: "new" }], { last: false });
    stream.snapshot("items", "3", [{ id: 2, name: "er" }]);
    await until(view, at("3"));
    expect(shown).toEqual(["live:old", "reconnecting:old", "live:new,er"]);
  });

  test("stale rows are shown as such, take no steps, and nothing resumes from them", async () => {
    const a = client.view<Item>("a");
    const b = client.view<Item>("b");
    a.subscribe(() => undefined);
    b.subscribe(() => undefined);
    const stream = await server.stream();
    stream.snapshot("a", "3", [{ id: 1, name: "old" }], { stale: true });
    stream.snapshot("b", "5", []);
    await until(b, at("5"));
    expect(a).toMatchObject({ status: "stale", rows: [{ id: 1, name: "old" }], position: "3" });
    stream.step("6", { b: [insert({ id: 1, name: "x" })] });
    await until(b, at("6"));
    expect(a).toMatchObject({ status: "stale", position: "3" });
    stream.destroy();
    await until(a, (v) => v.status === "reconnecting");
    const again = await server.stream();
    expect(again.views).toEqual([
      ["a", undefined],
      ["b", "6"],
    ]);
    again.snapshot("a", "7", [{ id: 2, name: "new" }]);
    await until(a, at("7"));
    expect(a).toMatchObject({ status: "live", rows: [{ id: 2, name: "new" }] });
  });

  test("an error of one view leaves the others alone, and heals", async () => {
    const a = client.view<Item>("a");
    const b = client.view<Item>("b");
    a.subscribe(() => undefined);
    b.subscribe(() => undefined);
    const stream = await server.stream();
    stream.snapshot("a", "1", [{ id: 1, name: "x" }]);
    stream.snapshot("b", "1", []);
    stream.event("error", {
      view: "a",
      error: { code: "division_by_zero", sqlstate: "22012", message: "division by zero" },
      final: false,
    });
    await until(a, (v) => v.status === "error");
    expect(a.error).toMatchObject({ code: "division_by_zero", sqlstate: "22012" });
    stream.step("2", {
      a: [insert({ id: 3, name: "in the next snapshot" })],
      b: [insert({ id: 1, name: "y" })],
    });
    await until(b, at("2"));
    expect(b.status).toBe("live");
    expect(a).toMatchObject({ status: "error", rows: [{ id: 1, name: "x" }] });
    stream.event("reset", { view: "a", reason: "healed" });
    stream.snapshot("a", "3", [{ id: 2, name: "z" }]);
    await until(a, at("3"));
    expect(a).toMatchObject({ status: "live", error: undefined, rows: [{ id: 2, name: "z" }] });
  });

  test("a view that does not exist is asked for again", async () => {
    const view = client.view<Item>("later");
    view.subscribe(() => undefined);
    const first = await server.stream();
    first.event("error", {
      view: "later",
      error: { code: "undefined_table", message: "no such view" },
      final: false,
    });
    await until(view, (v) => v.status === "error");
    const second = await server.stream();
    second.snapshot("later", "4", []);
    await until(view, at("4"));
    expect(view.status).toBe("live");
  });

  test("a final error ends the stream and is followed by another", async () => {
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    const first = await server.stream();
    first.snapshot("items", "1", []);
    await until(view, at("1"));
    first.event("error", {
      error: { code: "too_many_requests", message: "you read too slowly" },
      final: true,
    });
    first.end();
    expect((await server.stream()).views).toEqual([["items", "1"]]);
    await until(view, (v) => v.status === "live");
  });

  test.each([
    ["an insert of what is there", insert({ id: 1, name: "again" })],
    ["an update of what is not", update({ id: 9, name: "b" }, { id: 9, name: "a" })],
    ["a delete of what is not", remove({ id: 9, name: "a" })],
  ])("%s: nothing of it is shown, and the view is fetched anew", async (_, change) => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const view = client.view<Item>("items");
    const shown: string[] = [];
    view.subscribe(() => shown.push(view.rows.map((r) => r.name).join()));
    const first = await server.stream();
    first.snapshot("items", "1", [{ id: 1, name: "a" }]);
    await until(view, at("1"));
    first.step("2", { items: [insert({ id: 2, name: "half" }), change] });
    const second = await server.stream();
    expect(second.views).toEqual([["items", undefined]]);
    second.snapshot("items", "3", [{ id: 3, name: "c" }]);
    await until(view, at("3"));
    expect(shown.filter((s, i) => s !== shown[i - 1])).toEqual(["a", "c"]);
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });

  test("JSON that is none: the same", async () => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    const first = await server.stream();
    first.raw("event: snapshot\ndata: {nonsense\n\n");
    const second = await server.stream();
    second.snapshot("items", "1", []);
    await until(view, at("1"));
    expect(warned).toHaveBeenCalledOnce();
    warned.mockRestore();
  });

  test("kinds of events nobody knows yet are passed over", async () => {
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    const stream = await server.stream();
    stream.event("weather", { position: "9" });
    stream.snapshot("items", "1", []);
    await until(view, at("1"));
  });
});
