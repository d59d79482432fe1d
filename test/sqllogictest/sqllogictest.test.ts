/** Our own sqllogictest files in both modes, and the runner itself: what it reads, and that it sees what is wrong. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readRecords } from "../../scripts/sqllogictest/records.ts";
import { type Mode, type RunOptions, runFile } from "../../scripts/sqllogictest/run-file.ts";

const modes: readonly Mode[] = ["plain", "views-first"];

function options(mode: Mode, judge = false): RunOptions {
  return { mode, judge, queriesMax: Number.POSITIVE_INFINITY, viewsMax: 500, seed: 1 };
}

describe.each(modes)("%s", (mode) => {
  const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith(".slt"));
  it.each(files)("%s", async (file) => {
    const records = readRecords(readFileSync(join(import.meta.dirname, file), "utf8"), "postgresql");
    const report = await runFile(records, options(mode));
    expect(report.failures).toEqual([]);
    expect(report.passed).toBeGreaterThan(1);
  });
});

const wrong = `
statement ok
CREATE TABLE t(a INTEGER, b TEXT)

statement ok
INSERT INTO t VALUES(1, 'x')

query IT rowsort
SELECT * FROM t
----
1
y

query I rowsort
SELECT a FROM t
----
2 values hashing to 6ddb4095eb719e2a9f0a3f95677d24e0

query I rowsort
SELECT nothing FROM t
----
1

query I rowsort
SELECT a FROM t
----
1
`;

describe("the runner", () => {
  it.each(modes)("sees wrong values, hashes and refusals, %s", async (mode) => {
    const { passed, failures } = await runFile(readRecords(wrong, "postgresql"), options(mode));
    expect(failures.map((f) => f.line)).toEqual(mode === "plain" ? [8, 14, 19] : [19, 8, 14]);
    expect(passed).toBe(mode === "plain" ? 3 : 1);
  });

  it("counts apart what PostgreSQL does not answer as expected either", async () => {
    const { disputed, failures } = await runFile(readRecords(wrong, "postgresql"), options("plain", true));
    expect([disputed, failures.length]).toEqual([3, 0]);
  });

  it("hears the sign of a zero from PostgreSQL too", async () => {
    const text =
      "query I rowsort\nSELECT - CAST(0 AS REAL)\n----\n1 values hashing to 897316929176464ebc9ad085f31e7284\n";
    const { disputed, failures } = await runFile(readRecords(text, "postgresql"), options("plain", true));
    expect([disputed, failures]).toEqual([1, []]);
  });

  it("leaves out the records of other databases, and what follows a halt", () => {
    const text = `
skipif mysql
onlyif postgresql
statement ok
A

onlyif mysql # it alone has this
statement ok
B

skipif postgresql
query I
C
----
1

statement error
D

halt

statement ok
E
`;
    const records = readRecords(text, "postgresql");
    expect(records.map((r) => [r.line, r.sql])).toEqual([
      [4, "A"],
      [17, "D"],
    ]);
  });

  it("refuses what is no record", () => {
    expect(() => readRecords("statement maybe\nSELECT 1\n", "postgresql")).toThrow("line 1");
    expect(() => readRecords("\nquery I sideways\nSELECT 1\n", "postgresql")).toThrow("line 2");
  });
});
