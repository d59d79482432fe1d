/** A server that is killed again and again while producers in other processes append: when all of them are done, each record is there, once and in its producer's order. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeChecked } from "../support/left-behind.ts";
import { Running } from "./run.ts";

const KILLS = 4;
const PRODUCERS = 3;
const RECORDS_PER_KILL = 6_000;

let directory: string;
const started: Running[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-killed-"));
});

afterEach(async () => {
  for (const running of started.splice(0)) {
    running.process.kill("SIGKILL");
    await running.done;
  }
  await removeChecked(directory);
});

function launch(args: readonly string[], url?: string): Running {
  const running = new Running(args, url === undefined ? {} : { url });
  started.push(running);
  return running;
}

async function serve(port: string): Promise<Running> {
  const server = launch(["start", "--data", join(directory, "data"), "--port", port]);
  await server.until(() => server.stdout.includes("listening"));
  return server;
}

test("stores what each producer sends once, in order", async () => {
  let server = await serve("0");
  const [url, port] = /http:\/\/[^:]+:(\d+)/.exec(server.stdout) as unknown as [string, string];
  const query = async (sql: string): Promise<string[][]> => {
    const response = await fetch(`${url}/v1/sql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sql, format: "text" }),
    });
    expect(response.status).toBe(200);
    return ((await response.json()) as { results: { rows: string[][] }[] }).results[0]!.rows;
  };
  await query("CREATE TABLE s (p int4, n int4, t text) WITH (append_only)");
  const producers = Array.from({ length: PRODUCERS }, (_, p) =>
    launch(["append", "s", "--producer", `p${p}`], url),
  );
  const count = async (): Promise<number> => Number((await query("SELECT count(*) FROM s"))[0]![0]);
  const write = (from: number, to: number): void => {
    for (const [p, { process }] of producers.entries())
      for (let n = from; n < to; n++) process.stdin!.write(`{"p":${p},"n":${n},"t":"${"x".repeat(300)}"}\n`);
  };
  // A server that was never reached is not waited for.
  write(0, 1);
  await expect.poll(count, { interval: 10 }).toBe(PRODUCERS);
  let sent = 1;
  let killedAmid = 0;
  // Where the producers are quicker than who kills, all may be there each time: then it is tried again.
  for (let kill = 0; kill < KILLS || (killedAmid === 0 && kill < 10 * KILLS); kill++) {
    const end = sent + RECORDS_PER_KILL;
    write(sent, end);
    // Something of each is there.
    const beyond = async () => (await query(`SELECT p FROM s GROUP BY p HAVING count(*) > ${sent}`)).length;
    await expect.poll(beyond, { interval: 1 }).toBe(PRODUCERS);
    server.process.kill("SIGKILL");
    await server.done;
    server = await serve(port);
    if ((await count()) < end * PRODUCERS) killedAmid++;
    sent = end;
  }
  expect(killedAmid).toBeGreaterThan(0);
  for (const { process } of producers) process.stdin!.end();
  for (const producer of producers) expect(await producer.done).toMatchObject({ code: 0, stderr: "" });
  const rows = await query("SELECT p, n FROM s");
  for (let p = 0; p < PRODUCERS; p++) {
    const numbers = rows.filter((row) => Number(row[0]) === p).map((row) => Number(row[1]));
    expect(numbers).toEqual(Array.from({ length: sent }, (_, n) => n));
  }
  expect(rows.length).toBe(PRODUCERS * sent);
});
