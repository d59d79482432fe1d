/** Where no thread may be started a database opens, and says what it goes without. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";

const source = (path: string): string => JSON.stringify(join(import.meta.dirname, "../../src", path));

const program = `
import { openEngine } from ${source("engine/open-engine.ts")};
import { SimulatedDisk } from ${source("testing/simulated-disk.ts")};
const said = [];
const db = await openEngine({ directory: "/data", disk: new SimulatedDisk(), workers: 1, report: (message) => said.push(message) });
await db.sql("CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE MATERIALIZED VIEW v AS SELECT a, count(*) FROM t GROUP BY a");
await db.sql("INSERT INTO t VALUES (1, 1)");
await db.settled();
const rows = (await db.sql("SELECT k, a FROM t")).results[0].rowsText();
const { error } = await db.sql("SELECT * FROM v");
await db.close();
console.log(JSON.stringify({ rows, code: error?.code, said }));
`;

it("keeps its tables, and fails the views that a worker was to keep by name", () => {
  const flags = ["--permission", "--allow-fs-read=*", "--conditions=evert-source", "--input-type=module"];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, "-e", program], { encoding: "utf8" });
  expect(stderr).not.toContain("Error");
  const { rows, code, said } = JSON.parse(stdout) as { rows: unknown; code: string; said: string[] };
  expect([rows, code]).toEqual([[["1", "1"]], "view_failed"]);
  expect(said).toContainEqual(expect.stringContaining("a worker thread has ended: "));
});
