import { expect, it } from "vitest";
import { z } from "zod";
import { int4, topic } from "../../src/face/index.ts";
import { checkedRecord } from "../../src/face/validate.ts";

const people = topic("people", {
  schema: z.object({
    name: z.string().min(1),
    tags: z.array(z.object({ label: z.string().max(3) })).default([]),
  }),
});

it("gives the record back, defaults filled in", () => {
  expect(checkedRecord(people, { name: "Ari" })).toEqual({ name: "Ari", tags: [] });
});

it("names the path of what it refuses", () => {
  expect(() => checkedRecord(people, { name: "" })).toThrow(
    expect.objectContaining({ code: "invalid_value", path: "name" }),
  );
  expect(() => checkedRecord(people, { name: "Ari", tags: [{ label: "a" }, { label: "abcd" }] })).toThrow(
    expect.objectContaining({ code: "invalid_value", path: "tags[1].label" }),
  );
});

it("refuses schemas that answer later, and leaves plain columns to the columns", () => {
  const later = topic("later", { schema: z.object({ a: z.string() }) });
  const promised = {
    ...later,
    standard: { "~standard": { ...later.standard!["~standard"], validate: async () => ({ value: 1 }) } },
  };
  expect(() => checkedRecord(promised as unknown as typeof later, { a: "x" })).toThrow("asynchronously");
  const record = { a: 1 };
  expect(checkedRecord(topic("plain", { schema: { a: int4 } }), record)).toBe(record);
});
