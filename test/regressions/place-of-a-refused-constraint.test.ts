/**
 * A record that broke a constraint was refused without its line or index; and in an append in chunks the records before it went with it, though what stands before a bad record is stored.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;
let server: HttpServer;

beforeEach(async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE DOMAIN small AS int4 CHECK (VALUE < 100);
     CREATE TABLE t (id int4 PRIMARY KEY, e text UNIQUE, n int4 CHECK (n > 0), d small) WITH (dead_letters = 'dead');
     INSERT INTO t VALUES (1, 'taken', 1, 1)`,
  );
  server = await createHttpServer(db, { port: 0 });
});

afterEach(async () => {
  await server.close();
  await db.close();
});

interface Answer {
  readonly error?: { readonly code: string; readonly message: string };
  readonly committed?: { readonly count: number; readonly deadLetters?: number };
}

async function post(body: string, query = "", headers: Record<string, string> = {}): Promise<Answer> {
  const type = body.startsWith("[") ? "application/json" : "application/x-ndjson";
  const answer = await fetch(`${server.url}/v1/topics/t/records${query}`, {
    method: "POST",
    headers: { "Content-Type": type, ...headers },
    body,
  });
  const told = (await answer.json()) as Answer;
  await db.settled();
  return told;
}

const good = (id: number): string => `{"id":${id},"e":"e${id}","n":1}`;

test("an append that is refused says which record breaks a constraint", async () => {
  const check = `new row for relation "t" violates check constraint "t_n_check"`;
  const unique = `duplicate key value violates unique constraint "t_e_key"`;
  const bad = '{"id":9,"e":"x","n":0}';
  // A blank line, and one that is put aside, count as well.
  expect((await post(`${good(2)}\n\n{"id":"x"}\n${bad}\n`)).error?.message).toBe(`line 4: ${check}`);
  expect((await post(`[${good(2)},{"id":"x"},${bad}]`)).error?.message).toBe(`records[2]: ${check}`);
  expect((await post(`${good(2)}\n{"id":3,"e":"taken"}\n`)).error?.message).toBe(`line 2: ${unique}`);
  // Of two of the same request the later one.
  expect((await post(`${good(2)}\n${good(3)}\n{"id":4,"e":"e2"}\n`)).error?.message).toBe(
    `line 3: ${unique}`,
  );
  const domain = await post(`${good(2)}\n{"id":3,"d":100}\n`);
  expect(domain.error).toMatchObject({
    code: "check_violation",
    message: expect.stringMatching(/^line 2: /),
  });
  // SQL says it as PostgreSQL does.
  const { error } = await db.sql("INSERT INTO t VALUES (2, 'a', 1, 1), (3, 'b', 0, 1)");
  expect(error?.message).toBe(check);
  expect(await rowsOf(db, "SELECT id FROM t")).toEqual([["1"]]);
});

test("in chunks, what stands before it is stored", async () => {
  const lines = [good(2), "", '{"id":"x"}', good(3), '{"id":4,"e":"e2"}', good(5), '{"id":6,"n":0}', good(7)];
  const producer = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };
  const answer = await post(`${lines.join("\n")}\n`, "?atomic=false&firstLine=11", producer);
  expect(answer.error?.message).toMatch(/^line 15: duplicate key/);
  expect(answer.committed).toMatchObject({ count: 2, deadLetters: 1 });
  expect(await rowsOf(db, "SELECT id FROM t ORDER BY id")).toEqual([["1"], ["2"], ["3"]]);
  expect(await rowsOf(db, "SELECT count(*) FROM dead")).toEqual([["1"]]);
  // The same body, mended, goes on behind it: two rows and a dead letter are passed over.
  lines[4] = good(4);
  lines[6] = good(6);
  const again = await post(`${lines.join("\n")}\n`, "?atomic=false", producer);
  expect(again.error).toBeUndefined();
  expect(await rowsOf(db, "SELECT id FROM t ORDER BY id")).toEqual(
    ["1", "2", "3", "4", "5", "6", "7"].map((id) => [id]),
  );
  expect(await rowsOf(db, "SELECT count(*) FROM dead")).toEqual([["1"]]);
});
