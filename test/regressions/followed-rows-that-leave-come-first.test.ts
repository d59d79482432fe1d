/**
 * Who followed the rows of a view with certain values was told of a row that got them before the one that lost them, where the view's own step had these as updates: a reader that holds one row
 * for a name, say, took the newcomer for the row and then dropped it. Deletes come first in a step, whatever they were to the whole view, also where the step comes in many pieces.
 */
import { expect, test } from "vitest";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import { partOfEvents } from "../../src/servers/http/filtered-events.ts";
import { rowTest } from "../../src/wire/http/event-filter.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

test.each([
  ["few rows", 4],
  ["many rows", 20_000],
])("%s", async (_, rows) => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE seat (id int PRIMARY KEY, taken bool, name text)");
  await sql(db, "CREATE MATERIALIZED VIEW seats AS SELECT id, taken, name FROM seat");
  // Half of them are taken; then everybody moves to a seat with a lower number.
  await sql(db, `INSERT INTO seat SELECT i, i % 2 = 0, 'name ' || i / 2 FROM generate_series(1, ${rows}) i`);
  await db.settled();
  const { info } = db.view("seats");
  const passes = rowTest(info.schema.fields, { taken: true });
  const holders = new Map<string, number>();
  let steps = 0;
  for await (const event of partOfEvents(db.subscribe([{ view: "seats" }]), { passes, order: null })) {
    if (event.type === "snapshot") {
      for (const json of event.rowsJson) {
        const { key, row } = JSON.parse(json);
        holders.set(row.name, key);
      }
      if (!event.last) continue;
      await sql(db, "UPDATE seat SET taken = NOT taken, name = 'name ' || (id + 1) / 2");
    }
    if (event.type !== "step") continue;
    steps++;
    const text = event.views
      .get("seats")!
      .map((piece) => decodeUtf8(piece))
      .join(",");
    const changes = JSON.parse(`[${text}]`) as {
      op: string;
      key: number;
      row?: { name: string };
      old?: { name: string };
    }[];
    for (const { op, key, row, old } of changes) {
      if (op === "delete") holders.delete(old!.name);
      else holders.set(row!.name, key);
    }
    break;
  }
  expect(steps).toBe(1);
  const wanted = Array.from({ length: rows / 2 }, (_, i): [string, number] => [`name ${i + 1}`, 2 * i + 1]);
  expect([...holders].sort(([, a], [, b]) => a - b)).toEqual(wanted);
  await db.close();
});
