/** Who gave append, delete, erase or a read of a transaction what is no topic was thrown at, where a promise is promised: a program that handles what that rejects with came to its end. */
import { expect, it } from "vitest";
import { int8, open, table } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const sums = table("sums", { schema: { id: int8 }, key: "id" });
const none = undefined as never;

it("a promise rejects, and says what was no topic", async () => {
  await using db = await open({ dir: "/data", disk: new SimulatedDisk(), topics: [sums] });
  const producer = db.producer("p");
  for (const ask of [
    () => db.append(none, { id: 1 } as never),
    () => db.delete(none, 1),
    () => db.erase(none, 1),
    () => producer.append(none, { id: 1 } as never),
    () => db.consumer("c", { topics: [none] }).open(),
    () => db.transact((tx) => tx.append(none, { id: 1 } as never)),
    () => db.transact((tx) => tx.delete(none, 1)),
  ]) {
    const asked: Promise<unknown> = ask();
    await expect(asked).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(/^the topic must be/),
    });
  }
  for (const read of [
    () => db.transact((tx) => tx.get(none, 1)),
    () => db.transact((tx) => tx.get({} as never, 1)),
    () => db.transact((tx) => tx.rows(none)),
  ])
    await expect(read()).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(/^the (table or )?view must be/),
    });
  const unknown: Promise<unknown> = db.engine.append("nothing", [{ id: 1 }]);
  await expect(unknown).rejects.toMatchObject({ code: "undefined_table" });
  expect(await db.append(sums, { id: 1 })).toMatchObject({ count: 1 });
});
