/**
 * Joins in which a key has thousands of rows, all of which go to disk as soon as they may (`warm: 0`): they are met there, page by page, and do not come
 * back. What views hold is compared with loops over all pairs after each change.
 */
import { afterEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

let db: Database;
const said: string[] = [];

async function open(disk: SimulatedDisk): Promise<void> {
  db = await openInMemory(disk, { warm: 0, report: (message) => said.push(message) });
  await db.built();
}

afterEach(async () => {
  await db.close().catch(() => {});
  expect(said.splice(0)).toEqual([]);
});

interface Order {
  readonly customer: string | null;
  readonly place: string;
}

interface State {
  readonly orders: Map<number, Order>;
  readonly customers: Map<string, string>;
  readonly events: string[];
}

/** Beyond what comes back at once (operators/cold-matches.ts). */
const PER_KEY = 2_600;

const VIEWS: Readonly<Record<string, string>> = {
  met: "SELECT c.name AS name, count(*) AS n, sum(o.id) AS s FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.name",
  odd: "SELECT c.name AS name, count(*) AS n, sum(o.id) AS s FROM orders o JOIN customers c ON o.customer = c.id WHERE o.id % 2 = 1 GROUP BY c.name",
  left_rows:
    "SELECT c.name AS name, count(*) AS n, sum(o.id) AS s FROM orders o LEFT JOIN customers c ON o.customer = c.id GROUP BY c.name",
  right_rows:
    "SELECT c.name AS name, count(*) AS n, sum(o.id) AS s FROM customers c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.name",
  all_rows:
    "SELECT c.name AS name, count(*) AS n, sum(o.id) AS s FROM customers c FULL JOIN orders o ON o.customer = c.id GROUP BY c.name",
  placed:
    "SELECT o.place AS name, count(*) AS n, sum(o.id) AS s FROM events e JOIN orders o ON o.place = e.place GROUP BY o.place",
};

/** By name, how many pairs there are, and the sum of the orders' ids; a row alone has null for the other. */
function expected({ orders, customers, events }: State): Map<string, TextRow[]> {
  const pairs: { readonly id: number; readonly name: string }[] = [];
  const alone: number[] = [];
  for (const [id, { customer }] of orders) {
    const name = customer === null ? undefined : customers.get(customer);
    if (name === undefined) alone.push(id);
    else pairs.push({ id, name });
  }
  const withOrders = new Set([...orders.values()].map(({ customer }) => customer));
  const bare = [...customers].filter(([id]) => !withOrders.has(id)).map(([, name]) => name);
  const placed = events.flatMap((place) =>
    [...orders].filter(([, order]) => order.place === place).map(([id]) => ({ id, name: place })),
  );
  const summed = (
    rows: readonly { readonly id: number | null; readonly name: string | null }[],
  ): TextRow[] => {
    const sums = new Map<string | null, { n: number; s: number | null }>();
    for (const { id, name } of rows) {
      const { n, s } = sums.get(name) ?? { n: 0, s: null };
      sums.set(name, { n: n + 1, s: id === null ? s : (s ?? 0) + id });
    }
    return [...sums].map(([name, { n, s }]) => [name, String(n), s === null ? null : String(s)]);
  };
  const ofAlone = alone.map((id) => ({ id, name: null }));
  const ofBare = bare.map((name) => ({ id: null, name }));
  return new Map([
    ["met", summed(pairs)],
    ["odd", summed(pairs.filter(({ id }) => id % 2 === 1))],
    ["left_rows", summed([...pairs, ...ofAlone])],
    ["right_rows", summed([...pairs, ...ofBare])],
    ["all_rows", summed([...pairs, ...ofAlone, ...ofBare])],
    ["placed", summed(placed)],
  ]);
}

async function compare(state: State, names: readonly string[], when: string): Promise<void> {
  const wanted = expected(state);
  for (const name of names) {
    const held = await maintained(db, name);
    expect([when, name, difference(held as TextRow[], wanted.get(name)!)]).toEqual([when, name, null]);
  }
}

/** Steps that concern nothing else, until what the last one made may go out, too. */
async function cooled(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    await db.append("other", [{ k: i }]);
    await db.settled();
  }
}

