/** A key that was erased on the leader is taken out of a replica's own files by erasing it there: searched for in them, as they lie and decompressed. */
import { afterEach, expect, it } from "vitest";
import { encodeUtf8 } from "../../../src/base/bytes.ts";
import { checkLog } from "../../../src/log/check.ts";
import { filesWith } from "../../support/raw-files.ts";
import { sql } from "../support/memory.ts";
import { contents, level, Node, until } from "./support.ts";

const SECRET = "the-one-text-that-nobody-else-has";
const pad = "p".repeat(700);
let nodes: Node[] = [];

afterEach(async () => {
  for (const node of nodes.reverse()) await node.stop();
  nodes = [];
});

async function node(options: Parameters<typeof Node.start>[0] = {}): Promise<Node> {
  const made = await Node.start(options);
  nodes.push(made);
  return made;
}

async function fill(leader: Node, from: number): Promise<void> {
  for (let i = from; i < from + 120; i++) {
    await leader.db.append("people", [{ email: `${i % 40}@example.com`, name: `someone ${i} ${pad}` }]);
    if (i % 30 === 7)
      await leader.db.append("people", [{ email: `${SECRET}@example.com`, name: `${SECRET} ${i}` }]);
  }
}

/** While no file comes or goes. */
const where = async ({ disk, db }: Node, isOpen = true): Promise<string[]> => {
  if (isOpen) await db.core.log.sealed();
  return filesWith(disk, encodeUtf8(SECRET));
};
const key = `${SECRET}@example.com`;

it("is in no file of the replica, which has the same rows and goes on", async () => {
  const leader = await node();
  await sql(
    leader.db,
    `CREATE TABLE people (email text PRIMARY KEY, name text);
     CREATE MATERIALIZED VIEW names AS SELECT length(email) AS n, string_agg(name, ', ' ORDER BY name) AS names FROM people GROUP BY 1`,
  );
  await fill(leader, 0);
  const replica = await node({ follow: { url: leader.url } });
  await level(leader.db, replica.db);
  await replica.db.checkpoint();
  await fill(leader, 120);
  await level(leader.db, replica.db);
  expect((await where(replica)).length).toBeGreaterThan(1);

  // It is not the replica's to decide.
  await expect(replica.db.erase("people", key)).rejects.toMatchObject({
    code: "conflict",
    hint: expect.stringContaining("on the leader first"),
  });
  await expect(replica.db.deleteKey("people", key)).rejects.toMatchObject({ code: "not_leader" });

  await leader.db.erase("people", key);
  await level(leader.db, replica.db);
  expect(await where(leader)).toEqual([]);
  expect((await where(replica)).length).toBeGreaterThan(0);
  const client = await fetch(
    `${replica.url}/v1/topics/people/records/${encodeURIComponent(key)}?erase=true`,
    { method: "DELETE" },
  );
  expect(client.status, await client.text()).toBe(200);
  expect(await where(replica)).toEqual([]);
  // Once more, with nothing left to do.
  expect(await replica.db.erase("people", key)).toMatchObject({ position: "0" });

  await fill(leader, 1000);
  await leader.db.erase("people", key);
  await level(leader.db, replica.db);
  await replica.db.erase("people", key);
  expect(await where(replica)).toEqual([]);
  const { rows, position } = (await contents(replica.db)) as { rows: unknown; position: string };
  expect({ rows, position }).toEqual(
    (({ rows, position }) => ({ rows, position }))(
      (await contents(leader.db)) as { rows: unknown; position: string },
    ),
  );
  await replica.stop();
  expect(await where(replica, false)).toEqual([]);
  expect((await checkLog("/data", replica.disk)).damages).toEqual([]);
  await replica.start();
  await until(() => replica.db.replication.info().following?.state === "following");
  await fill(leader, 2000);
  await level(leader.db, replica.db);
});
