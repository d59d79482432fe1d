/** Commands for consumers and producers, as processes, against a real server. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { type Outcome, Running, run as runMain } from "./run.ts";

let engine: Database;
let server: HttpServer;

beforeEach(async () => {
  engine = await openInMemory();
  await sql(engine, "CREATE TABLE s (n int4) WITH (append_only)");
  await append(0, 5);
  server = await createHttpServer(engine, { port: 0 });
});

afterEach(async () => {
  await server.close();
  await engine.close();
});

const append = (from: number, to: number) =>
  engine.append(
    "s",
    Array.from({ length: to - from }, (_, i) => ({ n: from + i })),
  );
const run = (args: readonly string[]): Promise<Outcome> => runMain(args, { url: server.url });
const numbers = (text: string): number[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).value.n);

test.each(["2026-13-01", "2026-02-30T00:00Z", "EARLIEST", "soon"])(
  "tail does not begin at %s",
  async (from) => {
    expect(await run(["tail", "s", "--from", from])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining(
        `--from must be earliest, latest, an offset, a time (2026-11-21T09:00Z) or how long ago (90s, 15m, 2h, 1d): ${from}`,
      ),
    });
  },
);

test("tail begins at a time", async () => {
  expect(numbers((await run(["tail", "s", "--from", "2023-12-31 09:00Z"])).stdout)).toEqual([0, 1, 2, 3, 4]);
});

describe("tail --consumer", () => {
  test("says that a known one goes on, where it is said to begin", async () => {
    expect(numbers((await run(["tail", "s", "--consumer", "c", "--from", "3"])).stdout)).toEqual([3, 4]);
    const refused = await run(["tail", "s", "--consumer", "c", "--from", "earliest"]);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain('consumer "c" goes on at offset 5 of "s"');
    expect(refused.stderr).toContain("--reset");
    const reset = await run(["tail", "s", "--consumer", "c", "--from", "1", "--reset"]);
    expect([reset.code, numbers(reset.stdout)]).toEqual([0, [1, 2, 3, 4]]);
    expect((await run(["tail", "s", "--consumer", "c"])).stdout).toBe("");
    expect((await run(["tail", "s", "--reset"])).code).toBe(2);
  });

  test("goes on where it ended", async () => {
    const first = await run(["tail", "s", "--consumer", "c", "--limit", "2"]);
    expect([first.code, numbers(first.stdout)]).toEqual([0, [0, 1]]);
    const second = await run(["tail", "s", "--consumer", "c"]);
    expect([second.code, numbers(second.stdout)]).toEqual([0, [2, 3, 4]]);
    expect(await run(["tail", "s", "--consumer", "c"])).toMatchObject({ code: 0, stdout: "" });
    const latest = await run(["tail", "s", "--consumer", "d", "--from", "latest"]);
    expect([latest.code, latest.stdout]).toEqual([0, ""]);
    expect(await engine.consumers()).toMatchObject([
      { name: "c", topics: [{ offset: 5, lag: 0 }] },
      { name: "d", topics: [{ offset: 5 }] },
    ]);
  });

  test("follows, remembers as it goes, and ends when another one takes its place", async () => {
    const running = new Running(["tail", "s", "--consumer", "c", "--follow"], { url: server.url });
    await running.until(() => numbers(running.stdout).length === 5);
    await append(5, 7);
    await running.until(() => numbers(running.stdout).length === 7);
    await expect.poll(async () => (await engine.consumer("c")).topics[0]?.offset).toBe(7);
    await engine.openConsumer("c", ["s"]);
    // It is told when it says how far it has come.
    await append(7, 8);
    const { code, stderr } = await running.done;
    expect([code, stderr]).toEqual([1, expect.stringContaining("(fenced, 55000)")]);
    expect((await engine.consumer("c")).topics[0]?.offset).toBe(7);
  });
});

test("consumers lists them", async () => {
  await engine.openConsumer("c", ["s"]);
  await engine.advanceConsumer("c", 0, { s: 2 });
  const { code, stdout } = await run(["consumers"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/consumer\s*\|\s*topic\s*\|\s*next\s*\|\s*end\s*\|\s*lag/);
  expect(stdout).toMatch(/c\s*\|\s*s\s*\|\s*2\s*\|\s*5\s*\|\s*3\s*\|\s*0\s*\|\s*0/);
  const { stdout: json } = await run(["consumers", "--format", "json"]);
  expect(JSON.parse(json)).toMatchObject([{ name: "c", topics: [{ topic: "s", offset: 2, lag: 3 }] }]);
});
