/**
 * A replica that began while a key was being erased was sent a segment with the key's row, and the one with its delete when that had gone: it kept the row for ever. On a replica that was promoted while it erased, nothing
 * looked for that; on a leader it was looked for when all was done, and who had been sent everything by then was passed over. Found by the simulation of copies, seed 7200448.
 */
import { expect, it } from "vitest";
import { TICK_ENTRY } from "../../src/engine/catalog/hidden-topics.ts";
import type { Database } from "../../src/engine/database.ts";
import { type Message, MessageReader } from "../../src/engine/replica/messages.ts";
import { started } from "../engine/replica/nodes.ts";
import { level } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

/** What somebody is sent who begins with nothing. */
class Copying {
  readonly #reader: MessageReader;
  readonly #ending = new AbortController();

  constructor({ core, replication }: Database) {
    const request = { follower: "new", logId: core.log.logId, from: 1, timeUs: null, epochs: [] };
    const stream = replication.stream(request, this.#ending.signal);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for await (const message of stream) yield* message;
    }
    this.#reader = new MessageReader(pieces());
  }

  async next(): Promise<Message> {
    return (await this.#reader.next()) as Message;
  }

  /** All that there is, up to the first heartbeat. */
  async rest(): Promise<string[]> {
    const kinds: string[] = [];
    for (let kind = ""; kind !== "heartbeat"; kinds.push(kind)) ({ kind } = await this.next());
    return kinds;
  }

  end(): void {
    this.#ending.abort();
  }
}

/** The log goes on in a new segment. */
async function turnOver({ core: { committer, log } }: Database): Promise<void> {
  await committer.exclusively(async () => {
    log.turnOver();
    const rows = [{ due: new Date(log.nowUs() / 1000) }];
    return [{ topic: TICK_ENTRY, op: "upsert", rows, path: "tick" }];
  });
}

/** Called in the place of what takes the key out of the log, which it has to do. */
function whileErasing(
  { core: { log } }: Database,
  act: (erased: () => Promise<void>) => Promise<void>,
): void {
  const erase = log.erase.bind(log);
  log.erase = (...of) => act(() => erase(...of));
}

async function withRow(): Promise<{ leader: Awaited<ReturnType<typeof started>>; copying: Copying }> {
  const leader = await started();
  await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'one')");
  await turnOver(leader.db);
  await leader.db.core.log.sealed();
  await leader.db.checkpoint();
  return { leader, copying: new Copying(leader.db) };
}

const refused = {
  code: "diverged",
  message: expect.stringMatching(/^the follower is too far behind: deletes after position \d+ are gone$/),
};

it("tells who was sent the row, and is to be sent a segment without its delete before the key is said to be erased", async () => {
  const { leader, copying } = await withRow();
  whileErasing(leader.db, async (erased) => {
    expect((await copying.next()).kind).toBe("hello");
    expect((await copying.next()).kind).toBe("sealed");
    await erased();
    await expect(copying.rest()).rejects.toMatchObject(refused);
  });
  await leader.db.erase("t", 1);
  expect.assertions(3);
});

it("tells so who is sent the rest later, also by a replica that is promoted meanwhile", async () => {
  const { leader } = await withRow();
  const replica = await started({ follow: { url: leader.url } });
  await level(leader.db, replica.db);
  await leader.db.deleteKey("t", 1);
  await turnOver(leader.db);
  await level(leader.db, replica.db);
  let copying: Copying | null = null;
  whileErasing(replica.db, async (erased) => {
    await replica.db.replication.promote();
    copying = new Copying(replica.db);
    expect((await copying.next()).kind).toBe("hello");
    expect((await copying.next()).kind).toBe("sealed");
    await erased();
  });
  await replica.db.erase("t", 1);
  await expect(copying!.rest()).rejects.toMatchObject(refused);
});

it("lets those go on who had been sent nothing, or everything", async () => {
  const { leader, copying } = await withRow();
  expect((await copying.next()).kind).toBe("hello");
  whileErasing(leader.db, (erased) => erased());
  await leader.db.erase("t", 1);
  expect(await copying.rest()).toContain("sealed");
  leader.db.replication.progress("new", Number(leader.db.position));

  await sql(leader.db, "INSERT INTO t VALUES (2, 'two')");
  whileErasing(leader.db, async (erased) => {
    const sent = await copying.rest();
    expect(sent).toContain("frames");
    leader.db.replication.progress("new", Number(leader.db.position));
    await erased();
  });
  await leader.db.erase("t", 2);
  await turnOver(leader.db);
  await copying.rest();
  copying.end();
});
