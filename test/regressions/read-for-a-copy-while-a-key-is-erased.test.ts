/**
 * The first frames for a replica were read, slowly, while a key in them was erased, and handed on when that was done: nobody knew that it had them, and it was sent what followed without the key's delete. It kept the row for ever.
 */
import { expect, it } from "vitest";
import { MessageReader } from "../../src/engine/replica/messages.ts";
import { started } from "../engine/replica/nodes.ts";
import { sql } from "../engine/support/memory.ts";

it("tells who was sent a row that was read before its key was erased, and is to be sent a segment without its delete", async () => {
  const { db } = await started();
  const { core, replication } = db;
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'one')");
  await db.checkpoint();

  let read: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    read = resolve;
  });
  const stored = core.log.stored.bind(core.log);
  let isReading: () => void = () => {};
  const reading = new Promise<void>((resolve) => {
    isReading = resolve;
  });
  core.log.stored = (from) => {
    const pieces = stored(from);
    const next = pieces.next.bind(pieces);
    return Object.defineProperty(pieces, "next", {
      value: async () => {
        const piece = await next();
        isReading();
        await held;
        return piece;
      },
    });
  };
  const ending = new AbortController();
  const request = { follower: "new", logId: core.log.logId, from: 1, timeUs: null, epochs: [] };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const message of replication.stream(request, ending.signal)) yield* message;
  }
  const reader = new MessageReader(pieces());
  expect((await reader.next())?.kind).toBe("hello");
  const first = reader.next();
  await reading;
  // The row and its delete come to lie in two segments.
  await core.committer.exclusively(async () => {
    core.log.turnOver();
    return null;
  });
  await db.erase("t", 1);
  read();
  expect((await first)?.kind).toBe("frames");
  const rest = async (): Promise<void> => {
    for (let kind = ""; kind !== "heartbeat"; ) kind = (await reader.next())?.kind ?? "heartbeat";
  };
  await expect(rest()).rejects.toMatchObject({
    code: "diverged",
    message: expect.stringMatching(/^the follower is too far behind: deletes after position \d+ are gone$/),
  });
  ending.abort();
});
