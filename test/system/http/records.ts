/** Records that are read, and tombstones. */
import { expect, it } from "vitest";
import { readArrow, readArrowSchema } from "../../../src/batch/arrow.ts";
import { rowToObject } from "../../../src/batch/json.ts";
import { arrow, ask, bytesOf, contract, ndjson, ok, position, records, server } from "./walk.ts";

export function recordsOfATopic(): void {
  it("DELETE is a tombstone", async () => {
    await ok("POST /v1/topics/pair/records", { a: 5, b: "x y", n: 1 });
    const key = encodeURIComponent(JSON.stringify([5, "x y"]));
    expect((await ok(`DELETE /v1/topics/pair/records/${key}`)).body).toEqual({ position });
    const last = (await records("pair")).trimEnd().split("\n").at(-1)!;
    expect(JSON.parse(last)).toEqual({
      offset: expect.any(Number),
      position,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      key: [5, "x y"],
      value: null,
    });
    expect((await ask(`GET /v1/views/pairs/rows/${key}`)).status).toBe(404);
  });

  it.each<[string, string, number, string]>([
    ["a stream", "plays/records/1", 400, "wrong_object_type"],
    ["a table without a key", "loose/records/1", 400, "wrong_object_type"],
    ["an unknown topic", "nothing/records/1", 404, "undefined_table"],
    ["no such key", "item/records/abc", 400, "invalid_text_representation"],
  ])("DELETE of %s is refused", async (_, path, status, code) => {
    expect(await ask(`DELETE /v1/topics/${path}`)).toMatchObject({ status, body: { error: { code } } });
  });

  it("GET gives a line per record, with key and value, from an offset, with a limit", async () => {
    const lines = (await records("item"))
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as object);
    expect(lines[0]).toEqual({
      offset: 0,
      position,
      timestamp: expect.any(String),
      key: 1,
      value: { id: 1, name: "one", price: 1.5 },
    });
    for (const line of lines) expect(contract.fits("Record", line)).toEqual([]);
    const two = await ok("GET /v1/topics/item/records?from=1&limit=2");
    expect(two.headers.get("Content-Type")).toBe(ndjson);
    expect(
      two.text
        .trimEnd()
        .split("\n")
        .map((l) => (JSON.parse(l) as { offset: number }).offset),
    ).toEqual([1, 2]);
    expect((await ok("GET /v1/topics/item/records?from=latest")).text).toBe("");
    expect((await ok("GET /v1/topics/item/records?from=earliest&limit=0")).text).toBe("");
    const last = JSON.parse(two.text.trimEnd().split("\n").at(-1)!) as { offset: number; timestamp: string };
    const since = await ok(`GET /v1/topics/item/records?from=${encodeURIComponent(last.timestamp)}`);
    const found = since.text
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as { offset: number; timestamp: string });
    expect(found.map((r) => r.offset)).toContain(last.offset);
    expect(found.every((r) => r.timestamp >= last.timestamp)).toBe(true);
    expect((await ok("GET /v1/topics/item/records?from=2999-01-01T00:00:00Z")).text).toBe("");
    expect((await ok("GET /v1/topics/plays/records?limit=1")).text).not.toContain('"key"');
  });

  it("follow goes on with what becomes durable", async () => {
    const stop = new AbortController();
    const response = await fetch(`${server.url}/v1/topics/loose/records?from=latest&follow=true`, {
      signal: stop.signal,
    });
    const reader = response.body!.getReader();
    await ok("POST /v1/topics/loose/records", { n: 77 });
    const { value } = await reader.read();
    expect(JSON.parse(new TextDecoder().decode(value))).toMatchObject({ value: { n: 77 } });
    stop.abort();
    await reader.read().catch(() => undefined);
  });

  it("GET with Accept: Arrow gives the same records as columns", async () => {
    const bytes = await bytesOf("/v1/topics/item/records", arrow);
    const schema = readArrowSchema(bytes);
    expect(schema.fields.map((f) => f.name)).toEqual([
      "_offset",
      "_position",
      "_timestamp",
      "_deleted",
      "id",
      "name",
      "price",
    ]);
    const rows = [...readArrow(bytes, schema)].flatMap((b) =>
      Array.from({ length: b.length }, (_, i) => rowToObject(schema, b, i)),
    );
    const lines = (await records("item"))
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as never);
    expect(
      rows.map((r) => [r["_offset"], String(r["_position"]), r["id"], r["_deleted"] ? null : r["name"]]),
    ).toEqual(
      lines.map((l: { offset: number; position: string; key: number; value: { name: string } | null }) => [
        l.offset,
        l.position,
        l.key,
        l.value?.name ?? null,
      ]),
    );
  });

  it.each<[string, number, string]>([
    ["from=x", 400, "invalid_request"],
    ["limit=-1", 400, "invalid_request"],
    ["follow=perhaps", 400, "invalid_request"],
    ["color=red", 400, "invalid_request"],
    ["atLeast=999999&timeoutMs=20", 504, "timeout"],
  ])("GET ?%s is refused", async (query, status, code) => {
    expect(await ask(`GET /v1/topics/item/records?${query}`)).toMatchObject({
      status,
      body: { error: { code } },
    });
  });
}
