/** The job written by hand on Map and Set, an object per row: what one writes without a second thought. */
import { type Answer, DELETE, type Group, regionName, type Workload } from "./workload.ts";

interface Order {
  customer: Customer;
  amount: number;
}

interface Customer {
  region: Total;
  readonly orders: Set<Order>;
}

interface Total {
  readonly name: string;
  sum: number;
  count: number;
}

export class MapLoop {
  readonly #orders = new Map<number, Order>();
  readonly #customers = new Map<number, Customer>();
  readonly #totals = new Map<number, Total>();
  /** Totals that the group changed: what would be told to whoever watches. */
  readonly #changed = new Set<Total>();

  constructor({ customers }: Workload) {
    for (let i = 0; i < customers.length; i++) this.#customer(customers.id[i]!, customers.region[i]!);
  }

  take({ orders, customers }: Group): void {
    this.#changed.clear();
    for (let i = 0; i < orders.length; i++) {
      const id = orders.id[i]!;
      const old = this.#orders.get(id);
      if (old !== undefined) {
        this.#add(old.customer.region, -old.amount, -1);
        old.customer.orders.delete(old);
        this.#orders.delete(id);
      }
      if (orders.ops[i] === DELETE) continue;
      const customer = this.#customers.get(orders.customer[i]!)!;
      const order = { customer, amount: orders.amount[i]! };
      this.#orders.set(id, order);
      customer.orders.add(order);
      this.#add(customer.region, order.amount, 1);
    }
    for (let i = 0; i < customers.length; i++) this.#customer(customers.id[i]!, customers.region[i]!);
  }

  answer(): Answer {
    const rows = [...this.#totals.values()].filter((t) => t.count > 0);
    return new Map(rows.map((t) => [t.name, [t.sum, t.count]]));
  }

  #customer(id: number, regionNumber: number): void {
    let region = this.#totals.get(regionNumber);
    if (region === undefined) {
      region = { name: regionName(regionNumber), sum: 0, count: 0 };
      this.#totals.set(regionNumber, region);
    }
    const customer = this.#customers.get(id);
    if (customer === undefined) {
      this.#customers.set(id, { region, orders: new Set() });
      return;
    }
    for (const { amount } of customer.orders) {
      this.#add(customer.region, -amount, -1);
      this.#add(region, amount, 1);
    }
    customer.region = region;
  }

  #add(total: Total, amount: number, count: number): void {
    total.sum += amount;
    total.count += count;
    this.#changed.add(total);
  }
}
