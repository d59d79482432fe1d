/**
 * TPC-H's 22 queries as views, each by itself, beside PostgreSQL and DuckDB, all on one thread over the same rows.
 *
 * - "first build": milliseconds from CREATE MATERIALIZED VIEW over tables that have their rows to the view's answer. Beside it the peer running the
 *   query once. They take turns; medians, also of the ratio within a turn. A ratio above 1 says that the view was there sooner.
 * - "refresh": milliseconds until tables, log and view show a refresh: a thousandth of the orders new, as many old ones gone, with their line items, in one
 *   transaction; the median of several. Beside it the peer's full recomputation over the same rows, which is what REFRESH MATERIALIZED VIEW
 *   does. The same transaction with no view there is told first, and is in every other number, too; the peer's own writing is not in its number.
 * - The geometric means are over all queries asked for.
 *
 * Before a number is told, all rows of the answers are compared, after the build and after the refreshes: with PostgreSQL's to the letter, with DuckDB's to
 * nine digits, as it divides decimals into doubles.
 *
 * PostgreSQL is a server on loopback (peers/postgres.ts), with indexes on primary and foreign keys, and after ANALYZE; where it is not installed, PGlite, in process and
 * slower. DuckDB is in process and in memory (peers/duckdb.ts), where such indexes would not be used.
 *
 *   node --conditions=evert-source bench/tpch.ts [--scale 0.02] [q1 q5 …]
 */
import { parseArgs } from "node:util";
import type { Operation } from "../src/engine/api.ts";
import { type Db, open } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { openDuckDb } from "./peers/duckdb.ts";
import { peerOrAbsent } from "./peers/peer.ts";
import { openPglite } from "./peers/pglite.ts";
import { openPostgres } from "./peers/postgres.ts";
import type { SqlPeer, TextRow } from "./peers/sql.ts";
import { geometricMean, type Measured, median, present } from "./report.ts";
import { columnsOf, ddl, foreignKeys, type Orders, type Row, TpchData } from "./tpch/data.ts";
import { queries, type TpchQuery } from "./tpch/queries.ts";

const REFRESHES = 5;
const TURNS = 3;
/** A query that takes longer than this is not asked again for the sake of a median. */
const SLOW_MS = 2_000;
const ROWS_AT_ONCE = 2_000;
const ORDERS_AT_ONCE = 500;

const { values, positionals } = parseArgs({
  options: { scale: { type: "string", default: "0.02" } },
  allowPositionals: true,
});
const scale = Number(values.scale);
const wanted = queries.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

/** What a peer took for a query, each time, and what it answered the last time. */
interface Asked {
  readonly times: number[];
  rows: readonly TextRow[];
}

class Bench {
  readonly #db: Db;
  readonly #peers: readonly SqlPeer[];
  readonly #data = new TpchData(scale);
  /** By order: its line items. */
  readonly #lines = new Map<number, number>();

  constructor(db: Db, peers: readonly SqlPeer[]) {
    this.#db = db;
    this.#peers = peers;
  }

