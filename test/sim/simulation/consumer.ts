/**
 * A consumer that reads the events and writes what it has made of them, in one commit with how far it has come: each event is counted once, however often an instance dies, comes again, or
 * goes on beside the one that has taken its place. What it has written says so: one row for each batch, from where to where, and the sum.
 */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Commit, Violation } from "./commits.ts";
import type { Life } from "./life.ts";
import type { Attempt } from "./oracle.ts";
import type { Event, Made } from "./topics.ts";
import { send } from "./writes.ts";

const NAME = "counter";
const INSTANCES = 2;
const BATCH_MAX = 30;

/** One of those that take each other's place. */
interface Instance {
  isBusy: boolean;
  epoch: number | null;
  next: number;
}

export class ConsumerState {
  readonly instances: readonly Instance[] = Array.from({ length: INSTANCES }, () => ({
    isBusy: false,
    epoch: null,
    next: 0,
  }));
  /** The highest epoch that was told. */
  epoch = -1;

  /** What was told is lost: new instances open it. */
  forget(): void {
    this.epoch = -1;
    for (const one of this.instances) one.epoch = null;
  }
}

/** An instance is opened, or goes on. */
export async function consume(life: Life, random: SeededRandom): Promise<void> {
  const { consumer } = life.run;
  const one = consumer.instances[random.below(INSTANCES)] as Instance;
  if (one.isBusy) return;
  one.isBusy = true;
  try {
    if (one.epoch === null || random.oneIn(8)) await open(life, one);
    else await work(life, one, random);
  } finally {
    one.isBusy = false;
  }
}

async function open(life: Life, one: Instance): Promise<void> {
  const { consumer, oracle } = life.run;
  const before = consumer.epoch;
  one.epoch = null;
  life.run.trace("open a consumer");
  try {
    const { epoch, topics, position } = await life.db.openConsumer(NAME, ["ev"]);
    oracle.reached(Number(position));
    if (epoch <= before) throw new Violation(`epoch ${epoch} of a consumer comes after ${before}`);
    consumer.epoch = Math.max(consumer.epoch, epoch);
    const next = topics[0]?.offset as number;
    // It goes on where what has been committed before it ends.
    oracle.sawAt(Number(position), (commits) => {
      const end = endOf(commits);
      return end === next
        ? null
        : `the consumer opened at ${position} begins at ${next}, and has come to ${end}`;
    });
    Object.assign(one, { epoch, next });
    life.told(`consumer has epoch ${epoch} at ${position}, and reads from ${next}`);
  } catch (error) {
    life.refused("open a consumer", error);
  }
}

async function work(life: Life, one: Instance, random: SeededRandom): Promise<void> {
  const { db, run } = life;
  const from = one.next;
  const epoch = one.epoch as number;
  let sum = 0;
  let to = from;
  try {
    const limit = 1 + random.below(BATCH_MAX);
    for await (const { offset, valueJson } of db.readTopic("ev", { from, limit })) {
      sum += (JSON.parse(valueJson as string) as Event).part;
      to = offset + 1;
    }
  } catch (error) {
    life.refused("read for a consumer", error);
    return;
  }
  if (to === from) return;
  const row = (op: number): Made => ({ op, low: from, high: to, total: sum });
  const attempt = run.oracle.begin(
    `count ev from ${from} to ${to} as of epoch ${epoch}`,
    random.oneIn(3) ? `consumed ${random.u32()}` : null,
    (op) => {
      const written = [{ topic: "made" as const, key: null, value: row(op) }];
      return () => written;
    },
    (before) => {
      const end = endOf(before);
      return end === from ? null : `it counts from ${from}, and ${end} has been come to`;
    },
  );
  const { idempotencyKey } = attempt;
  const consume = [{ name: NAME, epoch, topic: "ev", offset: to }];
  const sent = (): Promise<unknown> =>
    send(
      life,
      attempt,
      (to) =>
        to.transact([{ topic: "made", append: [row(attempt.id)] }], {
          ...(idempotencyKey === null ? {} : { idempotencyKey }),
          consume,
        }),
      (code) => {
        // Another instance has come further, or has taken its place.
        if (code === "fenced" || code === "conflict") one.epoch = null;
        return code === "fenced" || code === "conflict";
      },
    );
  one.next = to;
  // With a key it may come twice, as by a network that repeats.
  const answers = await Promise.all(idempotencyKey !== null && random.oneIn(2) ? [sent(), sent()] : [sent()]);
  // Nobody has said whether it is stored: who goes on asks.
  if (answers.includes(null)) one.epoch = null;
}

export function isConsumption({ what }: Attempt): boolean {
  return what.startsWith("count ev ");
}

/** Up to where events have been counted. */
export function endOf(commits: readonly Commit[]): number {
  for (let i = commits.length - 1; i >= 0; i--) {
    const made = (commits[i] as Commit).records.findLast(({ topic }) => topic === "made");
    if (made !== undefined) return (made.value as Made).high;
  }
  return 0;
}

/** After a start it is known how far the consumer has come: as far as what it has written. */
export async function checkConsumer(life: Pick<Life, "db" | "run">): Promise<void> {
  const { db, run } = life;
  const known = (await db.consumers()).find(({ name }) => name === NAME);
  if (known === undefined) {
    if (run.consumer.epoch >= 0) throw new Violation("the consumer that was opened is not known");
    return;
  }
  if (known.epoch < run.consumer.epoch)
    throw new Violation(`the consumer has epoch ${known.epoch}, and was told ${run.consumer.epoch}`);
  const { history } = run.oracle;
  const end = endOf(history);
  const { offset, position } = known.topics[0] ?? {};
  if (offset !== end) throw new Violation(`the consumer has come to ${offset}, and has counted up to ${end}`);
  let total = 0;
  let counted = 0;
  let events = 0;
  for (const { records } of history)
    for (const { topic, offset: at, value } of records) {
      if (topic === "made") counted += (value as Made).total;
      if (topic !== "ev") continue;
      events = at + 1;
      if (at < end) total += (value as Event).part;
    }
  if (counted !== total || end > events)
    throw new Violation(
      `of events up to ${end} of ${events} it has counted ${counted}, and they are ${total}`,
    );
  if (Number(position) > history.length) throw new Violation(`the consumer has come far at ${position}`);
}
