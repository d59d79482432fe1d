/** What answers: this database, in this process on a disk in memory; and PostgreSQL (PGlite), which judges what failed. */
import { PGlite, types } from "@electric-sql/pglite";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import type { Row } from "./values.ts";

export interface Subject {
  /** @throws Error with SQLSTATE and message of what was refused. */
  run(sql: string): Promise<Row[]>;
  close(): Promise<void>;
}

export async function openEvert(): Promise<Subject & { settled(): Promise<void> }> {
  const database: Database = await openEngine({
    directory: "/data",
    disk: new SimulatedDisk(),
    clock: new SimulatedClock(),
    checkpointIntervalMs: 0,
  });
  return {
    async run(sql) {
      const { results, error } = await database.sql(sql);
      if (error !== undefined) throw new Error(`${error.sqlstate} ${error.message}`);
      return results.at(-1)?.rowsText() ?? [];
    },
    async settled() {
      await database.settled();
      await database.built();
    },
    close: () => database.close(),
  };
}

/** Values as PostgreSQL writes them: a number of JavaScript would lose the sign of -0. */
const asText = Object.fromEntries(Object.values(types).map((oid) => [oid, (value: string) => value]));

export async function openPostgres(): Promise<Subject> {
  const postgres = await PGlite.create();
  return {
    async run(sql) {
      const { rows } = await postgres.query<(string | null)[]>(sql, [], {
        rowMode: "array",
        parsers: asText,
      });
      return rows;
    },
    close: () => postgres.close(),
  };
}
