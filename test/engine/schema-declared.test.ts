/** Topics declared in TypeScript otherwise than the log has them. */
import { expect, test } from "vitest";
import { z } from "zod";
import { open, table, topic, view } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const first = table("users", {
  key: "id",
  schema: z.object({ id: z.int(), name: z.string(), old: z.string().nullable() }),
});
const second = table("users", {
  key: "id",
  schema: z.object({ id: z.int(), name: z.string().nullable(), email: z.string().nullable() }),
});
const byName = view(
  "by_name",
  second.filter((u) => u.email === null).map((u) => ({ id: u.id, name: u.name })),
);

const opened = (disk: SimulatedDisk, options: Omit<Parameters<typeof open>[0], "dir">) =>
  open({ dir: "/data", disk, ...options });

test("columns that may be null are added, others stay, and it is reported", async () => {
  const disk = new SimulatedDisk();
  let db = await opened(disk, { topics: [first] });
  await db.append(first, { id: 1, name: "Ada", old: "x" });
  await db.close();
  const told: string[] = [];
  db = await opened(disk, { topics: [second], views: [byName], report: (message) => told.push(message) });
  expect(told.filter((message) => message.includes("users"))).toEqual([
    'topic "users" has changed as it is declared: column name dropped not null, column email text added',
  ]);
  await db.append(second, { id: 2, name: null, email: null });
  await db.append(second, { id: 3, name: "Eve", email: "e@x" });
  await db.settled();
  expect(await db.view(byName).rows()).toEqual([
    { id: 1, name: "Ada" },
    { id: 2, name: null },
  ]);
  const schemas = db.schemas("users");
  expect(
    schemas.map(({ version, position, changes }) => ({ version, isFirst: position === null, changes })),
  ).toEqual([
    { version: 1, isFirst: true, changes: [] },
    { version: 2, isFirst: false, changes: ["column name dropped not null", "column email text added"] },
  ]);
  expect(schemas[1]?.schema.fields.map((f) => f.name)).toEqual(["id", "name", "old", "email"]);
  await db.close();
  // What has been changed is as it is declared from then on.
  told.splice(0);
  db = await opened(disk, { topics: [second], views: [byName], report: (message) => told.push(message) });
  expect(told).toEqual([]);
  expect((await db.view(byName).rows()).length).toBe(2);
  await db.close();
});

test("what would make old records mean another thing is refused", async () => {
  const disk = new SimulatedDisk();
  const made = topic("t", { schema: z.object({ a: z.string(), b: z.int() }) });
  const db = await opened(disk, { topics: [made] });
  await db.append(made, { a: "x", b: 1 });
  await db.close();
  for (const schema of [
    z.object({ a: z.string(), b: z.string() }),
    z.object({ a: z.string() }),
    z.object({ a: z.string(), b: z.int(), c: z.string() }),
  ]) {
    const declared = topic("t", { schema });
    await expect(opened(disk, { topics: [declared] })).rejects.toMatchObject({
      hint: expect.stringMatching(/INSERT|DEFAULT/),
    });
  }
  await expect(
    opened(disk, { topics: [table("t", { key: "b", schema: z.object({ a: z.string(), b: z.int() }) })] }),
  ).rejects.toMatchObject({ detail: "It is a stream, not a table." });
});
