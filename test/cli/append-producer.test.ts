/** evert append over networks that break and servers that are started again: each record is stored once, in order. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { HostileProxy } from "../support/hostile-proxy.ts";
import { removeChecked } from "../support/left-behind.ts";
import { Running, run } from "./run.ts";

let disk: SimulatedDisk;
let engine: Database;
let server: HttpServer;
let proxy: HostileProxy;
let directory: string;

async function start(): Promise<void> {
  engine = await openInMemory(disk);
  await engine.built();
  server = await createHttpServer(engine, { port: 0, drainMs: 0 });
}

beforeEach(async () => {
  disk = new SimulatedDisk();
  await start();
  await sql(engine, "CREATE TABLE s (n int4, t text) WITH (append_only)");
  proxy = await HostileProxy.start(new SeededRandom(3));
  proxy.target = server.url;
  directory = await mkdtemp(join(tmpdir(), "evert-append-"));
});

afterEach(async () => {
  await server.close();
  await engine.close().catch(() => {});
  await proxy.stop();
  await removeChecked(directory);
});

async function stored(): Promise<number[]> {
  const found: number[] = [];
  for await (const { valueJson } of engine.readTopic("s")) found.push(JSON.parse(valueJson as string).n);
  return found;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
/** Long lines, with a blank one now and then. */
const line = (n: number): string => `{"n":${n},"t":"${"x".repeat(400)}"}\n${n % 7 === 0 ? " \n" : ""}`;
const lines = (from: number, to: number): string =>
  numbers(to - from)
    .map((i) => line(from + i))
    .join("");

describe("append", () => {
  test("stores a file once through a hostile network, while the server crashes", async () => {
    const file = join(directory, "s.ndjson");
    await writeFile(file, lines(0, 20_000));
    // The first answer shows that there is a server; what comes then is waited for.
    proxy.isKind = true;
    const running = new Running(["append", "s", file], { url: proxy.url });
    await expect.poll(async () => (await engine.topic("s")).records, { interval: 5 }).toBeGreaterThan(0);
    proxy.isKind = false;
    for (let crash = 0; crash < 2; crash++) {
      proxy.target = null;
      const rebooted = disk.reboot("power cut");
      await server.close();
      await engine.close().catch(() => {});
      disk = rebooted;
      await start();
      proxy.target = server.url;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    const { code, stdout, stderr } = await running.done;
    expect([code, stderr]).toEqual([0, ""]);
    expect(Number(stdout)).toBeGreaterThan(0);
    await proxy.calm();
    expect(await stored()).toEqual(numbers(20_000));
  });

  test("goes on, under a name, where an earlier run ended", async () => {
    proxy.isKind = true;
    const args = ["append", "s", "--producer", "import"];
    const first = await run(args, { url: proxy.url, input: lines(0, 3_000) });
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const killed = new Running(args, { url: proxy.url });
    killed.process.stdin?.write(lines(0, 4_000));
    await expect.poll(async () => (await engine.topic("s")).records).toBeGreaterThan(3_000);
    killed.process.kill("SIGKILL");
    await killed.done;
    const last = await run(args, { url: proxy.url, input: lines(0, 6_000) });
    expect(last).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^note: the first \d+ records were passed over: .* as import\./),
    });
    expect(await stored()).toEqual(numbers(6_000));
    // There is nothing new: the same position.
    expect(await run(args, { url: proxy.url, input: lines(0, 6_000) })).toEqual({
      ...last,
      stderr:
        "note: the first 6000 records were passed over: an earlier run stored as many as import. Other records need another --producer.\n",
    });
    expect(await stored()).toEqual(numbers(6_000));
  });

  test("names a bad record by its line, stores what is before it alone, and goes on behind it when it is mended", async () => {
    proxy.isKind = true;
    const args = ["append", "s", "--producer", "import"];
    const wrong = `${lines(0, 9_000)}{"n":"x"}\n${lines(9_001, 12_000)}`;
    const refused = await run(args, { url: proxy.url, input: wrong });
    const at = wrong.slice(0, wrong.indexOf('"x"}')).split("\n").length;
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      new RegExp(`^error: line ${at}: n: .*\\n.*Committed before that: 9000, up to position`),
    );
    expect(await stored()).toEqual(numbers(9_000));
    const mended = await run(args, { url: proxy.url, input: lines(0, 12_000) });
    expect(mended).toMatchObject({ code: 0, stderr: expect.stringContaining("the first 9000 records") });
    expect(await stored()).toEqual(numbers(12_000));
  });

  test("says so where fewer records come under a name than it has stored: they are others", async () => {
    const args = ["append", "s", "--producer", "import"];
    await run(args, { url: server.url, input: lines(0, 5) });
    const one = await run(args, { url: server.url, input: lines(0, 1) });
    expect(one).toEqual({
      code: 1,
      stdout: "",
      stderr:
        "error: these are not the records that producer import has stored (conflict, 40001)\n" +
        "detail: There are 1 of them, and 5 are stored under the name. Nothing was committed.\n" +
        "hint: Give other records another name.\n",
    });
    expect(await stored()).toEqual(numbers(5));
  });

  test("sends the lines of a slow pipe as they come, and the last one without a line feed", async () => {
    proxy.isKind = true;
    const running = new Running(["append", "s"], { url: proxy.url });
    running.process.stdin?.write(`${line(0)}{"n":1`);
    await expect.poll(stored).toEqual([0]);
    running.process.stdin?.write("}\n");
    await expect.poll(stored).toEqual([0, 1]);
    running.process.stdin?.end('{"n":2}');
    expect(await running.done).toMatchObject({ code: 0, stderr: "" });
    expect(await stored()).toEqual([0, 1, 2]);
  });

  test("refuses to go on with an array of JSON", async () => {
    const { code, stderr } = await run(["append", "s", "--producer", "p"], {
      url: server.url,
      input: "[{}]",
    });
    expect([code, stderr]).toEqual([1, expect.stringContaining("feature_not_supported")]);
  });
});
