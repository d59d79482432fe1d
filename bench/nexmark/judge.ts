/** PostgreSQL's answers to the same queries over the same events: PGlite, every value as the text it prints. */
import type { Batch, Column } from "../../src/batch/batch.ts";
import { textAt } from "../../src/batch/column.ts";
import { openPglite } from "../peers/pglite.ts";
import type { SqlPeer } from "../peers/sql.ts";
import { type Round, TOPICS } from "./events.ts";

const TABLES = `
  CREATE TABLE person (id int8, name text, email_address text, credit_card text, city text, state text, date_time timestamp, extra text);
  CREATE TABLE auction (id int8, item_name text, description text, initial_bid int8, reserve int8, date_time timestamp, expires timestamp,
    seller int8, category int8, extra text);
  CREATE TABLE bid (auction int8, bidder int8, price int8, channel text, url text, date_time timestamp, extra text);
  CREATE TABLE side_input AS SELECT key::int8, 'value ' || key AS value FROM generate_series(0, 9999) AS key;`;

/** Nexmark's tables in a PostgreSQL of any kind, and events on their way into them. */
export class JudgeTables {
  readonly #peer: SqlPeer;

  constructor(peer: SqlPeer) {
    this.#peer = peer;
  }

  async create(): Promise<void> {
    await this.#peer.run(TABLES);
  }

  async take(rounds: readonly Round[]): Promise<void> {
    for (const name of TOPICS) {
      const lines: string[] = [];
      for (const { batches } of rounds) {
        const batch = batches.get(name);
        if (batch !== undefined)
          for (let row = 0; row < batch.length; row++) lines.push(copyLine(batch, row));
      }
      if (lines.length > 0) await this.#peer.copy(name, lines.join(""));
    }
    await this.#peer.run("ANALYZE");
  }

  async empty(): Promise<void> {
    await this.#peer.run(`TRUNCATE ${TOPICS.join(", ")}`);
  }

  async drop(): Promise<void> {
    await this.#peer.run(`DROP TABLE ${TOPICS.join(", ")}, side_input`);
  }
}

export class Judge {
  readonly #peer: SqlPeer;
  readonly #tables: JudgeTables;

  private constructor(peer: SqlPeer) {
    this.#peer = peer;
    this.#tables = new JudgeTables(peer);
  }

  static async open(): Promise<Judge> {
    const judge = new Judge(await openPglite());
    await judge.#tables.create();
    return judge;
  }

  take(rounds: readonly Round[]): Promise<void> {
    return this.#tables.take(rounds);
  }

  /** Rows as one text each, sorted. */
  async answer(sql: string): Promise<string[]> {
    return sortedRows(await this.#peer.rows(sql));
  }

  async close(): Promise<void> {
    await this.#peer.close();
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
