/** Who writes and who reads, by name: producers and consumers. */
import { expect, it } from "vitest";
import { ask, error, ok, position } from "./walk.ts";

export function producers(): void {
  it("what one sends is stored once and in order", async () => {
    const { body } = await ok("POST /v1/producers", { id: "walker" });
    expect(body).toEqual({ id: "walker", epoch: 0, position });
    const send = (seq: number, epoch = 0) =>
      ask(
        "POST /v1/topics/event/records",
        { n: 70 + seq },
        {
          headers: { "Producer-Id": "walker", "Producer-Epoch": String(epoch), "Producer-Seq": String(seq) },
        },
      );
    const first = await send(0);
    expect(first.status).toBe(200);
    expect((await send(0)).body).toEqual(first.body);
    const early = await send(5);
    expect([early.status, early.headers.get("Producer-Expected-Seq")]).toEqual([409, "1"]);
    expect(early.body).toEqual(
      error("out_of_sequence", "55000", { detail: expect.any(String), hint: expect.any(String) }),
    );
    expect((await ok("GET /v1/producers/walker")).body).toMatchObject({
      epoch: 0,
      topics: [{ topic: "event", seq: 0 }],
    });
    await ok("POST /v1/producers", { id: "walker" });
    const fenced = await send(1);
    expect([fenced.status, fenced.headers.get("Producer-Epoch")]).toEqual([403, "1"]);
    expect((await ask("GET /v1/producers/nobody")).status).toBe(404);
  });
}

export function consumers(): void {
  it("go on where they have come, and store what they make with it", async () => {
    const opened = await ok("POST /v1/consumers", { name: "walker", topics: ["item"] });
    expect(opened.body).toEqual({
      name: "walker",
      epoch: 0,
      topics: [{ topic: "item", offset: 0 }],
      position,
    });
    const first = await ok("GET /v1/topics/item/records?consumer=walker&limit=1");
    expect(JSON.parse(first.text)).toMatchObject({ offset: 0, value: { id: 1 } });
    await ok("PUT /v1/consumers/walker", { epoch: 0, progress: { item: 1 } });
    const made = { operations: [{ topic: "event", append: { n: 60 } }] };
    const consume = { name: "walker", epoch: 0, topic: "item", offset: 2 };
    await ok("POST /v1/transactions", { ...made, consume });
    expect(await ask("POST /v1/transactions", { ...made, consume: [consume] })).toMatchObject({
      status: 409,
      body: { error: { code: "conflict" } },
    });
    expect((await ok("GET /v1/consumers/walker")).body).toMatchObject({
      name: "walker",
      topics: [{ topic: "item", offset: 2 }],
    });
    await ok("POST /v1/consumers", { name: "walker", topics: ["item"] });
    expect(await ask("PUT /v1/consumers/walker", { epoch: 0, progress: { item: 3 } })).toMatchObject({
      status: 403,
      body: { error: { code: "fenced" } },
    });
    expect((await ok("GET /v1/consumers")).body).toMatchObject({ consumers: [{ name: "walker", epoch: 1 }] });
    await ok("DELETE /v1/consumers/walker");
    expect((await ask("GET /v1/consumers/walker")).status).toBe(404);
  });
}
