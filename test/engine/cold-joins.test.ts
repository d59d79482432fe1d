/**
 * Joins of tables, streams and views whose rows go to disk as soon as they may (`warm: 0`), against what the rows say, computed anew after every round
 * by loops over all pairs: wherever rows are, whichever side changes, and across stops of every kind.
 */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/state/store.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, db, open, openWith, startAgain } from "./support/cold.ts";
import { rowsOf, sql } from "./support/memory.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

function tableStore(name: string): Store {
  return db.core.tables.store(db.core.catalog.entry(name)!.id)!;
}

/** Cold rows of what is kept of a stream for joins. */
function coldEvents(): number {
  const kept = db.core.circuit
    .stores()
    .filter(({ id }) => id.startsWith("append ") && id.endsWith(" / rows"));
  return kept.reduce((sum, { store }) => sum + (store.cold?.rows ?? 0), 0);
}

interface Order {
  readonly customer: string | null;
  readonly amount: string;
}
interface Customer {
  readonly name: string;
  readonly price: string;
}
interface Event {
  readonly k: number;
  readonly customer: string;
}

interface State {
  readonly orders: Map<number, Order>;
  readonly customers: Map<string, Customer>;
  readonly events: Event[];
}

const VIEWS: Readonly<Record<string, string>> = {
  by_key: "SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer = c.id",
  high: "SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer = c.id WHERE o.id % 3 = 0 AND c.name <> 'b'",
  left_rows: "SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON o.customer = c.id",
  right_rows: "SELECT c.id, o.id AS o FROM customers c LEFT JOIN orders o ON o.customer = c.id",
  all_rows: "SELECT o.id, c.id AS c FROM orders o FULL JOIN customers c ON o.amount = c.price",
  priced: "SELECT o.id, c.id AS c FROM orders o JOIN customers c ON o.amount = c.price",
  pairs:
    "SELECT o.id, p.id AS p FROM orders o JOIN orders p ON o.customer IS NOT DISTINCT FROM p.customer WHERE o.id < p.id",
  named: "SELECT o.id, c.id AS c FROM orders o JOIN customers c ON o.customer = c.id AND o.amount = c.price",
  heard: "SELECT e.k, c.name FROM events e JOIN customers c ON e.customer = c.id",
  ordered: "SELECT e.k, o.id FROM events e JOIN orders o ON e.customer = o.customer",
  sums: "SELECT customer, count(*) AS n FROM orders GROUP BY customer",
  of_sums: "SELECT s.n, c.name FROM sums s JOIN customers c ON c.id = s.customer",
};

const same = (a: string | null, b: string | null): boolean =>
  a !== null && b !== null && Number(a) === Number(b);

/** What every view holds. */
function expected({ orders, customers, events }: State): Map<string, TextRow[]> {
  const o = [...orders].map(([id, row]) => ({ id, ...row }));
  const c = [...customers].map(([id, row]) => ({ id, ...row }));
  const met = o.flatMap((order) => c.filter(({ id }) => id === order.customer).map((of) => ({ order, of })));
  const priced = o.flatMap((order) =>
    c.filter(({ price }) => same(price, order.amount)).map((of) => ({ order, of })),
  );
  const texts = (rows: readonly (readonly (string | number | null)[])[]): TextRow[] =>
    rows.map((row) => row.map((value) => (value === null ? null : String(value))));
  const sums = new Map<string | null, number>();
  for (const { customer } of o) sums.set(customer, (sums.get(customer) ?? 0) + 1);
  const names = texts(met.map(({ order, of }) => [order.id, of.name]));
  const heard = events.flatMap(({ k, customer }) => {
    const of = customers.get(customer);
    return of === undefined ? [] : [[k, of.name]];
  });
  return new Map([
    ["by_key", names],
    ["high", names.filter(([id, name]) => Number(id) % 3 === 0 && name !== "b")],
    [
      "left_rows",
      texts(
        o.map(({ id, customer }) => [id, customer === null ? null : (customers.get(customer)?.name ?? null)]),
      ),
    ],
    [
      "right_rows",
      texts(
        c.flatMap(({ id }): (string | number | null)[][] => {
          const own = o.filter(({ customer }) => customer === id).map((order) => [id, order.id]);
          return own.length === 0 ? [[id, null]] : own;
        }),
      ),
    ],
    [
      "all_rows",
      texts([
        ...priced.map(({ order, of }) => [order.id, of.id]),
        ...o.filter(({ id }) => !priced.some(({ order }) => order.id === id)).map(({ id }) => [id, null]),
        ...c.filter(({ id }) => !priced.some(({ of }) => of.id === id)).map(({ id }) => [null, id]),
      ]),
    ],
    ["priced", texts(priced.map(({ order, of }) => [order.id, of.id]))],
    [
      "pairs",
      texts(
        o.flatMap((x) => o.filter((y) => x.customer === y.customer && x.id < y.id).map((y) => [x.id, y.id])),
      ),
    ],
    [
      "named",
      texts(
        met.filter(({ order, of }) => same(order.amount, of.price)).map(({ order, of }) => [order.id, of.id]),
      ),
    ],
    ["heard", texts(heard)],
    [
      "ordered",
      texts(
        events.flatMap((e) => o.filter(({ customer }) => customer === e.customer).map(({ id }) => [e.k, id])),
      ),
    ],
    ["sums", texts([...sums])],
    [
      "of_sums",
      texts(
        [...sums].flatMap(([id, n]) => {
          const of = id === null ? undefined : customers.get(id);
          return of === undefined ? [] : [[n, of.name]];
        }),
      ),
    ],
  ]);
}

