/**
 * TPC-H's 22 queries as views, each by itself, beside PostgreSQL.
 *
 * - "first build": milliseconds from CREATE MATERIALIZED VIEW over tables that have their rows to the view's answer. Beside it PostgreSQL running
 *   the query once. A ratio above 1 says that the view was there sooner.
 * - "refresh": milliseconds until tables, log and view show a refresh: a thousandth of the orders new, as many old ones gone, with their line items, in one
 *   transaction; the median of several. Beside it PostgreSQL's full recomputation, which is what REFRESH MATERIALIZED VIEW does. The same
 *   transaction with no view there is told first, and is in every other number, too.
 *
 * PostgreSQL is PGlite, in process, with its primary keys and after ANALYZE; a server's figures would be lower. DuckDB is not measured. After the
 * refreshes, the numbers of rows are compared; test/bench/tpch.test.ts compares the rows.
 *
 *   node --conditions=evert-source bench/tpch.ts [--scale 0.01] [q1 q5 …]
 */
import { parseArgs } from "node:util";
import { PGlite } from "@electric-sql/pglite";
import type { Operation } from "../src/engine/api.ts";
import { type Db, open } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, median, present } from "./report.ts";
import { columnsOf, ddl, type Orders, type Row, TpchData } from "./tpch/data.ts";
import { queries } from "./tpch/queries.ts";

const REFRESHES = 5;
const ROWS_AT_ONCE = 2_000;
const ORDERS_AT_ONCE = 500;

const { values, positionals } = parseArgs({
  options: { scale: { type: "string", default: "0.01" } },
  allowPositionals: true,
});
const scale = Number(values.scale);
const wanted = queries.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

class Bench {
  readonly #db: Db;
  readonly #postgres: PGlite;
  readonly #data = new TpchData(scale);
  /** By order: its line items. */
  readonly #lines = new Map<number, number>();

  constructor(db: Db, postgres: PGlite) {
    this.#db = db;
    this.#postgres = postgres;
  }

  async load(): Promise<void> {
    for (const [table, columns] of Object.entries(ddl)) {
      await this.#sql(`CREATE TABLE ${table} (${columns})`);
      await this.#postgres.exec(`CREATE TABLE ${table} (${columns})`);
    }
    for (const [table, rows] of this.#data.tables()) {
      await this.#copy(table, rows);
      for (let i = 0; i < rows.length; i += ROWS_AT_ONCE)
        await this.#db.engine.append(table, objectsOf(table, rows.slice(i, i + ROWS_AT_ONCE)));
    }
    for (;;) {
      const next = this.#data.initialOrders(ORDERS_AT_ONCE);
      if (next === null) break;
      this.#remember(next);
      await this.#copy("orders", next.orders);
      await this.#copy("lineitem", next.lineitem);
      await this.#db.engine.append("orders", objectsOf("orders", next.orders));
      await this.#db.engine.append("lineitem", objectsOf("lineitem", next.lineitem));
    }
    await this.#postgres.exec("ANALYZE");
    await this.#db.settled();
  }

  /** The median of several refreshes in Evert; PostgreSQL gets the same rows. */
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
      await this.#postgres.exec(`DELETE FROM lineitem WHERE l_orderkey BETWEEN ${from} AND ${to};
        DELETE FROM orders WHERE o_orderkey BETWEEN ${from} AND ${to}`);
    }
    return median(times);
  }

  async measure({ name, sql }: { readonly name: string; readonly sql: string }): Promise<Measured[]> {
    const once = await this.#queried(sql);
    const built = await timed(async () => {
      await this.#sql(`CREATE MATERIALIZED VIEW ${name} AS ${sql}`);
      await this.#db.engine.built();
    });
    const refreshed = await this.refresh();
    const again = await this.#queried(sql);
    await this.#compare(name, sql);
    await this.#sql(`DROP MATERIALIZED VIEW ${name}`);
    return [
      sooner(`${name}, first build`, built, "PostgreSQL's query, once", once),
      sooner(`${name}, refresh`, refreshed, "PostgreSQL's recomputation", again),
    ];
  }

  async #queried(sql: string): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) times.push(await timed(() => this.#postgres.query(sql)));
    return median(times);
  }

  /** @throws where they differ */
  async #compare(name: string, sql: string): Promise<void> {
    const { results, error } = await this.#db.sql(`SELECT count(*) FROM ${name}`);
    if (error !== undefined) throw new Error(error.message);
    const { rows } = await this.#postgres.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM (${sql}) AS q`,
    );
    const ours = results[0]!.rowsText()[0]![0];
    if (ours !== String(rows[0]!.n)) throw new Error(`${name}: ${ours} rows for ${rows[0]!.n}`);
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
    const blob = new Blob([rows.map((row) => `${row.join("\t")}\n`).join("")]);
    await this.#postgres.query(`COPY ${table} FROM '/dev/blob'`, [], { blob });
  }

  async #sql(statement: string): Promise<void> {
    const { error } = await this.#db.sql(statement);
    if (error !== undefined) throw new Error(`${error.message} in ${statement}`);
  }
}

function objectsOf(table: string, rows: readonly Row[]): object[] {
  const names = columnsOf(table);
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

function sooner(name: string, value: number, peer: string, peerValue: number): Measured {
  return { name, unit: "ms", value, peer, peerValue, ratio: peerValue / value };
}

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir, topics: [], views: [] });
    const postgres = await PGlite.create();
    try {
      const bench = new Bench(db, postgres);
      await bench.load();
      const bare = await bench.refresh();
      const measured: Measured[] = [
        { name: "refresh of the tables alone", unit: "ms", value: bare, note: `scale ${scale}` },
      ];
      for (const query of wanted) measured.push(...(await bench.measure(query)));
      return [...measured, mean("first build", measured), mean("refresh", measured)];
    } finally {
      await postgres.close();
    }
  });
}

function mean(what: string, measured: readonly Measured[]): Measured {
  const ratios = measured.filter((m) => m.name.endsWith(`, ${what}`)).map((m) => m.ratio!);
  const value = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  return { name: `${what}, geometric mean of the ratios`, unit: "times", value };
}

await present(measure);
