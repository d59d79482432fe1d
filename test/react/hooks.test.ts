import { createElement as h, StrictMode } from "react";
import { flushSync } from "react-dom";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { type Client, connect, type Key, viewRef } from "../../src/client/index.ts";
import {
  EvertProvider,
  type EvertProviderProps,
  type RowSnapshot,
  useEvert,
  useRow,
  useView,
} from "../../src/react/index.ts";
import { FakeServer, insert, remove, type Stream, update } from "../client/fake-server.ts";
import { tinyDom } from "./tiny-dom.ts";

interface Item {
  readonly id: number;
  readonly name: string;
}

let server: FakeServer;
let client: Client;
let element: Element;
let root: Root;
let renders: Record<string, number>;

beforeEach(async () => {
  server = await new FakeServer().start();
  client = connect(server.url, { notifyIntervalMs: 0, lingerMs: 20 });
  element = tinyDom();
  root = createRoot(element);
  renders = {};
});

afterEach(async () => {
  flushSync(() => root.unmount());
  client.close();
  await server.stop();
});

function List({ view, enabled = true }: { view: string; enabled?: boolean }) {
  const { rows, position, status, error } = useView<Item>(view, { enabled });
  renders[view] = (renders[view] ?? 0) + 1;
  return h(
    "p",
    null,
    `${view} ${position ?? "-"} ${error?.code ?? status}: ${rows.map((r) => r.name).join()} | `,
  );
}

function One({ view, id }: { view: string; id: Key }) {
  const { row, status } = useRow<Item>(view, id);
  const name = `row ${String(id)}`;
  renders[name] = (renders[name] ?? 0) + 1;
  return h("p", null, `${status} ${row?.name ?? "none"} | `);
}

function Note({ clients }: { clients: Set<Client> }) {
  clients.add(useEvert());
  return h(List, { view: "items" });
}

function render(...children: React.ReactNode[]): void {
  flushSync(() => root.render(h(EvertProvider, { client }, h("div", null, ...children))));
}

/** Waits until the page reads so. */
async function shows(text: string): Promise<void> {
  await expect.poll(() => element.textContent, { interval: 5 }).toBe(text);
}

async function streamWith(view: string, ...rows: Item[]): Promise<Stream> {
  const stream = await server.stream();
  stream.snapshot(
    view,
    "1",
    rows.map((row) => ({ ...row })),
  );
  return stream;
}

describe("useView", () => {
  test("shows the rows and follows them", async () => {
    render(h(List, { view: "items" }));
    expect(element.textContent).toBe("items - connecting:  | ");
    const stream = await streamWith("items", { id: 2, name: "b" }, { id: 1, name: "a" });
    await shows("items 1 live: a,b | ");
    stream.step("2", {
      items: [update({ id: 1, name: "A" }, { id: 1, name: "a" }), insert({ id: 3, name: "c" })],
    });
    await shows("items 2 live: A,b,c | ");
    stream.event("error", {
      view: "items",
      error: { code: "division_by_zero", message: "no" },
      final: false,
    });
    await shows("items 2 division_by_zero: A,b,c | ");
  });

  test("components share one subscription; what did not change does not render", async () => {
    render(h(List, { view: "a" }), h(List, { view: "a" }), h(List, { view: "b" }));
    const stream = await server.stream();
    expect(stream.views.map(([name]) => name)).toEqual(["a", "b"]);
    stream.snapshot("a", "1", []);
    stream.snapshot("b", "1", []);
    await shows("a 1 live:  | a 1 live:  | b 1 live:  | ");
    const before = { ...renders };
    stream.step("2", { b: [insert({ id: 1, name: "x" })] });
    await shows("a 1 live:  | a 1 live:  | b 2 live: x | ");
    expect(renders).toEqual({ a: before["a"], b: before["b"]! + 1 });
    expect(server.asked.length).toBe(1);
  });

  test("a strict, remounting page stays on its connection", async () => {
    flushSync(() =>
      root.render(h(StrictMode, null, h(EvertProvider, { client }, h(List, { view: "items" })))),
    );
    await streamWith("items", { id: 1, name: "a" });
    await shows("items 1 live: a | ");
    expect(server.asked.length).toBe(1);
  });

  test("another name is another view; none left ends the connection", async () => {
    render(h(List, { view: "a" }));
    const first = await streamWith("a", { id: 1, name: "x" });
    await shows("a 1 live: x | ");
    render(h(List, { view: "b" }));
    expect(element.textContent).toBe("b - connecting:  | ");
    await first.closed;
    let stream = await server.stream();
    while (stream.views.length > 1) stream = await server.stream();
    stream.snapshot("b", "1", []);
    await shows("b 1 live:  | ");
    render();
    await stream.closed;
  });

  test("a view that is not enabled is not asked for", async () => {
    render(h(List, { view: "a", enabled: false }), h(List, { view: "b" }));
    const stream = await server.stream();
    expect(stream.views.map(([name]) => name)).toEqual(["b"]);
    expect(element.textContent).toContain("a - connecting");
  });
});

describe("useRow", () => {
  test("renders when its row changes, and only then", async () => {
    render(h(One, { view: "items", id: 1 }), h(One, { view: "items", id: 2 }));
    expect(element.textContent).toBe("connecting none | connecting none | ");
    const stream = await streamWith("items", { id: 1, name: "a" });
    await shows("live a | live none | ");
    const before = { ...renders };
    stream.step("2", { items: [insert({ id: 2, name: "b" })] });
    await shows("live a | live b | ");
    stream.step("3", { items: [remove({ id: 2, name: "b" }), insert({ id: 3, name: "c" })] });
    await shows("live a | live none | ");
    expect(renders["row 1"]).toBe(before["row 1"]);
    expect(renders["row 2"]).toBe(before["row 2"]! + 2);
  });
});

describe("EvertProvider", () => {
  test("makes a client for an address, the same through renders", async () => {
    const clients = new Set<Client>();
    const props: EvertProviderProps = { url: server.url, options: { notifyIntervalMs: 0, lingerMs: 0 } };
    for (let i = 0; i < 3; i++) flushSync(() => root.render(h(EvertProvider, props, h(Note, { clients }))));
    const stream = await streamWith("items", { id: 1, name: "a" });
    await shows("items 1 live: a | ");
    expect(clients.size).toBe(1);
    flushSync(() => root.render(null));
    await stream.closed;
  });

  test("a hook outside of it says what is missing", () => {
    expect(() => renderToString(h(List, { view: "items" }))).toThrow(/no EvertProvider/);
  });

  test("renders on a server, where nothing is known yet", () => {
    const page = h(EvertProvider, { url: "" }, h(List, { view: "items" }), h(One, { view: "items", id: 1 }));
    expect(renderToString(page)).toBe("<p>items - connecting:  | </p><p>connecting none | </p>");
  });
});

test("rows are typed by the view's type alone", () => {
  interface Handle {
    readonly name: string;
    readonly $row?: Item;
  }
  const ref = viewRef<Handle>("items");
  const typed = () => [useView<Handle>("items"), useView(ref), useView({} as Handle)] as const;
  type Snapshots = ReturnType<typeof typed>;
  expectTypeOf<Snapshots[0]["rows"]>().toEqualTypeOf<readonly Item[]>();
  expectTypeOf<Snapshots[1]["rows"]>().toEqualTypeOf<readonly Item[]>();
  expectTypeOf<Snapshots[2]["rows"]>().toEqualTypeOf<readonly Item[]>();
  const one = () => useRow<Handle>("items", 1);
  expectTypeOf<ReturnType<typeof one>>().toEqualTypeOf<RowSnapshot<Item>>();
});
