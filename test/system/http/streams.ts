/** Views that are followed, as event streams and over a WebSocket. */
import { expect, it } from "vitest";
import { WsClient } from "../../servers/http/ws-client.ts";
import { ask, contract, events, listen, ok, server } from "./walk.ts";

export function eventStreams(): void {
  const put = async (id: number, name: string): Promise<string> =>
    ((await ok("POST /v1/topics/item/records", { id, name })).body as { position: string }).position;
  const drop = async (id: number): Promise<string> =>
    ((await ok(`DELETE /v1/topics/item/records/${id}`)).body as { position: string }).position;

  it("a view: a snapshot, then one change per step; Last-Event-ID and from resume with the missed changes only", async () => {
    const stream = await listen("/v1/views/items/rows");
    const snapshot = await stream.next("SnapshotEvent");
    expect(snapshot).toMatchObject({
      event: "snapshot",
      data: {
        keyColumns: ["id"],
        last: true,
        columns: [
          { name: "id", type: "int4" },
          { name: "name", type: "text" },
          { name: "price", type: "numeric" },
        ],
      },
    });
    expect((snapshot.data as { rows: unknown[] }).rows).toContainEqual({
      key: 1,
      row: { id: 1, name: "one", price: 1.5 },
    });
    expect(snapshot.id).toBe((snapshot.data as { position: string }).position);

    const a = { id: 90, name: "a", price: null };
    const b = { id: 90, name: "b", price: null };
    const expected = [
      [await put(90, "a"), [{ op: "insert", key: 90, row: a }]],
      [await put(90, "b"), [{ op: "update", key: 90, row: b, old: a }]],
      [await drop(90), [{ op: "delete", key: 90, old: b }]],
    ] as const;
    const seen: unknown[] = [];
    for (const [at, changes] of expected) {
      const event = await stream.next("ChangeEvent");
      expect(event).toEqual({ event: "change", id: at, data: { position: at, changes } });
      seen.push(event);
    }
    await stream.close();
    for (const [path, headers] of [
      ["/v1/views/items/rows", { "Last-Event-ID": snapshot.id }],
      [`/v1/views/items/rows?from=${snapshot.id}`, {}],
      [`/v1/views/items/rows/90?from=${snapshot.id}`, {}],
    ] as const) {
      const again = await listen(path, headers);
      for (const event of seen) expect(await again.next("ChangeEvent")).toEqual(event);
      await again.close();
    }
  });

  it("resumes from what a read or a write said, with nobody having listened", async () => {
    const { body } = await ok("GET /v1/views/ranked/rows");
    const at = await put(92, "x");
    await drop(92);
    const stream = await listen(`/v1/views/ranked/rows?from=${(body as { position: string }).position}`);
    expect(await stream.next("ChangeEvent")).toMatchObject({ event: "change", id: at });
    await stream.close();
  });

  it("a position nothing is kept from: reset, and a snapshot", async () => {
    for (const [from, reason] of [
      ["0", /older than what is kept/],
      ["999999", /has not been reached/],
    ] as const) {
      const stream = await listen(`/v1/views/items/rows?from=${from}`);
      expect(await stream.next("ResetEvent")).toMatchObject({
        event: "reset",
        data: { reason: expect.stringMatching(reason) },
      });
      expect(await stream.next("SnapshotEvent")).toMatchObject({ event: "snapshot", data: { last: true } });
      await stream.close();
    }
  });

  it("one row", async () => {
    const stream = await listen("/v1/views/items/rows/91");
    expect(await stream.next("SnapshotEvent")).toMatchObject({ data: { rows: [], last: true } });
    await put(94, "another");
    const at = await put(91, "mine");
    expect(await stream.next("ChangeEvent")).toMatchObject({
      id: at,
      data: { changes: [{ op: "insert", key: 91 }] },
    });
    await stream.close();
    await drop(91);
    await drop(94);
  });

  it("a view without a key has content hashes with an ordinal", async () => {
    const stream = await listen("/v1/views/words/rows");
    await stream.next("SnapshotEvent");
    await ok("POST /v1/topics/event/records", [{ word: "twice" }, { word: "twice" }]);
    const { data } = (await stream.next("ChangeEvent")) as { data: { changes: { key: string }[] } };
    const [first, second] = data.changes.map((c) => c.key);
    expect(first).toMatch(/^[0-9a-f]+:0$/);
    expect(second).toBe(first!.replace(/0$/, "1"));
    await stream.close();
  });

  it("many views on one connection show one moment", async () => {
    const stream = await listen("/v1/subscribe?view=items&view=ranked&view=nothing");
    const first = [
      await stream.next("ErrorEvent"),
      await stream.next("SnapshotEvent"),
      await stream.next("SnapshotEvent"),
    ];
    expect(first.map((e) => (e.data as { view: string }).view).sort()).toEqual([
      "items",
      "nothing",
      "ranked",
    ]);
    const at = await put(93, "y");
    expect(await stream.next("StepEvent")).toEqual({
      event: "step",
      id: at,
      data: {
        position: at,
        views: {
          items: [{ op: "insert", key: 93, row: { id: 93, name: "y", price: null } }],
          ranked: [{ op: "insert", key: 93, row: { name: "y", id: 93 } }],
        },
      },
    });
    await stream.close();
    const again = await listen("/v1/subscribe?view=items&view=ranked", { "Last-Event-ID": first[2]!.id });
    expect(await again.next("StepEvent")).toMatchObject({ id: at });
    await again.close();
    await drop(93);
  });

  it("a WebSocket is told of all it subscribes to at one moment, in the forms of event streams", async () => {
    const c = await WsClient.open(server.url);
    const told = await c.subscribe({ view: "items" }, { view: "ranked" }, { view: "nothing" });
    expect(told.map((m) => m.type)).toEqual(["error", "snapshot", "snapshot", "subscribed"]);
    const at = await put(94, "w");
    const step = await c.next();
    expect(step).toMatchObject({ type: "step", id: at, position: at });
    for (const [name, { type, id: _, request: __, ended: ___, ...message }] of [
      ["ErrorEvent", told[0]!],
      ["SnapshotEvent", told[1]!],
      ["StepEvent", step!],
    ] as const)
      expect(contract.fits(name, message), `${name} of ${type}`).toEqual([]);
    await c.close();
    const answer = await ask("GET /v1/ws");
    expect(answer.status).toBe(426);
    await drop(94);
  });

  it.each([
    "subscribe",
    "subscribe?view=items&view=items",
    "subscribe?key=1",
    "subscribe?view=items&from=x",
    "views/items/rows?from=x",
    "views/items/rows?limit=x",
    "views/items/rows?name=two&nothing=1",
  ])("%s is refused", async (path) => {
    const answer = await ask(`GET /v1/${path}`, undefined, { accept: events });
    expect(answer.status, answer.text).toBe(400);
  });
}
