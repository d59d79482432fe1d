/**
 * The bank: transfers of 1 between ten accounts, in transactions, out of order, by several writers at once. Money neither comes nor goes, so at
 * every state that a subscriber is shown, not only at the end,
 * - the balances are credits less debits, of the same moment;
 * - their total is 0;
 * - a transfer joined with itself is never without its partner.
 * In process and over HTTP, in small steps and large ones, with restarts in between.
 */
import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { decodeSseStream } from "../../src/wire/http/sse.ts";
import { seed } from "../support/seed.ts";
import { Client } from "./support/client.ts";
import { openInMemory, sql } from "./support/memory.ts";

const ACCOUNTS = 10;
const names = ["credits", "debits", "balance", "total", "matched"] as const;

interface Transfer {
  readonly id: number;
  readonly source: number;
  readonly target: number;
  readonly amount: number;
  readonly at: string;
}

/** A transfer's moment has nothing to do with when it is told. */
function transfer(random: SeededRandom, id: number): Transfer {
  const source = random.below(ACCOUNTS);
  const target = (source + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
  const at = new Date(1_700_000_000_000 - random.below(100_000_000)).toISOString();
  return { id, source, target, amount: 1, at };
}

async function openBank(db: Database): Promise<void> {
  await sql(
    db,
    `CREATE TABLE transfers (id int8 PRIMARY KEY, source int NOT NULL, target int NOT NULL, amount int8 NOT NULL, at timestamptz NOT NULL);
     CREATE MATERIALIZED VIEW credits AS SELECT target AS account, sum(amount) AS amount FROM transfers GROUP BY target;
     CREATE MATERIALIZED VIEW debits AS SELECT source AS account, sum(amount) AS amount FROM transfers GROUP BY source;
     CREATE MATERIALIZED VIEW balance AS
       SELECT account, credits.amount - debits.amount AS amount FROM credits JOIN debits USING (account);
     CREATE MATERIALIZED VIEW total AS SELECT sum(amount) AS total FROM balance;
     CREATE MATERIALIZED VIEW matched AS
       SELECT a.id, b.id AS other FROM transfers a LEFT JOIN transfers b ON a.id = b.id AND a.at = b.at`,
  );
  // Round the circle, in one transaction: now every account has both a credit and a debit, and will keep them.
  const random = new SeededRandom(7);
  const circle = Array.from({ length: ACCOUNTS }, (_, i) => ({
    ...transfer(random, -1 - i),
    source: i,
    target: (i + 1) % ACCOUNTS,
  }));
  await db.append("transfers", circle);
  await db.built();
  await db.settled();
}

// ---- what must hold ---------------------------------------------------------------------------------------------

function amounts(client: Client, view: string): Map<unknown, bigint> {
  const rows = [...(client.views.get(view)?.values() ?? [])].map(
    (r) => JSON.parse(r) as Record<string, unknown>,
  );
  return new Map(rows.map((r) => [r["account"], BigInt(r["amount"] as number)]));
}

/** @throws when a state that is shown never was. */
function checkBooks(client: Client): void {
  const [credits, debits, balance] = ["credits", "debits", "balance"].map((v) => amounts(client, v)) as [
    Map<unknown, bigint>,
    Map<unknown, bigint>,
    Map<unknown, bigint>,
  ];
  const where = `at position ${client.position}`;
  const total = [...(client.views.get("total")?.values() ?? [])];
  if (total.join() !== '{"total":0}') throw new Error(`${where} the total is ${total.join()}`);
  if (balance.size !== ACCOUNTS) throw new Error(`${where} there are ${balance.size} accounts`);
  for (const [account, amount] of balance) {
    const expected = (credits.get(account) ?? 0n) - (debits.get(account) ?? 0n);
    if (amount !== expected)
      throw new Error(`${where} account ${String(account)} has ${amount}, not ${expected}`);
  }
  for (const row of client.views.get("matched")?.values() ?? []) {
    const { id, other } = JSON.parse(row) as { id: unknown; other: unknown };
    if (id !== other) throw new Error(`${where} transfer ${String(id)} is matched with ${String(other)}`);
  }
}

/** Applies what it is told, and looks after every single message that leaves a whole moment on the screen. */
class Auditor {
  readonly client = new Client();
  audits = 0;

  tell(event: SubscriptionEvent): void {
    this.client.apply(event);
    if (event.type === "error") throw new Error(`${event.view} fails with ${event.error.sqlstate}`);
    if (!names.every((name) => this.client.views.has(name))) return;
    checkBooks(this.client);
    this.audits++;
  }
}

/** Watches until it is stopped; goes on where the auditor was. */
function audit(db: Database, auditor: Auditor): { stop: () => Promise<void> } {
  const abort = new AbortController();
  const from = auditor.client.position < 0 ? undefined : String(auditor.client.position);
  const done = (async () => {
    const targets = names.map((view) => ({ view }));
    for await (const event of db.subscribe(targets, { from, signal: abort.signal })) auditor.tell(event);
  })();
  done.catch(() => {});
  return {
    stop: async () => {
      abort.abort();
      await done;
    },
  };
}

async function auditOverHttp(url: string, auditor: Auditor, signal: AbortSignal): Promise<void> {
  const query = names.map((name) => `view=${name}`).join("&");
  const response = await fetch(`${url}/v1/subscribe?${query}`, { signal });
  expect(response.status).toBe(200);
  try {
    for await (const { event, data } of decodeSseStream(response.body!)) {
      const said = JSON.parse(data) as Record<string, unknown>;
      if (event === "snapshot") {
        const rowsJson = (said["rows"] as unknown[]).map((row) => JSON.stringify(row));
        auditor.tell({ type: "snapshot", ...said, rowsJson } as unknown as SubscriptionEvent);
      } else if (event === "step") {
        const changes = Object.entries(said["views"] as object).map(
          ([name, list]) => [name, (list as unknown[]).map((c) => encodeUtf8(JSON.stringify(c)))] as const,
        );
        auditor.tell({ type: "step", position: said["position"] as string, views: new Map(changes) });
      } else throw new Error(`${event}: ${data}`);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

// ---- who writes -------------------------------------------------------------------------------------------------

interface Writer {
  readonly random: SeededRandom;
  /** Its transfers' numbers are its own. */
  readonly numbers: number;
  made: number;
}

/** One commit: new transfers one or many, by whatever door; some of its own old ones are taken back or turned round. */
async function write(db: Database, writer: Writer): Promise<void> {
  const { random } = writer;
  const fresh = (): Transfer => transfer(random, writer.numbers + writer.made++);
  const old = (): number => writer.numbers + random.below(Math.max(1, writer.made));
  const values = (t: Transfer): string => `(${t.id}, ${t.source}, ${t.target}, ${t.amount}, '${t.at}')`;
  switch (random.below(6)) {
    case 0:
      await db.append("transfers", [fresh()]);
      return;
    case 1:
      await db.append("transfers", Array.from({ length: 1 + random.below(200) }, fresh));
      return;
    case 2:
      await db.transact([
        { topic: "transfers", append: [fresh(), fresh()] },
        { topic: "transfers", delete: [old()] },
        { topic: "transfers", upsert: [{ ...fresh(), id: old() }] },
      ]);
      return;
    case 3:
      await sql(
        db,
        `INSERT INTO transfers VALUES ${values(fresh())}, ${values(fresh())} ON CONFLICT (id) DO NOTHING`,
      );
      return;
    case 4:
      await sql(
        db,
        `BEGIN; INSERT INTO transfers VALUES ${values(fresh())} ON CONFLICT (id) DO NOTHING; UPDATE transfers SET source = target, target = source WHERE id = ${old()}; DELETE FROM transfers WHERE id = ${old()}; COMMIT`,
      );
      return;
    default:
      // What is taken back was never there.
      await sql(
        db,
        `BEGIN; DELETE FROM transfers WHERE id % 3 = 0; INSERT INTO transfers VALUES ${values(fresh())} ON CONFLICT (id) DO NOTHING; ROLLBACK`,
      );
  }
}

function writers(count: number): Writer[] {
  return Array.from({ length: count }, (_, i) => ({
    random: new SeededRandom(seed * 31 + i),
    numbers: (i + 1) * 1_000_000,
    made: 0,
  }));
}

/** `together`: a writer does not wait for its last commit before the next, so that many come in one step. */
async function run(db: Database, all: readonly Writer[], commits: number, together: boolean): Promise<void> {
  await Promise.all(
    all.map(async (writer) => {
      const under: Promise<void>[] = [];
      for (let i = 0; i < commits; i++) {
        const done = write(db, writer);
        if (together) under.push(done);
        else await done;
      }
      await Promise.all(under);
    }),
  );
}

let caught = 0;

/** Everything acknowledged has been told. */
async function caughtUp(db: Database, auditor: Auditor): Promise<void> {
  await db.settled();
  const { position } = await db.append("transfers", [transfer(new SeededRandom(seed), 1000 + caught++)]);
  await expect.poll(() => auditor.client.position).toBeGreaterThanOrEqual(Number(position));
}

describe("at every state a subscriber sees, the books of the bank are right", () => {
  it.each([
    { how: "in small steps", together: false, workers: 0 },
    { how: "in large steps", together: true, workers: 0 },
    { how: "in large steps, with two workers", together: true, workers: 2 },
  ])(
    "$how, in process and over HTTP",
    async ({ together, workers }) => {
      const db = await openInMemory(undefined, { workers });
      await openBank(db);
      const server = await createHttpServer(db, { port: 0 });
      const here = new Auditor();
      const there = new Auditor();
      const abort = new AbortController();
      const remote = auditOverHttp(server.url, there, abort.signal);
      remote.catch(() => {});
      const watching = audit(db, here);
      await run(db, writers(4), 25, together);
      await Promise.race([Promise.all([caughtUp(db, here), caughtUp(db, there)]), remote]);
      await watching.stop();
      abort.abort();
      await remote;
      expect(here.client.views).toEqual(there.client.views);
      // Four writers, 25 times each: those that share a sync are shown at once.
      expect(here.audits).toBeGreaterThan(together ? 3 : 20);
      expect(there.audits).toBeGreaterThan(together ? 3 : 20);
      await server.close();
      await db.close();
    },
    120_000,
  );

  it.each([0, 2])(
    "across restarts, after a close and after a power cut, for one who resumes and one who comes new, with %i workers",
    async (workers) => {
      const all = writers(3);
      const old = new Auditor();
      let disk = new SimulatedDisk();
      let db = await openInMemory(disk, { workers });
      await openBank(db);
      for (const how of ["close", "power cut", "checkpoint, then power cut", "close", "end"] as const) {
        const fresh = new Auditor();
        const watching = [audit(db, old), audit(db, fresh)];
        await run(db, all, 8, how === "power cut");
        await caughtUp(db, old);
        await caughtUp(db, fresh);
        for (const watcher of watching) await watcher.stop();
        expect(fresh.client.views).toEqual(old.client.views);
        if (how.startsWith("checkpoint")) await db.checkpoint();
        if (how.endsWith("power cut")) disk = disk.reboot("power cut");
        // Of a machine without power nothing is to be expected.
        await db.close().catch((error: unknown) => {
          if (!how.endsWith("power cut")) throw error;
        });
        if (how === "end") continue;
        db = await openInMemory(disk, { workers });
        // What workers keep is made anew, and until then each view shows a moment of its own.
        await db.built();
      }
      expect(old.audits).toBeGreaterThan(50);
    },
    120_000,
  );
});
