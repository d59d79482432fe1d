/** A leader and its followers in one process, over loopback HTTP; each with a disk of its own. */
import { expect } from "vitest";
import type { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../../src/engine/open-engine.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../support/memory.ts";

export const SEGMENT = 64 * 1024;

/** A server over a disk, started and stopped at will. */
export class Node {
  disk: SimulatedDisk;
  readonly reports: string[] = [];
  readonly options: Partial<OpenEngineOptions>;
  db!: Database;
  server!: HttpServer;
  #port = 0;

  private constructor(disk: SimulatedDisk, options: Partial<OpenEngineOptions>) {
    this.disk = disk;
    this.options = options;
  }

  static async start(options: Partial<OpenEngineOptions> = {}, disk = new SimulatedDisk()): Promise<Node> {
    const node = new Node(disk, options);
    await node.start();
    return node;
  }

  async start(options: Partial<OpenEngineOptions> = {}): Promise<void> {
    this.db = await openInMemory(this.disk, {
      segmentBytes: SEGMENT,
      report: (message) => this.reports.push(message),
      ...this.options,
      ...options,
    });
    this.server = await createHttpServer(this.db, { port: this.#port });
    // The same address after a restart.
    this.#port = this.server.port;
  }

  get url(): string {
    return this.server.url;
  }

  async stop(): Promise<void> {
    await this.server.close();
    await this.db.close();
  }

  /** As after kill -9, or a power cut: nothing is finished, and what was written stays, or what was synced. */
  async kill(after: "process" | "power cut"): Promise<void> {
    const disk = this.disk.reboot(after);
    await this.server.close();
    await this.db.close().catch(() => {});
    this.disk = disk;
  }
}

/** Resolves when the follower has stepped all that the leader has. */
export async function level(leader: Database, follower: Database): Promise<void> {
  await leader.settled();
  const target = Number(leader.position);
  await until(() => Number(follower.position) >= target);
  await follower.built();
}

export async function until(condition: () => boolean, what = "what is waited for"): Promise<void> {
  for (let i = 0; i < 30_000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`${what} did not come`);
}

export function refusal(work: Promise<unknown>): Promise<EvertError> {
  return work.then(
    () => expect.unreachable(),
    (error: EvertError) => error,
  );
}

export const TABLES = `CREATE TABLE t (k int4 PRIMARY KEY, a text); CREATE TABLE s (n int8) WITH (append_only); CREATE TABLE gone (x int4);
  CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(length(a)) AS a FROM t`;

/** Changes of all kinds, so many commits of them. */
export async function change(db: Database, random: SeededRandom, commits: number): Promise<void> {
  for (let i = 0; i < commits; i++) {
    const k = random.below(50);
    const a = "x".repeat(random.below(900));
    if (random.oneIn(4)) await db.transact([{ topic: "t", delete: [k] }]);
    else if (random.oneIn(40)) {
      const name = `v${random.below(1_000_000)}`;
      await sql(
        db,
        `CREATE TABLE ${name} (id int4 PRIMARY KEY, b text); INSERT INTO ${name} VALUES (1, 'one')`,
      );
      await sql(
        db,
        `CREATE MATERIALIZED VIEW ${name}_view AS SELECT b, count(*) AS n FROM ${name} GROUP BY b`,
      );
      if (random.oneIn(2)) await sql(db, `DROP MATERIALIZED VIEW ${name}_view; DROP TABLE ${name}`);
    } else {
      await db.transact([
        {
          topic: "t",
          upsert: [
            { k, a },
            { k: k + 1, a },
          ],
        },
        { topic: "s", append: [{ n: i }] },
      ]);
    }
  }
}

/** Everything that can be asked of it. */
export async function contents(db: Database): Promise<unknown> {
  const records: Record<string, unknown[]> = {};
  const rows: Record<string, unknown> = {};
  for (const { name } of db.topics()) {
    records[name] = [];
    for await (const record of db.readTopic(name)) records[name].push(record);
  }
  for (const { name, definition } of db.views()) {
    rows[name] = [
      definition,
      (await rowsOf(db, `SELECT * FROM ${name}`)).map((row) => JSON.stringify(row)).sort(),
    ];
  }
  return { position: db.position, records, rows };
}
