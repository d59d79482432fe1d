/** TPC-H's 22 queries as views, half of them there before any row is: after loading and after each refresh they hold what PostgreSQL answers. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { columnsOf, ddl, type Row, TpchData } from "../../bench/tpch/data.ts";
import { queries } from "../../bench/tpch/queries.ts";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";
import { Postgres } from "../engine/support/postgres.ts";

const SCALE = 0.001;
const ORDERS_AT_ONCE = 500;

let postgres: Postgres;
let engine: Database;

beforeAll(async () => {
  postgres = await Postgres.open();
  engine = await openInMemory();
});

afterAll(async () => {
  await engine.close();
  await postgres.close();
});

async function load(table: string, rows: readonly Row[]): Promise<void> {
  const names = columnsOf(table);
  await engine.append(
    table,
    rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]]))),
  );
  const quoted = rows.map((row) => `(${row.map((value) => `'${value}'`).join(", ")})`);
  await postgres.define(`INSERT INTO ${table} VALUES ${quoted.join(", ")}`);
}

async function both(statement: string): Promise<void> {
  await sql(engine, statement);
  await postgres.define(statement);
}

const sorted = (rows: readonly (readonly (string | null)[])[]) =>
  rows.map((row) => JSON.stringify(row)).sort();

async function compare(): Promise<void> {
  await engine.settled();
  for (const { name, sql: query } of queries) {
    const { rows, refused } = await postgres.query(query);
    expect(refused, name).toBeNull();
    expect(sorted(await rowsOf(engine, `SELECT * FROM ${name}`)), name).toEqual(sorted(rows));
  }
}

test("after loading, and after orders have come and gone", async () => {
  for (const [table, columns] of Object.entries(ddl)) await both(`CREATE TABLE ${table} (${columns})`);
  const define = async (from: number) => {
    for (let i = from; i < queries.length; i += 2)
      await sql(engine, `CREATE MATERIALIZED VIEW ${queries[i]!.name} AS ${queries[i]!.sql}`);
  };
  await define(0);
  const data = new TpchData(SCALE);
  for (const [table, rows] of data.tables()) await load(table, rows);
  for (
    let next = data.initialOrders(ORDERS_AT_ONCE);
    next !== null;
    next = data.initialOrders(ORDERS_AT_ONCE)
  ) {
    await load("orders", next.orders);
    await load("lineitem", next.lineitem);
  }
  await postgres.define("ANALYZE");
  await define(1);
  await engine.built();
  await compare();
  for (let refresh = 0; refresh < 2; refresh++) {
    const count = 20 * data.refreshOrders;
    const { orders, lineitem } = data.newOrders(count);
    await load("orders", orders);
    await load("lineitem", lineitem);
    const { from, to } = data.oldOrders(count);
    await both(`DELETE FROM lineitem WHERE l_orderkey BETWEEN ${from} AND ${to}`);
    await both(`DELETE FROM orders WHERE o_orderkey BETWEEN ${from} AND ${to}`);
    await compare();
  }
});
