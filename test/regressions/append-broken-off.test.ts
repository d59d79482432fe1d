/**
 * `evert append` said "Nothing was committed" of records that were stored and waited for a replica, and nothing at all when Ctrl-C ended it: not what was stored, nor how to go on.
 */
import { afterEach, expect, test } from "vitest";
import { Running, run } from "../cli/run.ts";
import { Node, until } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

let nodes: Node[] = [];

afterEach(async () => {
  for (const node of nodes.reverse()) await node.stop();
  nodes = [];
});

async function server(): Promise<Node> {
  const node = await Node.start();
  nodes.push(node);
  await sql(node.db, "CREATE TABLE s (n int4) WITH (append_only)");
  return node;
}

const numbers = async ({ db }: Node): Promise<string[]> =>
  (await rowsOf(db, "SELECT n FROM s ORDER BY n")).map(([n]) => n as string);

test("a command that a signal ends says what is stored; with the producer that it names the same records go on", async () => {
  const node = await server();
  const lines = Array.from({ length: 40 }, (_, n) => `{"n":${n}}\n`).join("");
  const running = new Running(["append", "s"], { url: node.url });
  // The last line is not whole.
  running.process.stdin!.write(lines.slice(0, lines.indexOf('{"n":20}') + 4));
  await until(() => node.db.core.log.topicEnd(node.db.core.catalog.topic("s").id) === 20);
  running.process.kill("SIGINT");
  const { code, stdout, stderr } = await running.done;
  expect([code, running.process.signalCode, stdout]).toEqual([null, "SIGINT", ""]);
  expect(stderr).toMatch(/^interrupted: 20 records were committed, up to position \d+\.$/m);
  const producer = /--producer (\S+):/.exec(stderr)![1]!;
  const again = await run(["append", "s", "--producer", producer], { url: node.url, input: lines });
  expect(again.code).toBe(0);
  expect(again.stderr).toBe(
    `note: the first 20 records were passed over: an earlier run stored as many as ${producer}. Other records need another --producer.\n`,
  );
  expect(await numbers(node)).toEqual(Array.from({ length: 40 }, (_, n) => String(n)));
});

test("what waits for replicas is not said to be nothing", async () => {
  const node = await server();
  await node.stop();
  await node.start({ syncFollowers: 1, syncTimeoutMs: 100 });
  const before = node.db.core.log.lastPosition;
  const running = new Running(["append", "s"], { url: node.url, input: '{"n":1}\n' });
  await until(() => node.db.core.log.lastPosition > before);
  running.process.kill("SIGTERM");
  const { stderr } = await running.done;
  expect(running.process.signalCode).toBe("SIGTERM");
  expect(stderr).toContain(
    "As far as is known no records were committed: what was not answered may be, too.",
  );
  expect(stderr).toContain("--producer evert-append-");

  // Sent again, the server does not say that nothing is stored, either.
  const id = /--producer (\S+):/.exec(stderr)![1]!;
  const place = { "Producer-Id": id, "Producer-Epoch": "0", "Producer-Seq": "0" };
  const answer = await fetch(`${node.url}/v1/topics/s/records?atomic=false`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson", ...place },
    body: '{"n":1}\n',
  });
  expect(await answer.json()).toMatchObject({
    error: { code: "timeout", detail: "What came under these numbers before may be stored, and stays then." },
  });
  nodes.push(await Node.start({ follow: { url: node.url } }));
  await until(() => Number(node.db.position) === node.db.core.log.lastPosition);
  expect(await numbers(node)).toEqual(["1"]);
});
