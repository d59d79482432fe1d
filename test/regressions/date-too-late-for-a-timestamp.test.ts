/** A date behind the end of timestamps could not be compared with one: "date out of range for timestamp". It is later than every finite timestamp. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";
import { Postgres } from "../engine/support/postgres.ts";

const schema = `CREATE TABLE dates (id int PRIMARY KEY, d date);
  INSERT INTO dates VALUES (1, '2024-02-29'), (2, '294276-12-31'), (3, '294277-01-01'), (4, '5874897-12-31'), (5, '4713-01-01 BC'),
    (6, 'infinity'), (7, '-infinity'), (8, NULL), (9, '1684-07-28'), (10, '2255-06-06');`;
const times = [
  "2024-02-29",
  "2024-02-29 00:00:01",
  "294246-12-31 23:59:59.999999",
  "4713-01-01 BC",
  "infinity",
  "-infinity",
];

let judge: Postgres;
let engine: Database;

beforeAll(async () => {
  judge = await Postgres.open();
  engine = await openInMemory();
  for (const statement of schema.split(";").slice(0, 2)) {
    await judge.define(statement);
    await sql(engine, statement);
  }
});

afterAll(async () => {
  await judge.close();
  await engine.close();
});

it.each(times.flatMap((time) => ["timestamp", "timestamptz"].map((type) => [type, time])))(
  "%s '%s'",
  async (type, time) => {
    const asked = ["=", "<>", "<", "<=", ">", ">="].flatMap((op) => [
      `d ${op} ${type} '${time}'`,
      `${type} '${time}' ${op} d`,
    ]);
    const query = `SELECT id, ${asked.join(", ")} FROM dates ORDER BY id`;
    const { rows, refused } = await judge.query(query);
    expect(refused).toBeNull();
    expect(await rowsOf(engine, query)).toEqual(rows);
  },
);
