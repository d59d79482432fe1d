/** The code of docs/LOG.md runs as it stands: a producer, a consumer, and one that reads, processes and writes in one commit; and its SQL. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import { type Client, connect } from "../../src/client/index.ts";
import { type Db, int4, int8, open, table, text, topic } from "../../src/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { page } from "./pages.ts";

const root = join(import.meta.dirname, "../..");
const blocks = [...page("docs/LOG.md").text.matchAll(/^```(ts|sql)\n([\s\S]*?)^```$/gm)];
const [producer = "", consumer = "", summer = ""] = blocks.filter((m) => m[1] === "ts").map((m) => m[2]);

const orders = table("orders", { key: "id", schema: { id: int8, amount: int4 } });
const totals = table("totals", { key: "id", schema: { id: text, sum: int4 } });
const readings = topic("readings", { schema: { at: int4 } });

/** A consumer follows what is appended for ever; here it ends with what is there. */
const program = `
import type { Client } from "evert/client";
import { type Db, int4, int8, table, text } from "evert";
const orders = table("orders", { key: "id", schema: { id: int8, amount: int4 } });
const totals = table("totals", { key: "id", schema: { id: text, sum: int4 } });
export async function produce(client: Client, readings: readonly { at: number }[]): Promise<void> {
${producer}}
export async function consume(client: Client, send: (value: unknown) => Promise<void>): Promise<void> {
${consumer.replace('topics: ["orders"]', 'topics: ["orders"], follow: false')}}
export async function sum(db: Db): Promise<void> {
${summer.replace("topics: [orders]", "topics: [orders], follow: false")}}
`;

it("is three programs that compile and do what is said", async () => {
  const folder = mkdtempSync(join(import.meta.dirname, ".program-"));
  const file = join(folder, "program.ts");
  writeFileSync(file, program);
  try {
    expect(problemsOf(file)).toEqual([]);
    const { produce, consume, sum } = (await import(file)) as {
      produce(client: Client, readings: readonly { at: number }[]): Promise<void>;
      consume(client: Client, send: (value: unknown) => Promise<void>): Promise<void>;
      sum(db: Db): Promise<void>;
    };
    const db = await open({ dir: "data", disk: new SimulatedDisk(), topics: [orders, totals, readings] });
    const server = await createHttpServer(db.engine, { port: 0 });
    const client = connect(server.url);
    try {
      await produce(client, [{ at: 1 }, { at: 2 }]);
      expect(await valuesOf(db)).toEqual([{ at: 1 }, { at: 2 }]);
      await db.append(orders, [
        { id: 1, amount: 5 },
        { id: 2, amount: 7 },
      ]);
      const sent: unknown[] = [];
      const send = async (value: unknown) => void sent.push(value);
      await consume(client, send);
      await consume(client, send); // What was committed is not sent again.
      expect(sent).toEqual([
        { id: 1, amount: 5 },
        { id: 2, amount: 7 },
      ]);
      await sum(db);
      await sum(db);
      expect((await db.sql("SELECT sum FROM totals")).results[0]!.rows).toEqual([[12]]);
    } finally {
      client.close();
      await server.close();
      await db.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("its SQL is taken", async () => {
  const statements = blocks.filter((m) => m[1] === "sql").map((m) => m[2]!);
  expect(statements.length).toBeGreaterThan(0);
  const db = await open({ dir: "data", disk: new SimulatedDisk() });
  for (const statement of statements) await db.sql(statement);
  await db.close();
});

async function valuesOf(db: Db): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of db.read(readings, { from: 0 })) values.push(value);
  return values;
}

function problemsOf(file: string): string[] {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const compiled = ts.createProgram([file], options);
  return compiled
    .getSemanticDiagnostics(compiled.getSourceFile(file))
    .map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"));
}
