/**
 * Orders joined with customers, grouped by region, summed and counted: the circuit alone, fed with columns.
 *
 * The number is events per second of one core through the whole maintenance of the view (table rows by key, both join indexes, the group, the
 * result rows, vacuum), in steps of 1,000 events, without log, disk and readers. Beside it the same job written by hand on typed arrays
 * (join/typed-loop.ts) in the same run; the ratio is what counts, the machines are noisy.
 *
 *   node bench/dataflow-join.ts [events] [repetitions]
 */
import { int4, int8, text } from "../src/batch/types.ts";
import { createChunk } from "../src/dataflow/chunk.ts";
import { Circuit } from "../src/dataflow/circuit.ts";
import * as plan from "../src/plan/build.ts";
import { Dictionary } from "../src/state/dictionary.ts";
import { TypedLoop } from "./join/typed-loop.ts";
import { type Answer, makeWorkload, regionName, type Workload } from "./join/workload.ts";

const ORDERS = 1;
const CUSTOMERS = 2;
const VIEW = 3;

const orderFields = ["id", "customer", "amount"].map((name) => ({ name, type: int4, nullable: false }));
const customerFields = [
  { name: "id", type: int4, nullable: false },
  { name: "region", type: text, nullable: false },
];

class CircuitLoop {
  readonly #dictionary = new Dictionary();
  readonly #circuit = new Circuit({ dictionary: this.#dictionary });
  readonly #view;
  readonly #orders = createChunk(orderFields);
  readonly #customers = createChunk(customerFields);
  readonly #regions: number[] = [];
  #epoch = 0;

  constructor({ customers }: Workload) {
    const orders = source(ORDERS, "orders", orderFields);
    const people = source(CUSTOMERS, "customers", customerFields);
    const joined = plan.join({ type: "inner", left: orders, right: people, leftKeys: [1], rightKeys: [0] });
    const aggregates = [
      { fn: "sum", arg: plan.column(joined, 2), filter: null, type: int8, reducer: null },
      { fn: "count", arg: null, filter: null, type: int8, reducer: null },
    ] as const;
    const grouped = plan.group(joined, [plan.column(joined, 4)], aggregates, ["region", "sum", "count"]);
    this.#circuit.topics.addTable(ORDERS, "orders", { fields: orderFields }, [0]);
    this.#circuit.topics.addTable(CUSTOMERS, "customers", { fields: customerFields }, [0]);
    this.#view = this.#circuit.addView(VIEW, "by_region", grouped);
    for (let from = 0; from < customers.length; from += 1000) {
      this.#step(null, {
        length: 1000,
        id: customers.id.subarray(from),
        region: customers.region.subarray(from),
      });
    }
  }

  take({ orders, customers }: Workload["groups"][number]): void {
    this.#step(orders, customers);
  }

  #step(orders: Workload["groups"][number]["orders"] | null, customers: Workload["customers"]): void {
    const circuit = this.#circuit;
    circuit.begin(++this.#epoch);
    if (orders !== null && orders.length > 0) {
      const chunk = this.#orders;
      (chunk.columns[0] as Int32Array).set(orders.id.subarray(0, orders.length));
      (chunk.columns[1] as Int32Array).set(orders.customer.subarray(0, orders.length));
      (chunk.columns[2] as Int32Array).set(orders.amount.subarray(0, orders.length));
      chunk.weights.fill(1, 0, orders.length);
      chunk.length = orders.length;
      circuit.topics.feedTable(ORDERS, chunk, orders.ops);
    }
    if (customers.length > 0) {
      const chunk = this.#customers;
      for (let i = 0; i < customers.length; i++) {
        chunk.columns[0]![i] = customers.id[i]!;
        chunk.columns[1]![i] = this.#region(customers.region[i]!);
        chunk.weights[i] = 1;
      }
      chunk.length = customers.length;
      circuit.topics.feedTable(CUSTOMERS, chunk, null);
    }
    circuit.end();
    while (!circuit.run(performance.now() + 10));
    circuit.vacuum(this.#epoch);
  }

  #region(region: number): number {
    let id = this.#regions[region];
    if (id === undefined) {
      id = this.#dictionary.internString(regionName(region));
      this.#dictionary.retain(id);
      this.#regions[region] = id;
    }
    return id;
  }

  answer(): Answer {
    const { store } = this.#view;
    const chunk = createChunk(store.layout.columns, 1);
    const answer = new Map<string, readonly [number, number]>();
    for (let slot = 0; slot < store.highWater; slot++) {
      if (!store.visible(slot, this.#epoch)) continue;
      store.read(slot, chunk.columns, chunk.nulls, 0);
      answer.set(this.#dictionary.string(chunk.columns[0]![0]!), [
        chunk.columns[1]![0]!,
        chunk.columns[2]![0]!,
      ]);
    }
    return answer;
  }
}

function source(id: number, name: string, fields: typeof orderFields) {
  return plan.source({ id, name, kind: "table", schema: { fields }, key: [0], appendOnly: false });
}

interface Contender {
  take(group: Workload["groups"][number]): void;
  answer(): Answer;
}

function measure(
  make: (workload: Workload) => Contender,
  workload: Workload,
): { eventsPerSecond: number; answer: Answer } {
  const contender = make(workload);
  const start = performance.now();
  for (const group of workload.groups) contender.take(group);
  return {
    eventsPerSecond: workload.events / ((performance.now() - start) / 1000),
    answer: contender.answer(),
  };
}

const events = Number(process.argv[2] ?? 1_000_000);
const repetitions = Number(process.argv[3] ?? 3);
const workload = makeWorkload(events);
for (let i = 0; i < repetitions; i++) {
  const circuit = measure((w) => new CircuitLoop(w), workload);
  const typed = process.env.ONLY ? circuit : measure((w) => new TypedLoop(w), workload);
  const sorted = (answer: Answer) => JSON.stringify([...answer].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (sorted(circuit.answer) !== sorted(typed.answer)) throw new Error("the circuit and the loop disagree");
  const [a, b] = [circuit.eventsPerSecond, typed.eventsPerSecond];
  console.log(
    `circuit ${(a / 1e6).toFixed(2)} M events/s, typed arrays by hand ${(b / 1e6).toFixed(2)} M, ratio ${(a / b).toFixed(2)}`,
  );
}
