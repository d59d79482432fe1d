/** Several operations as one commit. */
import { expect, it } from "vitest";
import { ask, error, ok, position, records } from "./walk.ts";

export function transactions(): void {
  const transactionCases: [what: string, content: unknown, status: number, body: unknown][] = [
    [
      "several topics",
      {
        operations: [
          { topic: "item", append: { id: 80, name: "a" } },
          { topic: "event", append: [{ n: 80 }] },
        ],
      },
      200,
      { position },
    ],
    [
      "upsert and delete, by key and by composite key",
      {
        operations: [
          { topic: "item", upsert: [{ id: 80, name: "b" }] },
          { topic: "item", delete: 80 },
          { topic: "pair", delete: [[7, "x"]] },
        ],
      },
      200,
      { position },
    ],
    [
      "a bad record names operation, path and reason",
      {
        operations: [
          { topic: "item", append: { id: 81, name: "a" } },
          { topic: "event", append: [{ n: "x" }] },
        ],
      },
      400,
      error("datatype_mismatch", "42804", {
        message: expect.stringMatching(/^operations\[1\]\.append\[0\]\.n: /),
      }),
    ],
    [
      "an unknown topic",
      { operations: [{ topic: "nothing", append: {} }] },
      404,
      error("undefined_table", "42P01", { hint: expect.any(String) }),
    ],
    [
      "delete from a stream",
      {
        operations: [
          { topic: "item", append: { id: 81, name: "a" } },
          { topic: "event", delete: 1 },
        ],
      },
      400,
      error("wrong_object_type", "42809", { hint: expect.any(String) }),
    ],
    [
      "two verbs",
      { operations: [{ topic: "item", append: {}, delete: 1 }] },
      400,
      error("invalid_request", "22023", { message: expect.stringMatching(/^operations\[0\]/) }),
    ],
    [
      "what it expects does not hold",
      {
        operations: [{ topic: "item", append: { id: 81, name: "a" } }],
        expect: { topic: "item", position: "1" },
      },
      409,
      error("conflict", "40001", {
        message: expect.stringMatching(/^expect\[0\]: "item" was written/),
        detail: expect.any(String),
        hint: expect.any(String),
      }),
    ],
    [
      "no operation",
      { operations: [] },
      400,
      error("invalid_request", "22023", { hint: expect.any(String) }),
    ],
  ];

  it.each(transactionCases)("%s", async (_, content, status, body) => {
    const before = [await records("item"), await records("event")];
    const answer = await ask("POST /v1/transactions", content);
    expect([answer.status, answer.body]).toEqual([status, body]);
    if (status !== 200) expect([await records("item"), await records("event")]).toEqual(before);
  });

  it("all of it has one position, and idempotencyKey gives the first answer again", async () => {
    const transaction = {
      operations: [
        { topic: "item", upsert: { id: 82, name: "a" } },
        { topic: "event", append: { n: 82 } },
      ],
      idempotencyKey: "t 1",
    };
    const { body } = await ok("POST /v1/transactions", transaction);
    expect((await ok("POST /v1/transactions", transaction)).body).toEqual(body);
    const lastOf = async (topic: string) =>
      JSON.parse((await records(topic)).trimEnd().split("\n").at(-1)!) as { position: string };
    const { position: at } = body as { position: string };
    expect([(await lastOf("item")).position, (await lastOf("event")).position]).toEqual([at, at]);
    const other = { ...transaction, operations: [{ topic: "event", append: { n: 83 } }] };
    expect((await ask("POST /v1/transactions", other)).status).toBe(422);
    await ok("DELETE /v1/topics/item/records/82");
  });
}
