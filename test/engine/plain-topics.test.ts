/** A name that was appended to before is looked up once (write/plain-topics.ts): until it means another topic, or its records are to be made ready otherwise. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

it("gives records the defaults that their topic has by now", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (k int, s text) WITH (append_only)");
  const append = (k: number) => engine.append("t", [{ k }]);
  await append(1);
  await append(2);
  await sql(engine, "ALTER TABLE t ALTER s SET DEFAULT 'a'");
  await append(3);
  await append(4);
  await sql(engine, "ALTER TABLE t ALTER s DROP DEFAULT");
  await append(5);
  await append(6);
  const rows = await rowsOf(engine, "SELECT * FROM t ORDER BY k");
  expect(rows.map((row) => row[1])).toEqual([null, null, "a", "a", null, null]);
  await engine.close();
});

it("follows a name to the topic that has it by now", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (k int) WITH (append_only)");
  for (let k = 0; k < 3; k++) await engine.append("t", [{ k }]);
  await sql(engine, "DROP TABLE t");
  await expect(engine.append("t", [{ k: 3 }])).rejects.toMatchObject({ code: "undefined_table" });
  await sql(engine, "CREATE TABLE t (k int, n int DEFAULT 7) WITH (append_only)");
  for (let k = 3; k < 5; k++) expect(await engine.append("t", [{ k }])).toMatchObject({ count: 1 });
  expect(await rowsOf(engine, "SELECT * FROM t ORDER BY k")).toEqual([
    ["3", "7"],
    ["4", "7"],
  ]);
  await engine.close();
});
