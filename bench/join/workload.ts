/**
 * The events that every contender of the join bench takes in: orders and the customers who place them.
 *
 * 10,000 customers of 50 regions are there before the clock starts. Then come groups of 1,000 events: 90 % new orders, 5 % changed amounts, 4.9 % deleted
 * orders, 0.1 % customers who move to another region and take all their orders with them. Ids are scattered, as ids are: nobody finds
 * a row by using its id as an index.
 */
import type { Batch, Column } from "../../src/batch/batch.ts";
import type { Schema } from "../../src/batch/schema.ts";
import { int4, text } from "../../src/batch/types.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

export const CUSTOMERS = 10_000;
export const REGIONS = 50;
export const GROUP_EVENTS = 1_000;

export const UPSERT = 0;
export const DELETE = 1;

/** Orders of one group, in columns. Of a deleted one only the id counts. */
export interface OrderColumns {
  readonly length: number;
  readonly ops: Uint8Array;
  readonly id: Int32Array;
  readonly customer: Int32Array;
  readonly amount: Int32Array;
}

export interface CustomerColumns {
  readonly length: number;
  readonly id: Int32Array;
  /** Number of the region; its name is regionName(it). */
  readonly region: Int32Array;
}

export interface Group {
  readonly orders: OrderColumns;
  readonly customers: CustomerColumns;
}

export interface Workload {
  readonly customers: CustomerColumns;
  readonly groups: readonly Group[];
  readonly events: number;
}

/** The answer: of each region with orders, what they sum up to and how many they are. */
export type Answer = ReadonlyMap<string, readonly [total: number, orders: number]>;

export function makeWorkload(events: number, seed = 1): Workload {
  const random = new SeededRandom(seed);
  const customers: CustomerColumns = {
    length: CUSTOMERS,
    id: Int32Array.from({ length: CUSTOMERS }, (_, i) => scatter(i + 1)),
    region: Int32Array.from({ length: CUSTOMERS }, () => random.below(REGIONS)),
  };
  // Numbers of the living orders, in no order, to pick from.
  const living = new Int32Array(events);
  let livingCount = 0;
  let made = 0;
  const groups: Group[] = [];
  for (let done = 0; done < events; done += GROUP_EVENTS) {
    const n = Math.min(GROUP_EVENTS, events - done);
    const ops = new Uint8Array(n);
    const id = new Int32Array(n);
    const customer = new Int32Array(n);
    const amount = new Int32Array(n);
    const moved: { id: number; region: number }[] = [];
    let o = 0;
    for (let i = 0; i < n; i++) {
      const kind = random.below(1000);
      const pick = random.below(Math.max(livingCount, 1));
      if (kind < 1) {
        moved.push({ id: customers.id[random.below(CUSTOMERS)]!, region: random.below(REGIONS) });
      } else if (kind < 50 && livingCount > 0) {
        ops[o] = DELETE;
        id[o++] = scatter(living[pick]!);
        living[pick] = living[--livingCount]!;
      } else {
        const isChange = kind < 100 && livingCount > 0;
        const number = isChange ? living[pick]! : ++made;
        if (!isChange) living[livingCount++] = number;
        id[o] = scatter(number);
        customer[o] = customers.id[customerOf(number)]!;
        amount[o++] = 1 + random.below(10_000);
      }
    }
    groups.push({
      orders: {
        length: o,
        ops: ops.subarray(0, o),
        id: id.subarray(0, o),
        customer: customer.subarray(0, o),
        amount: amount.subarray(0, o),
      },
      customers: {
        length: moved.length,
        id: Int32Array.from(moved, (m) => m.id),
        region: Int32Array.from(moved, (m) => m.region),
      },
    });
  }
  return { customers, groups, events };
}

/** The first groups of a workload, for those who would take minutes over all of it. */
export function firstOf(workload: Workload, events: number): Workload {
  return { ...workload, groups: workload.groups.slice(0, events / GROUP_EVENTS), events };
}

export function regionName(region: number): string {
  return `region ${region}`;
}

/** A bijection of the positive 31-bit integers that leaves no pattern; never 0. */
function scatter(number: number): number {
  let x = number;
  do x = Math.imul(x, 0x2c1b3c6d) & 0x7fffffff;
  while (x === 0);
  return x;
}

/** An order stays its customer's. */
function customerOf(number: number): number {
  return (Math.imul(number, 0x85ebca6b) >>> 8) % CUSTOMERS;
}

export function checkAnswer(name: string, answer: Answer, right: Answer): void {
  if (answer.size !== right.size) throw new Error(`${name}: ${answer.size} regions, not ${right.size}`);
  for (const [region, [total, orders]] of right) {
    const given = answer.get(region);
    if (given?.[0] !== total || given[1] !== orders)
      throw new Error(`${name}: ${region} has ${given}, not ${total},${orders}`);
  }
}

// ---- as the engine takes it ----------------------------------------------------------------------------------------

export const orderSchema: Schema = {
  fields: [
    { name: "id", type: int4, nullable: false },
    { name: "customer_id", type: int4, nullable: false },
    { name: "amount", type: int4, nullable: false },
  ],
};

export const customerSchema: Schema = {
  fields: [
    { name: "id", type: int4, nullable: false },
    { name: "region", type: text, nullable: false },
  ],
};

export function orderBatch({ length, id, customer, amount }: OrderColumns): Batch {
  const columns = [id, customer, amount].map((values) => int4Column(values));
  return { schema: orderSchema, length, columns, weights: null };
}

export function customerBatch({ length, id, region }: CustomerColumns): Batch {
  return {
    schema: customerSchema,
    length,
    columns: [int4Column(id), textColumn(Array.from(region, regionName))],
    weights: null,
  };
}

function int4Column(values: Int32Array): Column {
  return { kind: "fixed", type: int4, length: values.length, validity: null, values };
}

function textColumn(values: readonly string[]): Column {
  const offsets = new Int32Array(values.length + 1);
  for (let i = 0; i < values.length; i++) offsets[i + 1] = offsets[i]! + Buffer.byteLength(values[i]!);
  const data = new Uint8Array(Buffer.from(values.join("")));
  return { kind: "utf8", type: text, length: values.length, validity: null, offsets, data };
}
