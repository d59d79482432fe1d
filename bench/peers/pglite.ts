/** PostgreSQL compiled to WebAssembly, in this process: for machines on which no server can be had. It is slower than one. */
import { PGlite } from "@electric-sql/pglite";
import type { SqlPeer, TextRow } from "./sql.ts";

/** PGlite would parse what it knows. */
const OIDS = [16, 20, 21, 23, 25, 700, 701, 1042, 1043, 1082, 1114, 1184, 1700];
const asText = Object.fromEntries(OIDS.map((oid) => [oid, (value: string) => value]));

export async function openPglite(): Promise<SqlPeer> {
  const postgres = await PGlite.create();
  await postgres.exec("SET timezone = 'UTC'");
  return {
    name: "PGlite",
    run: async (statements) => {
      await postgres.exec(statements);
    },
    rows: async (query) => {
      const { rows } = await postgres.query<TextRow>(query, [], { rowMode: "array", parsers: asText });
      return rows;
    },
    copy: async (table, lines) => {
      await postgres.query(`COPY ${table} FROM '/dev/blob'`, [], { blob: new Blob([lines]) });
    },
    close: () => postgres.close(),
  };
}
