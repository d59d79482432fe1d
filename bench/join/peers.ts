/** The same job in other systems, each fed the changes it understands: rows with +1 and -1, or SQL statements under triggers. */
import { DatabaseSync } from "node:sqlite";
import * as d2ts from "@electric-sql/d2ts";
import * as ivm from "@tanstack/db-ivm";
import { type Answer, DELETE, type Group, regionName, type Workload } from "./workload.ts";

interface Order {
  readonly id: number;
  readonly customer: number;
  readonly amount: number;
}

interface Customer {
  readonly id: number;
  readonly region: string;
}

type Changes<T> = [T, number][];

/** Groups as changes of rows: what is replaced or deleted leaves first. */
class ChangeFeed {
  readonly #orders = new Map<number, Order>();
  readonly #customers = new Map<number, Customer>();

  customers({ length, id, region }: Workload["customers"]): Changes<[number, Customer]> {
    const changes: Changes<[number, Customer]> = [];
    for (let i = 0; i < length; i++) {
      const old = this.#customers.get(id[i]!);
      if (old !== undefined) changes.push([[old.id, old], -1]);
      const row = { id: id[i]!, region: regionName(region[i]!) };
      this.#customers.set(row.id, row);
      changes.push([[row.id, row], 1]);
    }
    return changes;
  }

  orders({ length, ops, id, customer, amount }: Group["orders"]): Changes<[number, Order]> {
    const changes: Changes<[number, Order]> = [];
    for (let i = 0; i < length; i++) {
      const old = this.#orders.get(id[i]!);
      if (old !== undefined) {
        changes.push([[old.customer, old], -1]);
        this.#orders.delete(old.id);
      }
      if (ops[i] === DELETE) continue;
      const row = { id: id[i]!, customer: customer[i]!, amount: amount[i]! };
      this.#orders.set(row.id, row);
      changes.push([[row.customer, row], 1]);
    }
    return changes;
  }
}

interface Contender {
  take(group: Group): void;
  answer(): Answer;
}

type Joined = [number, [Order | null, Customer | null]];
type Total = { region: string; total: number; orders: number };

class Totals {
  readonly #rows = new Map<string, [number, number]>();

  apply(changes: readonly [readonly [unknown, Total], number][]): void {
    for (const [[, row], weight] of changes) if (weight < 0) this.#rows.delete(row.region);
    for (const [[, row], weight] of changes)
      if (weight > 0) this.#rows.set(row.region, [row.total, row.orders]);
  }

  answer(): Answer {
    return this.#rows;
  }
}

const flat = ([, [order, customer]]: Joined) => ({
  region: (customer as Customer).region,
  amount: (order as Order).amount,
});

/** @tanstack/db-ivm */
export class DbIvm implements Contender {
  readonly #feed = new ChangeFeed();
  readonly #totals = new Totals();
  readonly #graph = new ivm.D2();
  readonly #orders = this.#graph.newInput<[number, Order]>();
  readonly #customers = this.#graph.newInput<[number, Customer]>();

  constructor(workload: Workload) {
    this.#orders.pipe(
      ivm.join(this.#customers, "inner"),
      ivm.map((row) => flat(row as Joined)),
      ivm.groupBy((row: { region: string; amount: number }) => ({ region: row.region }), {
        total: ivm.groupByOperators.sum((row: { amount: number }) => row.amount),
        orders: ivm.groupByOperators.count(),
      }),
      ivm.output((set) => this.#totals.apply(set.getInner() as never)),
    );
    this.#graph.finalize();
    this.#customers.sendData(new ivm.MultiSet(this.#feed.customers(workload.customers)));
    this.#graph.run();
  }

  take(group: Group): void {
    const customers = this.#feed.customers(group.customers);
    this.#orders.sendData(new ivm.MultiSet(this.#feed.orders(group.orders)));
    if (customers.length > 0) this.#customers.sendData(new ivm.MultiSet(customers));
    this.#graph.run();
  }

  answer(): Answer {
    return this.#totals.answer();
  }
}

/** @electric-sql/d2ts */
export class D2ts implements Contender {
  readonly #feed = new ChangeFeed();
  readonly #totals = new Totals();
  readonly #graph = new d2ts.D2({ initialFrontier: d2ts.v(0) });
  readonly #orders = this.#graph.newInput<[number, Order]>();
  readonly #customers = this.#graph.newInput<[number, Customer]>();
  #version = 0;

