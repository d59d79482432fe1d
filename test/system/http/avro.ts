/** The registry of schemas, and records in Avro. */
import { expect, it } from "vitest";
import { ask, ok } from "./walk.ts";

export function avro(): void {
  const vnd = { type: "application/vnd.schemaregistry.v1+json" };
  const schema = JSON.stringify({ type: "record", name: "e", fields: [{ name: "n", type: "int" }] });

  it("schemas are registered, looked up and found by id", async () => {
    const subjects = (await ok("GET /registry/subjects")).body as string[];
    expect(subjects).toEqual(expect.arrayContaining(["event-value", "item-value", "item-key", "songs-key"]));
    expect((await ok("GET /registry/config")).body).toEqual({ compatibilityLevel: "FORWARD" });
    await ok("GET /registry/config/event-value");
    const { id } = (await ok("POST /registry/subjects/event-value/versions", { schema }, vnd)).body as {
      id: number;
    };
    expect((await ok(`GET /registry/schemas/ids/${id}`)).body).toEqual({ schema });
    const version = { subject: "event-value", version: 2, id, schema };
    expect((await ok("POST /registry/subjects/event-value", { schema }, vnd)).body).toEqual(version);
    expect((await ok("GET /registry/subjects/event-value/versions")).body).toEqual([1, 2]);
    expect((await ok("GET /registry/subjects/event-value/versions/latest")).body).toEqual(version);
    const check = "POST /registry/compatibility/subjects/item-value/versions/latest";
    expect((await ok(check, { schema }, vnd)).body).toMatchObject({ is_compatible: false });
    expect((await ask("GET /registry/subjects/none-value/versions")).body).toMatchObject({
      error_code: 40401,
    });
    const frame = (n: number) => [0, 0, 0, 6, 0, 0, 0, 0, id, 2 * n, 0, 0, 0, 0];
    const sent = Uint8Array.from([...frame(11), ...frame(12)]);
    const { body } = await ok("POST /v1/topics/event/records", sent, { type: "avro/binary" });
    expect(body).toMatchObject({ count: 2 });
    await ok("GET /v1/topics/event/records", undefined, { accept: "avro/binary" });
    await ok("GET /v1/topics/event/records", undefined, { accept: "application/avro" });
  });
}
