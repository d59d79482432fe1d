/**
 * The leader is lost again and again, killed or cut off, while producers and a consumer go on over a network that does its worst; its replica is promoted, and the former leader comes back as the replica. With
 * --sync-followers 1 nothing that was acknowledged is lost: at the end each record is there once and in its producer's order, and was processed once.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { HostileProxy } from "../support/hostile-proxy.ts";
import { removeChecked } from "../support/left-behind.ts";
import { Running, run } from "./run.ts";

const PROMOTIONS = 3;
const PRODUCERS = 2;
const RECORDS_PER_PROMOTION = 60;

let directory: string;
const started: Running[] = [];

interface Server {
  readonly running: Running;
  readonly url: string;
  readonly data: string;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-failover-"));
});

afterEach(async () => {
  for (const running of started.splice(0)) {
    running.process.kill("SIGKILL");
    await running.done;
  }
  await removeChecked(directory);
});

async function serve(data: string, ...more: string[]): Promise<Server> {
  const options = ["--sync-followers", "1", "--sync-timeout-ms", "3000", "--segment-mib", "1"];
  const running = new Running(["start", "--data", join(directory, data), "--port", "0", ...options, ...more]);
  started.push(running);
  await running.until(() => running.stdout.includes("listening"));
  return { running, data, url: /http:\S+/.exec(running.stdout)![0] };
}

async function rows({ url }: Server, sql: string): Promise<unknown[][]> {
  const response = await fetch(`${url}/v1/sql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sql }),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { results: { rows: unknown[][] }[] }).results.at(-1)!.rows;
}

async function stateOf({ url }: Server): Promise<string | undefined> {
  const response = await fetch(`${url}/v1/replication`);
  const { following } = (await response.json()) as { following?: { state: string; lagPositions?: number } };
  return following?.lagPositions === 0 ? "level" : following?.state;
}

/** The former leader, as the new one's replica; where the two have parted its own log is kept aside. */
async function follow(data: string, leader: Server): Promise<Server> {
  const replica = await serve(data, "--follow", leader.url);
  await expect.poll(() => stateOf(replica), { timeout: 30_000 }).toMatch(/^level$|^stopped$/);
  if ((await stateOf(replica)) === "level") return replica;
  replica.running.process.kill("SIGTERM");
  await replica.running.done;
  const again = await serve(data, "--follow", leader.url, "--rejoin");
  await expect.poll(() => stateOf(again), { timeout: 30_000 }).toBe("level");
  return again;
}

test("each record is stored and processed once, whoever leads", async () => {
  const random = new SeededRandom(7);
  let leader = await serve("0");
  let replica = await serve("1", "--follow", leader.url);
  await rows(
    leader,
    "CREATE TABLE s (p int4, n int4) WITH (append_only); CREATE TABLE made (p int4, n int4) WITH (append_only)",
  );
  const proxy = await HostileProxy.start(random);
  proxy.target = leader.url;
  const client = connect(proxy.url, { retryMsMax: 120_000 });
  const producers = Array.from({ length: PRODUCERS }, (_, p) => client.producer(`p${p}`));
  const stopped = new AbortController();
  const consuming = (async () => {
    while (!stopped.signal.aborted)
      try {
        const options = { topics: ["s"], batchRecordsMax: 20, signal: stopped.signal };
        for await (const batch of client.consumer("c", options)) {
          const append = batch.records.map(({ value }) => value);
          await batch.transact([{ topic: "made", append }]);
        }
      } catch {
        // It begins again behind what it has stored.
      }
  })();
  const appended: Promise<unknown>[] = [];
  const append = (round: number): void => {
    for (let i = 0; i < RECORDS_PER_PROMOTION; i++)
      for (const [p, producer] of producers.entries())
        appended.push(producer.append("s", { p, n: round * RECORDS_PER_PROMOTION + i }));
  };
  for (let round = 0; round < PROMOTIONS; round++) {
    append(round);
    // Something of it is there, and more is on the way.
    await Promise.any(appended.slice(-PRODUCERS * RECORDS_PER_PROMOTION));
    proxy.target = null;
    const former = leader;
    const isKilled = round !== 1;
    if (isKilled) former.running.process.kill("SIGKILL");
    expect(await run(["promote", "--url", replica.url])).toMatchObject({ code: 0 });
    leader = replica;
    proxy.target = leader.url;
    if (!isKilled) former.running.process.kill("SIGTERM");
    await former.running.done;
    replica = await follow(former.data, leader);
  }
  append(PROMOTIONS);
  await Promise.all(appended);
  const count = (PROMOTIONS + 1) * RECORDS_PER_PROMOTION;
  const all = async () => Number((await rows(leader, "SELECT count(*) FROM made"))[0]![0]);
  await expect.poll(all, { timeout: 60_000 }).toBe(count * PRODUCERS);
  stopped.abort();
  await consuming;
  for (const topic of ["s", "made"])
    for (let p = 0; p < PRODUCERS; p++) {
      const numbers = (await rows(leader, `SELECT n FROM ${topic} WHERE p = ${p}`)).map(([n]) => n);
      expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n));
    }
  client.close();
  await proxy.stop();
});
