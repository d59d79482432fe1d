/** DuckDB, in this process and in memory, on one thread, as Evert has one. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadPeer } from "./peer.ts";
import type { SqlPeer } from "./sql.ts";

/** What is used of @duckdb/node-api. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string, options: object): Promise<{ connect(): Promise<Connection>; closeSync(): void }>;
  };
}

interface Connection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(
    sql: string,
  ): Promise<{ getRowsJson(): readonly (readonly (string | number | boolean | null)[])[] }>;
  closeSync(): void;
}

/**
 * `dir`: where rows stand as a file on their way into a table.
 *
 * @throws PeerAbsent
 */
export async function openDuckDb(dir: string): Promise<SqlPeer> {
  const { DuckDBInstance } = loadPeer<DuckDb>("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  let copies = 0;
  return {
    name: "DuckDB",
    run: async (statements) => {
      await connection.run(statements);
    },
    rows: async (query) => {
      const rows = (await connection.runAndReadAll(query)).getRowsJson();
      return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
    },
    copy: async (table, lines) => {
      const file = join(dir, `duckdb-copy-${copies++}`);
      await writeFile(file, lines);
      await connection.run(
        `COPY ${table} FROM '${file}' (FORMAT csv, DELIMITER '\t', HEADER false, QUOTE '')`,
      );
      await rm(file);
    },
    close: async () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