const TABLES = `
  CREATE TABLE orders (id int4 PRIMARY KEY, customer text, amount numeric NOT NULL);
  CREATE TABLE customers (id text PRIMARY KEY, name text NOT NULL, price numeric NOT NULL);
  CREATE TABLE events (k int4 NOT NULL, customer text NOT NULL) WITH (append_only);
  CREATE TABLE other (k int4 PRIMARY KEY)`;

/** Equal numbers that print differently. */
const PRICES = ["1", "1.0", "2.50", "2.5", "3", "4.75", "123456789012345678901.5"];

async function change(random: SeededRandom, state: State, round: number): Promise<void> {
  const { orders, customers, events } = state;
  const customer = (): string => `customer ${random.below(30)}`;
  const price = (): string => PRICES[random.below(PRICES.length)]!;
  const name = (): string => "abcdefg"[random.below(7)]!;
  const few = 1 + random.below(6);
  switch (random.below(7)) {
    case 0: {
      const ids = Array.from({ length: few }, () => random.below(60));
      await sql(db, `DELETE FROM orders WHERE id IN (${ids.join()})`);
      for (const id of ids) orders.delete(id);
      break;
    }
    case 1: {
      const ids = Array.from({ length: few }, customer);
      await sql(db, `DELETE FROM customers WHERE id IN (${ids.map((id) => `'${id}'`).join()})`);
      for (const id of ids) customers.delete(id);
      break;
    }
    case 2: {
      const [id, to] = [customer(), name()];
      await sql(db, `UPDATE customers SET name = '${to}' WHERE id = '${id}'`);
      const before = customers.get(id);
      if (before !== undefined) customers.set(id, { ...before, name: to });
      break;
    }
    case 3: {
      const told = Array.from({ length: few }, () => ({ k: round, customer: customer() }));
      await db.append("events", told);
      events.push(...told);
      break;
    }
    case 4: {
      const some = Array.from({ length: few }, () => ({ id: customer(), name: name(), price: price() }));
      await db.append("customers", some);
      for (const { id, ...row } of some) customers.set(id, row);
      break;
    }
    default: {
      const some = Array.from({ length: few }, () => ({
        id: random.below(60),
        customer: random.oneIn(10) ? null : customer(),
        amount: price(),
      }));
      await db.append("orders", some);
      for (const { id, ...row } of some) orders.set(id, row);
    }
  }
}

async function compare(state: State, names: readonly string[]): Promise<void> {
  const wanted = expected(state);
  for (const name of names) {
    const held = await maintained(db, name);
    expect([name, difference(held as TextRow[], wanted.get(name)!)]).toEqual([name, null]);
  }
}

