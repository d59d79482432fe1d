/** PostgreSQL's answers to the same queries over the same events: PGlite, every value as the text it prints. */
import { PGlite } from "@electric-sql/pglite";
import type { Batch, Column } from "../../src/batch/batch.ts";
import { textAt } from "../../src/batch/column.ts";
import { type Round, TOPICS } from "./events.ts";

const TABLES = `
  SET timezone = 'UTC';
  CREATE TABLE person (id int8, name text, email_address text, credit_card text, city text, state text, date_time timestamp, extra text);
  CREATE TABLE auction (id int8, item_name text, description text, initial_bid int8, reserve int8, date_time timestamp, expires timestamp,
    seller int8, category int8, extra text);
  CREATE TABLE bid (auction int8, bidder int8, price int8, channel text, url text, date_time timestamp, extra text);
  CREATE TABLE side_input AS SELECT key::int8, 'value ' || key AS value FROM generate_series(0, 9999) AS key;`;

/** PGlite would parse int8, int2, int4 and timestamp. */
const asText = Object.fromEntries([20, 21, 23, 1114].map((oid) => [oid, (value: string) => value]));

export class Judge {
  readonly #postgres: PGlite;

  private constructor(postgres: PGlite) {
    this.#postgres = postgres;
  }

  static async open(): Promise<Judge> {
    const postgres = await PGlite.create();
    await postgres.exec(TABLES);
    return new Judge(postgres);
  }

  async take(rounds: readonly Round[]): Promise<void> {
    for (const name of TOPICS) {
      const lines: string[] = [];
      for (const { batches } of rounds) {
        const batch = batches.get(name);
        if (batch !== undefined)
          for (let row = 0; row < batch.length; row++) lines.push(copyLine(batch, row));
      }
      await this.#postgres.query(`COPY ${name} FROM '/dev/blob'`, [], { blob: new Blob([lines.join("")]) });
    }
    await this.#postgres.exec("ANALYZE");
  }

  /** Rows as one text each, sorted. */
  async answer(sql: string): Promise<string[]> {
    const { rows } = await this.#postgres.query<(string | null)[]>(sql, [], {
      rowMode: "array",
      parsers: asText,
    });
    return sortedRows(rows);
  }

  async close(): Promise<void> {
    await this.#postgres.close();
  }
}

export function sortedRows(rows: readonly (readonly (string | null)[])[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

/** A row in COPY's text format; no value here needs escaping. */
function copyLine({ columns, schema }: Batch, row: number): string {
  const values = columns.map((column, c) =>
    valueText(column, row, schema.fields[c]!.type.name === "timestamp"),
  );
  return `${values.join("\t")}\n`;
}

function valueText(column: Column, row: number, isTime: boolean): string {
  if (column.kind === "utf8") return textAt(column, row);
  const value = column.values[row] as bigint;
  if (!isTime) return String(value);
  const ms = Number(value / 1000n);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(value % 1000n).padStart(3, "0")}`;
}