  async load(): Promise<void> {
    for (const [table, columns] of Object.entries(ddl)) {
      await this.#sql(`CREATE TABLE ${table} (${columns})`);
      for (const peer of this.#peers) await peer.run(`CREATE TABLE ${table} (${columns})`);
    }
    for (const [table, rows] of this.#data.tables()) await this.#loadRows(table, rows);
    for (;;) {
      const next = this.#data.initialOrders(ORDERS_AT_ONCE);
      if (next === null) break;
      this.#remember(next);
      await this.#loadRows("orders", next.orders);
      await this.#loadRows("lineitem", next.lineitem);
    }
    for (const peer of this.#peers) {
      if (peer.name !== "DuckDB")
        for (const [table, keys] of Object.entries(foreignKeys))
          for (const columns of keys) await peer.run(`CREATE INDEX ON ${table} (${columns})`);
      await peer.run("ANALYZE");
    }
    await this.#db.settled();
  }

  async #loadRows(table: string, rows: readonly Row[]): Promise<void> {
    for (let i = 0; i < rows.length; i += ROWS_AT_ONCE)
      await this.#db.engine.append(table, objectsOf(table, rows.slice(i, i + ROWS_AT_ONCE)));
    await this.#copy(table, rows);
  }

  /** The median of several refreshes in Evert; the peers get the same rows. */
  async refresh(): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < REFRESHES; i++) {
      const count = this.#data.refreshOrders;
      const fresh = this.#data.newOrders(count);
      this.#remember(fresh);
      const { from, to } = this.#data.oldOrders(count);
      const operations = this.#operations(fresh, from, to);
      times.push(
        await timed(async () => {
          await this.#db.engine.transact(operations);
          await this.#db.settled();
        }),
      );
      await this.#copy("orders", fresh.orders);
      await this.#copy("lineitem", fresh.lineitem);
      for (const peer of this.#peers) {
        await peer.run(`DELETE FROM lineitem WHERE l_orderkey BETWEEN ${from} AND ${to}`);
        await peer.run(`DELETE FROM orders WHERE o_orderkey BETWEEN ${from} AND ${to}`);
      }
    }
    return median(times);
  }

  async measure(query: TpchQuery): Promise<Measured[]> {
    const builds: number[] = [];
    const before = this.#peers.map((): Asked => ({ times: [], rows: [] }));
    for (let turn = 0; turn < TURNS; turn++) {
      if (turn > 0) await this.#sql(`DROP MATERIALIZED VIEW ${query.name}`);
      builds.push(await timed(() => this.#build(query)));
      for (const [p, peer] of this.#peers.entries()) await ask(peer, query, before[p]!);
    }
    await this.#compare(query, before);
    const refreshed = await this.refresh();
    const after = this.#peers.map((): Asked => ({ times: [], rows: [] }));
    for (let turn = 0; turn < TURNS; turn++)
      for (const [p, peer] of this.#peers.entries()) await ask(peer, query, after[p]!);
    await this.#compare(query, after);
    await this.#sql(`DROP MATERIALIZED VIEW ${query.name}`);
    const built = median(builds);
    return this.#peers.flatMap(({ name }, p): Measured[] => [
      {
        name: `${query.name}, first build`,
        unit: "ms",
        value: built,
        peer: `${name}'s query, once`,
        peerValue: median(before[p]!.times),
        ratio: median(builds.map((ours, turn) => before[p]!.times[turn]! / ours)),
      },
      {
        name: `${query.name}, refresh`,
        unit: "ms",
        value: refreshed,
        peer: `${name}'s recomputation`,
        peerValue: median(after[p]!.times),
        ratio: median(after[p]!.times) / refreshed,
      },
    ]);
  }

  async #build({ name, sql }: TpchQuery): Promise<void> {
    await this.#sql(`CREATE MATERIALIZED VIEW ${name} AS ${sql}`);
    await this.#db.engine.built();
  }

  /** @throws where an answer differs */
  async #compare({ name }: TpchQuery, asked: readonly Asked[]): Promise<void> {
    const { results, error } = await this.#db.engine.sql(`SELECT * FROM ${name}`);
    if (error !== undefined) throw new Error(`${name}: ${error.message}`);
    const ours = results[0]!.rowsText();
    for (const [p, peer] of this.#peers.entries()) {
      const form = peer.name === "DuckDB" ? toNineDigits : toTheLetter;
      const mine = ours.map(form).sort();
      const theirs = asked[p]!.rows.map(form).sort();
      const wrong = mine.findIndex((row, i) => row !== theirs[i]);
      if (mine.length !== theirs.length || wrong >= 0)
        throw new Error(
          `${name} is not ${peer.name}'s answer: ${mine[wrong]} for ${theirs[wrong]}, ${mine.length} rows for ${theirs.length}`,
        );
    }
  }

  #operations({ orders, lineitem }: Orders, from: number, to: number): Operation[] {
    const gone = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const lines = gone.flatMap((key) =>
      Array.from({ length: this.#lines.get(key) ?? 0 }, (_, i) => ({ l_orderkey: key, l_linenumber: i + 1 })),
    );
    return [
      { topic: "orders", append: objectsOf("orders", orders) },
      { topic: "lineitem", append: objectsOf("lineitem", lineitem) },
      { topic: "lineitem", delete: lines },
      { topic: "orders", delete: gone.map((key) => ({ o_orderkey: key })) },
    ];
  }

  #remember({ lineitem }: Orders): void {
    for (const row of lineitem) {
      const key = row[0] as number;
      this.#lines.set(key, (this.#lines.get(key) ?? 0) + 1);
    }
  }

  async #copy(table: string, rows: readonly Row[]): Promise<void> {
    const lines = rows.map((row) => `${row.join("\t")}\n`).join("");
    for (const peer of this.#peers) await peer.copy(table, lines);
  }

  async #sql(statement: string): Promise<void> {
    const { error } = await this.#db.engine.sql(statement);
    if (error !== undefined) throw new Error(`${error.message} in ${statement}`);
  }
}

async function ask(peer: SqlPeer, { sql }: TpchQuery, asked: Asked): Promise<void> {
  const slow = asked.times.at(-1);
  if (slow !== undefined && slow > SLOW_MS) {
    asked.times.push(slow);
    return;
  }
  const took = await timed(async () => {
    asked.rows = await peer.rows(sql);
  });
  asked.times.push(took);
}

function objectsOf(table: string, rows: readonly Row[]): object[] {
  const names = columnsOf(table);
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
}

function toTheLetter(row: TextRow): string {
  return JSON.stringify(row);
}

function toNineDigits(row: TextRow): string {
  return JSON.stringify(
    row.map((value) =>
      value !== null && /^-?[\d.]+(e[-+]?\d+)?$/.test(value) ? Number(value).toPrecision(9) : value,
    ),
  );
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    const server = await peerOrAbsent("PostgreSQL (PGlite is measured instead)", "ms", openPostgres);
    const duckdb = await peerOrAbsent("DuckDB", "ms", () => openDuckDb(dir));
    const peers = [server.peer ?? (await openPglite()), ...(duckdb.peer === null ? [] : [duckdb.peer])];
    try {
      await using db = await open({ dir, topics: [], views: [] });
      const bench = new Bench(db, peers);
      await bench.load();
      const bare = await bench.refresh();
      const measured: Measured[] = [
        { name: "refresh of the tables alone", unit: "ms", value: bare, note: `scale ${scale}` },
      ];
      for (const query of wanted) measured.push(...(await bench.measure(query)));
      const means = peers.flatMap(({ name }) =>
        ["first build", "refresh"].map((what) => meanRatio(what, name, measured)),
      );
      return [...measured, ...means, ...server.absent, ...duckdb.absent];
    } finally {
      for (const peer of peers) await peer.close();
    }
  });
}

function meanRatio(what: string, peer: string, measured: readonly Measured[]): Measured {
  const ratios = measured
    .filter((m) => m.name.endsWith(`, ${what}`) && m.peer?.startsWith(peer) === true)
    .map((m) => m.ratio!);
  return {
    name: `${what} over ${peer}, geometric mean of the ratios`,
    unit: "times",
    value: geometricMean(ratios),
  };
}

await present(measure);