  constructor(workload: Workload) {
    this.#orders.pipe(
      d2ts.join(this.#customers, "inner"),
      d2ts.map((row) => flat(row as Joined)),
      d2ts.groupBy((row: { region: string; amount: number }) => ({ region: row.region }), {
        total: d2ts.groupByOperators.sum((row: { amount: number }) => row.amount),
        orders: d2ts.groupByOperators.count(),
      }),
      d2ts.output((message) => {
        if (message.type === d2ts.MessageType.DATA)
          this.#totals.apply(message.data.collection.getInner() as never);
      }),
    );
    this.#graph.finalize();
    this.#send([], this.#feed.customers(workload.customers));
  }

  take(group: Group): void {
    this.#send(this.#feed.orders(group.orders), this.#feed.customers(group.customers));
  }

  #send(orders: Changes<[number, Order]>, customers: Changes<[number, Customer]>): void {
    const version = this.#version++;
    this.#orders.sendData(d2ts.v(version), new d2ts.MultiSet(orders));
    this.#customers.sendData(d2ts.v(version), new d2ts.MultiSet(customers));
    this.#orders.sendFrontier(d2ts.v(version + 1));
    this.#customers.sendFrontier(d2ts.v(version + 1));
    this.#graph.run();
  }

  answer(): Answer {
    return this.#totals.answer();
  }
}

/** SQLite in memory, the totals kept by triggers: what one does today without a view engine. */
export class SqliteTriggers implements Contender {
  readonly #db = new DatabaseSync(":memory:");
  readonly #order;
  readonly #deletion;
  readonly #customer;

  constructor({ customers }: Workload) {
    this.#db.exec(`
      CREATE TABLE customers (id INTEGER PRIMARY KEY, region TEXT NOT NULL);
      CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, amount INTEGER NOT NULL);
      CREATE INDEX orders_customer ON orders (customer);
      CREATE TABLE totals (region TEXT PRIMARY KEY, total INTEGER NOT NULL, orders INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TRIGGER order_in AFTER INSERT ON orders BEGIN
        INSERT INTO totals SELECT region, new.amount, 1 FROM customers WHERE id = new.customer
          ON CONFLICT (region) DO UPDATE SET total = total + excluded.total, orders = orders + 1;
      END;
      CREATE TRIGGER order_out AFTER DELETE ON orders BEGIN
        UPDATE totals SET total = total - old.amount, orders = orders - 1
          WHERE region = (SELECT region FROM customers WHERE id = old.customer);
      END;
      CREATE TRIGGER order_changed AFTER UPDATE ON orders BEGIN
        UPDATE totals SET total = total - old.amount + new.amount
          WHERE region = (SELECT region FROM customers WHERE id = new.customer);
      END;
      CREATE TRIGGER customer_moved AFTER UPDATE ON customers BEGIN
        UPDATE totals SET total = total - (SELECT coalesce(sum(amount), 0) FROM orders WHERE customer = old.id),
                          orders = orders - (SELECT count(*) FROM orders WHERE customer = old.id) WHERE region = old.region;
        INSERT INTO totals SELECT new.region, coalesce(sum(amount), 0), count(*) FROM orders WHERE customer = new.id
          ON CONFLICT (region) DO UPDATE SET total = total + excluded.total, orders = orders + excluded.orders;
      END;`);
    this.#order = this.#db.prepare(
      "INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount",
    );
    this.#deletion = this.#db.prepare("DELETE FROM orders WHERE id = ?");
    this.#customer = this.#db.prepare(
      "INSERT INTO customers VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET region = excluded.region",
    );
    this.#db.exec("BEGIN");
    for (let i = 0; i < customers.length; i++)
      this.#customer.run(customers.id[i]!, regionName(customers.region[i]!));
    this.#db.exec("COMMIT");
  }

  take({ orders, customers }: Group): void {
    this.#db.exec("BEGIN");
    for (let i = 0; i < orders.length; i++) {
      if (orders.ops[i] === DELETE) this.#deletion.run(orders.id[i]!);
      else this.#order.run(orders.id[i]!, orders.customer[i]!, orders.amount[i]!);
    }
    for (let i = 0; i < customers.length; i++)
      this.#customer.run(customers.id[i]!, regionName(customers.region[i]!));
    this.#db.exec("COMMIT");
  }

  answer(): Answer {
    const rows = this.#db
      .prepare("SELECT region, total, orders FROM totals WHERE orders > 0")
      .all() as unknown as Total[];
    return new Map(rows.map((r) => [r.region, [r.total, r.orders]]));
  }
}