describe("joins whose sides go to disk", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "hold what their queries say (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(db, TABLES);
      const names = Object.keys(VIEWS);
      const state: State = { orders: new Map(), customers: new Map(), events: [] };
      // Some are there before the rows, others are built over rows that are on disk; one leaves meanwhile, and comes again.
      const first = names.filter((name) => name === "sums" || random.oneIn(2));
      const shown = [...first];
      const make = async (name: string): Promise<void> => {
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${VIEWS[name]}`);
      };
      for (const name of first) await make(name);
      await db.built();
      const most = { orders: 0, customers: 0, events: 0 };
      for (let round = 0; round < 24; round++) {
        for (let i = 0; i < 4; i++) await change(random, state, round * 10 + i);
        await db.settled();
        if (random.oneIn(2)) await cooled();
        most.orders = Math.max(most.orders, tableStore("orders").cold!.rows);
        most.customers = Math.max(most.customers, tableStore("customers").cold!.rows);
        most.events = Math.max(most.events, coldEvents());
        await compare(state, shown);
        if (round === 10) {
          for (const name of names) {
            if (shown.includes(name)) continue;
            await make(name);
            shown.push(name);
          }
          await db.built();
        }
        if (random.oneIn(5) && round > 10) {
          const name = random.oneIn(2) ? "by_key" : "pairs";
          await sql(db, `DROP MATERIALIZED VIEW ${name}`);
          if (random.oneIn(2)) await change(random, state, round * 10 + 9);
          await make(name);
          await db.built();
        }
        const asked = names[random.below(names.length)]!;
        if (shown.includes("sums") || asked !== "of_sums") {
          const rows = await rowsOf(db, VIEWS[asked]!);
          expect([asked, difference(rows, expected(state).get(asked)!)]).toEqual([asked, null]);
        }
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(6)) disk = await startAgain(disk, random);
      }
      expect(most.orders, "orders on disk").toBeGreaterThan(10);
      expect(most.customers, "customers on disk").toBeGreaterThan(5);
      expect(most.events, "events on disk").toBeGreaterThan(5);
    },
    120_000,
  );
});

it("keeps two joined tables of more rows than there is memory for within the limit, whichever changes", async () => {
  const limit = 4 << 20;
  await openWith(new SimulatedDisk(), { memoryLimit: limit });
  await sql(
    db,
    `CREATE TABLE customers (id int4 PRIMARY KEY, region int4 NOT NULL);
     CREATE TABLE orders (id int4 PRIMARY KEY, customer int4 NOT NULL, amount int4 NOT NULL);
     CREATE MATERIALIZED VIEW sales AS
       SELECT c.region, count(*) AS n, sum(o.amount) AS s FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.region`,
  );
  await db.built();
  const random = new SeededRandom(1);
  const [CUSTOMERS, ORDERS, REGIONS, BATCH] = [30_000, 90_000, 7, 1_000];
  const regions = new Map<number, number>();
  const orders = new Map<number, readonly [customer: number, amount: number]>();
  let most = 0;
  const feed = async (topic: string, rows: readonly Record<string, number>[]): Promise<void> => {
    await db.append(topic, rows);
    most = Math.max(most, db.core.circuit.memory.used);
  };
  const customersOf = async (ids: readonly number[]): Promise<void> => {
    const rows = ids.map((id) => ({ id, region: random.below(REGIONS) }));
    await feed("customers", rows);
    for (const { id, region } of rows) regions.set(id, region);
  };
  const ordersOf = async (ids: readonly number[]): Promise<void> => {
    const rows = ids.map((id) => ({ id, customer: random.below(CUSTOMERS), amount: random.below(100) }));
    await feed("orders", rows);
    for (const { id, customer, amount } of rows) orders.set(id, [customer, amount]);
  };
  const from = (n: number): number[] => Array.from({ length: BATCH }, (_, i) => n + i);
  const some = (below: number): number[] => [
    ...new Set(Array.from({ length: BATCH }, () => random.below(below))),
  ];
  for (let n = 0; n < ORDERS; n += BATCH) {
    if (n < CUSTOMERS) await customersOf(from(n));
    await ordersOf(from(n));
  }
  for (let i = 0; i < 8; i++) {
    await customersOf(some(CUSTOMERS));
    await ordersOf(some(ORDERS));
  }
  await db.settled();
  expect(db.viewFailure("sales")).toBeNull();
  expect(most).toBeLessThan(limit * 1.1);
  expect(tableStore("orders").cold!.rows).toBeGreaterThan(ORDERS / 2);
  expect(tableStore("customers").cold!.rows).toBeGreaterThan(CUSTOMERS / 8);
  const sums = new Map<number, [n: number, s: number]>();
  for (const [customer, amount] of orders.values()) {
    const region = regions.get(customer)!;
    const [n, s] = sums.get(region) ?? [0, 0];
    sums.set(region, [n + 1, s + amount]);
  }
  const wanted = [...sums].map(([region, [n, s]]) => [String(region), String(n), String(s)]);
  expect(difference((await maintained(db, "sales")) as TextRow[], wanted)).toBeNull();
  // A query over both tables, and a view that is built over them, need no room for their rows.
  expect(await rowsOf(db, "SELECT count(*) FROM customers c JOIN orders o ON o.customer = c.id")).toEqual([
    [String(ORDERS)],
  ]);
  await sql(
    db,
    "CREATE MATERIALIZED VIEW few AS SELECT count(*) AS n FROM orders o JOIN customers c ON c.id = o.customer WHERE c.region > o.amount",
  );
  await db.built();
  const few = [...orders.values()].filter(([customer, amount]) => regions.get(customer)! > amount);
  expect(await maintained(db, "few")).toEqual([[String(few.length)]]);
  expect(db.stats().stateBytes).toBeLessThan(limit * 1.1);
});