const ids = ["a", "b", "c", "d"] as const;

it.each([1, 2])(
  "of which neither side comes back (seed %i)",
  async (seed) => {
    const random = new SeededRandom(seed);
    let disk = new SimulatedDisk({ seed });
    await open(disk);
    await sql(
      db,
      `CREATE TABLE orders (id int4 PRIMARY KEY, customer text, place text NOT NULL);
     CREATE TABLE customers (id text PRIMARY KEY, name text NOT NULL);
     CREATE TABLE events (k int4 NOT NULL, place text NOT NULL) WITH (append_only);
     CREATE TABLE other (k int4 PRIMARY KEY)`,
    );
    // Left and full joins are there before the rows, others are built over rows that are on disk.
    const names = Object.keys(VIEWS);
    const first = names.filter((name) => name.endsWith("_rows") || random.oneIn(2));
    const make = async (some: readonly string[]): Promise<void> => {
      for (const name of some) await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${VIEWS[name]}`);
      await db.built();
    };
    await make(first);
    const state: State = { orders: new Map(), customers: new Map(), events: [] };
    const customersAre = async (some: readonly (readonly [string, string])[]): Promise<void> => {
      await db.append(
        "customers",
        some.map(([id, name]) => ({ id, name })),
      );
      for (const [id, name] of some) state.customers.set(id, name);
    };
    const store = () => db.core.tables.store(db.core.catalog.entry("orders")!.id)!;
    const rows = Array.from({ length: PER_KEY * ids.length }, (_, id) => ({
      id,
      customer: random.oneIn(50) ? null : ids[id % ids.length]!,
      place: `place ${id % 3}`,
    }));
    await customersAre([["a", "first"]]);
    for (let from = 0; from < rows.length; from += 2_000)
      await db.append("orders", rows.slice(from, from + 2_000));
    for (const { id, ...order } of rows) state.orders.set(id, order);
    await db.settled();
    await cooled();
    await compare(state, first, "filled");
    await make(names.filter((name) => !first.includes(name)));
    await compare(state, names, "built");
    await cooled();
    expect(store().cold!.rows).toBe(rows.length);
    // Whoever comes, changes or goes meets all of its orders where they are.
    const before = store().cold!.brought;
    await customersAre(ids.map((id) => [id, `name of ${id}`]));
    await compare(state, names, "came");
    await cooled();
    await customersAre([
      ["a", "other"],
      ["b", "other"],
      ["nobody", "without"],
    ]);
    await compare(state, names, "changed");
    await sql(db, "DELETE FROM customers WHERE id IN ('a', 'c')");
    for (const id of ["a", "c"]) state.customers.delete(id);
    await compare(state, names, "went");
    await db.append("events", [
      { k: 1, place: "place 1" },
      { k: 2, place: "place 1" },
      { k: 3, place: "nowhere" },
    ]);
    state.events.push("place 1", "place 1", "nowhere");
    await compare(state, names, "heard");
    expect(store().cold!.brought).toBe(before);
    // The first order of one without, one of thousands, and all of one.
    await cooled();
    for (const some of [
      [7],
      [...state.orders].filter(([, { customer }]) => customer === "b").map(([id]) => id),
    ]) {
      await sql(db, `DELETE FROM orders WHERE id IN (${some.join()})`);
      for (const id of some) state.orders.delete(id);
      await compare(state, names, `without ${some.length}`);
      await cooled();
    }
    await db.append("orders", [{ id: 1, customer: "nobody", place: "place 0" }]);
    state.orders.set(1, { customer: "nobody", place: "place 0" });
    await compare(state, names, "ordered");
    await db.checkpoint();
    disk = disk.reboot("power cut");
    await db.close().catch(() => {});
    said.length = 0;
    await open(disk);
    await customersAre(ids.map((id, i) => [id, i % 2 === 0 ? "even" : "odd"]));
    await compare(state, names, "after a restart");
    const name = names[random.below(names.length)]!;
    await sql(db, `DROP MATERIALIZED VIEW ${name}`);
    const rest = await rowsOf(db, VIEWS[name]!);
    expect([name, difference(rest, expected(state).get(name)!)]).toEqual([name, null]);
  },
  120_000,
);
