/**
 * Of three records and more that share a unique value the last one was said to break the constraint, not the second; and an append in chunks tried again for each of them, from the last to the second.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;
let server: HttpServer;

beforeEach(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int4 PRIMARY KEY, e text UNIQUE)");
  server = await createHttpServer(db, { port: 0 });
});

afterEach(async () => {
  await server.close();
  await db.close();
});

interface Answer {
  readonly error?: { readonly message: string };
}

async function post(body: string, query = ""): Promise<string | undefined> {
  const answer = await fetch(`${server.url}/v1/topics/t/records${query}`, {
    method: "POST",
    headers: { "Content-Type": "application/x-ndjson" },
    body,
  });
  return ((await answer.json()) as Answer).error?.message;
}

const lines = (texts: readonly string[], firstId = 1): string =>
  texts.map((e, i) => `${JSON.stringify({ id: firstId + i, e })}\n`).join("");

test("the record is named that is the first in the way of another", async () => {
  expect(await post(lines(["other", "same", "same", "same", "same"]))).toMatch(/^line 3: duplicate key/);
  // Of two values the one whose second record comes first.
  expect(await post(lines(["a", "b", "b", "c", "a"]))).toMatch(/^line 3: duplicate key/);
  await sql(db, "INSERT INTO t VALUES (0, 'there')");
  expect(await post(lines(["a", "b", "there", "a"]))).toMatch(/^line 3: duplicate key/);
  // A row that is given up for another in the same commit is in nobody's way.
  const [given, taken] = [`{"id":1,"e":"a"}\n{"id":1,"e":"b"}\n`, lines(["a", "c", "c", "c"], 2)];
  expect(await post(given + taken)).toMatch(/^line 5: duplicate key/);
  expect(await rowsOf(db, "SELECT id FROM t")).toEqual([["0"]]);
});

test("in chunks, what stands before it is found at once", async () => {
  let attempts = 0;
  const append = db.appendBatch.bind(db);
  db.appendBatch = (...of) => {
    attempts++;
    return append(...of);
  };
  const texts = ["first", ...Array.from({ length: 2000 }, () => "same")];
  expect(await post(lines(texts), "?atomic=false")).toMatch(/^line 3: duplicate key/);
  expect(await rowsOf(db, "SELECT id FROM t ORDER BY id")).toEqual([["1"], ["2"]]);
  expect(attempts).toBeLessThan(10);
});
