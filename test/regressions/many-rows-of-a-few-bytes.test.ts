import { expect, test } from "vitest";
import { joinBytes } from "../../src/base/bytes.ts";
import { writeArrow } from "../../src/batch/arrow-writer.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { int8 } from "../../src/batch/types.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { RecordColumns } from "../../src/wire/http/record-columns.ts";
import { type BodyFormat, RecordDecoder } from "../../src/wire/http/record-decoder.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const fields = Array.from({ length: 1600 }, (_, i) => ({ name: `c${i}`, type: int8, nullable: true }));
/** Of 13 kB each: twice what a commit holds. */
const ROWS = 40_000;

// A row of a wide table takes its columns' room, however short its text: a body of 300 kB took 1.3 GB before the log refused the commit.
test.each<[BodyFormat, string]>([
  ["ndjson", "{}\n".repeat(ROWS)],
  ["json", `[${"{},".repeat(ROWS - 1)}{}]`],
])("%s is refused when it has become too large, not at its end", (format, body) => {
  const columns = new RecordColumns(schemaOf(fields), () => null, Number.POSITIVE_INFINITY, 2 ** 20);
  const decoder = new RecordDecoder(format, columns);
  decoder.push(new TextEncoder().encode(body));
  expect(() => decoder.advance(() => false)).toThrow("a commit of more than 1048576 bytes is too large");
  expect(columns.length).toBeLessThan(100);
});

test("so is an Arrow stream of one of the columns", async () => {
  const builder = new BatchBuilder(schemaOf(fields.slice(0, 1)));
  for (let i = 0; i < ROWS; i++) builder.appendRow({ c0: i });
  const batch = builder.finish();
  const db = await openInMemory(new SimulatedDisk());
  try {
    await sql(db, `CREATE TABLE wide (${fields.map(({ name }) => `${name} int8`)}) WITH (append_only)`);
    const stream = joinBytes([...writeArrow(batch.schema, [batch])]);
    await expect(db.appendArrow("wide", stream)).rejects.toMatchObject({
      code: "record_too_large",
      message: "a commit of more than 268435456 bytes is too large",
    });
  } finally {
    await db.close();
  }
});
