/** Live views against a server that says exactly what the test tells it to. */
import { describe, expect, test } from "vitest";
import { eventText, insert, remove, snapshotOf, update } from "./fake-server.ts";
import { at, client, type Item, reopen, server, until } from "./live.ts";

describe("one view", () => {
  test("shows the snapshot, then every step", async () => {
    const view = client.view<Item>("items");
    expect(view.snapshot).toEqual({ rows: [], position: undefined, status: "connecting", error: undefined });
    const live = view.ready();
    const stream = await server.stream();
    expect(stream.views).toEqual([["items", undefined]]);
    expect(server.asked[0]!.headers.accept).toBe("text/event-stream");
    stream.snapshot("items", "7", [
      { id: 2, name: "b" },
      { id: 1, name: "a" },
    ]);
    expect(await live).toEqual([
      { id: 1, name: "a" },
      { id: 2, name: "b" },
    ]);
    expect(view.status).toBe("live");
    expect(client.position).toBe("7");

    const seen: string[] = [];
    const leave = view.subscribe(() => seen.push(`${view.position}:${view.rows.map((r) => r.name).join()}`));
    stream.step("8", {
      items: [insert({ id: 3, name: "c" }), update({ id: 1, name: "A" }, { id: 1, name: "a" })],
    });
    await until(view, at("8"));
    stream.step("9", { items: [remove({ id: 2, name: "b" })] });
    await until(view, at("9"));
    expect(seen).toEqual(["8:A,b,c", "9:A,c"]);
    expect(view.get(3)).toBe(view.rows[1]);
    expect(view.get(2)).toBeUndefined();
    expect(client.position).toBe("9");
    leave();
  });

  test("a snapshot of several parts shows with the last", async () => {
    const view = client.view<Item>("items");
    const statuses: string[] = [];
    view.subscribe(() => statuses.push(`${view.status} ${view.rows.length}`));
    const stream = await server.stream();
    stream.snapshot("items", "5", [{ id: 1, name: "a" }], { last: false });
    stream.snapshot("items", "5", [{ id: 2, name: "b" }], { last: false });
    stream.snapshot("items", "5", [{ id: 3, name: "c" }]);
    await until(view, at("5"));
    expect(statuses).toEqual(["live 3"]);
  });

  test("rows keep the view's order through changes", async () => {
    const view = client.view<{ id: number; plays: number }>("charts");
    view.subscribe(() => undefined);
    const stream = await server.stream();
    const row = (id: number, plays: number) => ({ id, plays });
    stream.snapshot("charts", "1", [row(1, 5), row(2, 9), row(3, 5)], {
      columns: [
        { name: "id", type: "int4" },
        { name: "plays", type: "int8" },
      ],
      order: [{ column: "plays", descending: true, nullsFirst: true }],
    });
    await until(view, at("1"));
    expect(view.rows.map((r) => r.id)).toEqual([2, 1, 3]);
    stream.step("2", { charts: [update(row(3, 10), row(3, 5)), insert(row(4, 7))] });
    await until(view, at("2"));
    expect(view.rows.map((r) => r.id)).toEqual([3, 2, 4, 1]);
  });

  test("snapshots are immutable, and the same object until something changes", async () => {
    const items = client.view<Item>("items");
    const others = client.view<Item>("others");
    items.subscribe(() => undefined);
    others.subscribe(() => undefined);
    const stream = await server.stream();
    stream.snapshot("items", "1", [{ id: 1, name: "a" }]);
    stream.snapshot("others", "1", []);
    await Promise.all([items.ready(), others.ready()]);
    const [before, rows, othersBefore] = [items.snapshot, items.rows, others.snapshot];
    expect(Object.isFrozen(before)).toBe(true);
    stream.step("2", { items: [insert({ id: 2, name: "b" })] });
    await until(items, at("2"));
    expect(items.snapshot).not.toBe(before);
    expect(rows).toEqual([{ id: 1, name: "a" }]);
    expect(others.snapshot).toBe(othersBefore);
    expect(items.rows[0]).toBe(rows[0]);
  });

  test("a bigint where int8 needs one, text where numeric does", async () => {
    const view = client.view<{ id: number; n: number | bigint; amount: string }>("sums");
    view.subscribe(() => undefined);
    const stream = await server.stream();
    const shape = {
      view: "sums",
      columns: [
        { name: "id", type: "int4" },
        { name: "n", type: "int8" },
        { name: "amount", type: "numeric" },
      ],
      keyColumns: ["id"],
      order: [],
      position: "1",
      last: true,
    };
    const [head] = JSON.stringify(shape).split(/}$/);
    stream.raw(
      `event: snapshot\ndata: ${head},"rows":[{"key":1,"row":{"id":1,"n":9007199254740993,"amount":1.10}}]}\n\n`,
    );
    await until(view, at("1"));
    expect(view.rows).toEqual([{ id: 1, n: 9007199254740993n, amount: "1.10" }]);
    stream.raw(
      'event: step\ndata: {"position":"2","views":{"sums":[{"op":"insert","key":2,"row":{"id":2,"n":3,"amount":2.50}}]}}\n\n',
    );
    await until(view, at("2"));
    expect(view.get(2)).toEqual({ id: 2, n: 3, amount: "2.50" });
  });

  test("any way the bytes are cut gives the same", async () => {
    const view = client.view<Item>("items");
    view.subscribe(() => undefined);
    const stream = await server.stream();
    const bytes = new TextEncoder().encode(
      `: hello\n\n${eventText("snapshot", snapshotOf("items", "1", [{ id: 1, name: "žluťoučký 🐎" }]))}${eventText(
        "step",
        {
          position: "2",
          views: { items: [insert({ id: 2, name: "é\n" })] },
        },
      )}`,
    );
    for (const byte of bytes) {
      stream.raw(new Uint8Array([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(view, at("2"));
    expect(view.rows.map((r) => r.name)).toEqual(["žluťoučký 🐎", "é\n"]);
  });

  test("is the same object for the same name, also by handle", () => {
    expect(client.view("items")).toBe(client.view({ name: "items" }));
  });
});

describe("several views", () => {
  test("share one connection and change together", async () => {
    const a = client.view<Item>("a");
    const b = client.view<Item>("b");
    const moments: string[] = [];
    const note = () => moments.push(`${a.rows.length}${b.rows.length}`);
    a.subscribe(note);
    b.subscribe(note);
    const stream = await server.stream();
    expect(stream.views.map(([name]) => name)).toEqual(["a", "b"]);
    stream.raw(
      eventText("snapshot", snapshotOf("a", "1", [])) + eventText("snapshot", snapshotOf("b", "1", [])),
    );
    await until(b, at("1"));
    moments.length = 0;
    stream.step("2", { a: [insert({ id: 1, name: "x" })], b: [insert({ id: 1, name: "y" })] });
    await until(b, at("2"));
    expect(moments).toEqual(["11", "11"]);
  });

  test("steps that come fast are shown together, each listener called once", async () => {
    reopen({ notifyIntervalMs: 60_000 });
    const view = client.view<Item>("a");
    view.subscribe(() => undefined);
    const stream = await server.stream();
    let calls = 0;
    view.subscribe(() => calls++);
    stream.snapshot("a", "1", []);
    await until(view, at("1"));
    expect(calls).toBe(1);
    // Far more than may be queued: applied without waiting for the clock.
    const name = "x".repeat(100_000);
    for (let i = 0; i < 11; i++) stream.step(String(i + 2), { a: [insert({ id: i, name })] });
    await until(view, (v) => v.rows.length === 11);
    expect(calls).toBe(2);
  });

  test("adding one resumes the others from where they are", async () => {
    const a = client.view<Item>("a");
    a.subscribe(() => undefined);
    const first = await server.stream();
    first.snapshot("a", "5", [{ id: 1, name: "x" }]);
    await until(a, at("5"));
    const leave = a.subscribe(() => undefined);
    first.step("6", { a: [insert({ id: 2, name: "y" })] });
    await until(a, at("6"));

    const statuses: string[] = [];
    a.subscribe(() => statuses.push(a.status));
    const b = client.view<Item>("b");
    b.subscribe(() => undefined);
    const second = await server.stream();
    await first.closed;
    expect(second.views).toEqual([
      ["a", "6"],
      ["b", undefined],
    ]);
    second.step("7", { a: [insert({ id: 3, name: "z" })] });
    second.snapshot("b", "7", []);
    await until(b, at("7"));
    expect(a.rows.map((r) => r.id)).toEqual([1, 2, 3]);
    expect(statuses).toEqual(["live"]);
    leave();
  });

  test("a step that did not touch a view moves the place it resumes from", async () => {
    const a = client.view<Item>("a");
    const b = client.view<Item>("b");
    a.subscribe(() => undefined);
    b.subscribe(() => undefined);
    const first = await server.stream();
    first.snapshot("a", "1", []);
    first.snapshot("b", "1", []);
    first.step("2", { b: [insert({ id: 1, name: "x" })] });
    await until(b, at("2"));
    first.destroy();
    expect((await server.stream()).views).toEqual([
      ["a", "2"],
      ["b", "2"],
    ]);
  });

  test("one nobody listens to leaves after a while, and comes back with a snapshot", async () => {
    const a = client.view<Item>("a");
    const b = client.view<Item>("b");
    a.subscribe(() => undefined);
    const leave = b.subscribe(() => undefined);
    const first = await server.stream();
    first.snapshot("a", "1", []);
    first.snapshot("b", "1", [{ id: 1, name: "x" }]);
    await until(b, at("1"));
    leave();
    expect((await server.stream()).views).toEqual([["a", "1"]]);
    expect(b.snapshot).toMatchObject({ rows: [], status: "connecting" });
    b.subscribe(() => undefined);
    expect((await server.stream()).views).toEqual([
      ["a", "1"],
      ["b", undefined],
    ]);
  });

  test("a listener that comes back in time keeps the connection", async () => {
    reopen({ lingerMs: 60_000 });
    const view = client.view<Item>("a");
    const leave = view.subscribe(() => undefined);
    const stream = await server.stream();
    stream.snapshot("a", "1", []);
    await until(view, at("1"));
    leave();
    leave();
    view.subscribe(() => undefined);
    stream.step("2", { a: [insert({ id: 1, name: "x" })] });
    await until(view, at("2"));
    expect(server.asked.length).toBe(1);
  });
});

test("close ends the stream and every view", async () => {
  const view = client.view<Item>("items");
  view.subscribe(() => undefined);
  const stream = await server.stream();
  client.close();
  await stream.closed;
  expect(view).toMatchObject({ status: "error", error: { code: "connection_failed" } });
  await expect(client.view("other").ready()).rejects.toMatchObject({ code: "connection_failed" });
});

test("a listener that throws does not keep the others from hearing", async () => {
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => thrown.push(error));
  try {
    const view = client.view<Item>("items");
    const leave = view.subscribe(() => {
      leave();
      throw new Error("mine");
    });
    const heard = until(view, at("1"));
    (await server.stream()).snapshot("items", "1", []);
    await heard;
    await expect.poll(() => thrown).toEqual([new Error("mine")]);
  } finally {
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
});
