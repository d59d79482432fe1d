/**
 * Idempotent producers: whatever a network does to the requests of a producer, each is stored once and in order.
 *
 * A producer has an id, which it keeps, an epoch, which rises whenever it starts anew, and numbers its requests to each topic 0, 1, 2, … within the
 * epoch. A request that carries these is
 *
 *   refused (fenced)             if its epoch is over: the producer has started anew since
 *   answered as the first time   if its number has been stored
 *   refused (out_of_sequence)    if an earlier number is missing; the answer says which
 *   stored                       otherwise
 *
 * Headers and meaning are those of the Durable Streams protocol, but that an epoch is a producer's and not one topic's: as in Kafka, who starts anew
 * fences the earlier instance everywhere. A request of several records may count each as a number of its own (a body that is stored in chunks): then
 * a request that has been stored in part is refused, and its sender goes on behind what is stored.
 *
 * What is known of a producer is a row of the table evert_producers for each of its last requests to a topic, written in the request's own commit:
 * they are there together or not at all, whatever crashes. Memory holds the same, as of the newest commit staged, durable or not; it is made from the
 * table at the start. Nobody is told of what is not durable: refusals wait for it like answers.
 *
 * A producer that has sent nothing for seven days of log time is forgotten when another one comes, by tombstones in the commit of that one: so that a
 * replay forgets it in the same place. A request that it then sends with a number other than 0 is refused as out of sequence.
 */
import { assert } from "../../base/assert.ts";
import { EvertError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";
import type { Store } from "../../state/store.ts";
import type { ProducerInfo, ProducerSequence } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Part } from "../write/part.ts";
import { TableRows } from "../write/table-rows.ts";
import { PRODUCERS_ENTRY } from "./own-tables.ts";
import type { Ridden, Rider } from "./rider.ts";

/** Requests of a producer to a topic that are answered again as the first time; of earlier ones it is only known that they are stored. */
export const REMEMBERED = 5;
/** Log time after which a producer that sends nothing is forgotten. */
export const IDLE_US_MAX = 7 * 24 * 3_600_000_000;
/** Lists of requests that are remembered, each of a producer and a topic, before those idle for IDLE_US_FULL are forgotten. */
const LANES_MAX = 100_000;
const IDLE_US_FULL = 3_600_000_000;
/** Producers forgotten in one commit. */
const FORGOTTEN_MAX = 256;
/** The row of the producer itself has this topic. */
const NO_TOPIC = 0;

interface Request {
  readonly seq: number;
  readonly lastSeq: number;
  readonly position: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** A producer's requests to one topic. */
interface Lane {
  epoch: number;
  /** Within the epoch; oldest first. */
  recent: Request[];
  /** Where the newest is kept. */
  slot: number;
  /** Rows of it in the table. */
  slots: Set<number>;
}

interface Producer {
  readonly id: string;
  epoch: number;
  usedUs: number;
  /** By topic; NO_TOPIC: it was registered. */
  readonly lanes: Map<number, Lane>;
}

/** Why a producer's request is refused, in figures. */
export class ProducerRefusal extends EvertError {
  /** The producer's epoch now. */
  readonly epoch: number;
  /** The number that would be stored, and the one that came; null: its epoch is over. */
  readonly expected: { readonly seq: number; readonly received: number } | null;

  constructor(
    message: string,
    fields: { readonly detail: string; readonly hint: string },
    epoch: number,
    expected: { readonly seq: number; readonly received: number } | null,
  ) {
    super(expected === null ? "fenced" : "out_of_sequence", message, fields);
    this.epoch = epoch;
    this.expected = expected;
  }
}

export class Producers {
  readonly #log: Log;
  readonly #topicName: (id: number) => string | undefined;
  readonly #leastEpoch: () => number;
  /** Who has sent nothing for longest comes first. */
  readonly #producers = new Map<string, Producer>();
  #lanes = 0;
  /** By producer, who is to be told when it has sent something. */
  readonly #waiting = new Map<string, Set<() => void>>();

  /** `leastEpoch`: what a new epoch is at least, by who leads. */
  constructor(log: Log, topicName: (id: number) => string | undefined, leastEpoch: () => number) {
    this.#log = log;
    this.#topicName = topicName;
    this.#leastEpoch = leastEpoch;
  }

  /** Takes what the table says, as of an epoch. REQUIRES that nothing has been staged behind it. */
  async load(store: Store, epoch: number): Promise<void> {
    const loaded = new Map<string, Producer>();
    const requests = new Map<Lane, Map<number, Request>>();
    for await (const rows of new TableRows(PRODUCERS_ENTRY, store, []).all(epoch)) {
      for (const row of rows) {
        const id = row[0] as string;
        const [topicId, slot, , of, seq, lastSeq, position, firstOffset, lastOffset, usedUs] = row
          .slice(1)
          .map(Number) as number[];
        let producer = loaded.get(id);
        if (producer === undefined) {
          loaded.set(id, (producer = { id, epoch: 0, usedUs: Number.NEGATIVE_INFINITY, lanes: new Map() }));
        }
        producer.epoch = Math.max(producer.epoch, of as number);
        producer.usedUs = Math.max(producer.usedUs, usedUs as number);
        let lane = producer.lanes.get(topicId as number);
        if (lane === undefined) {
          producer.lanes.set(
            topicId as number,
            (lane = { epoch: -1, recent: [], slot: -1, slots: new Set() }),
          );
          requests.set(lane, new Map());
        }
        lane.slots.add(slot as number);
        const bySlot = requests.get(lane) as Map<number, Request>;
        if ((of as number) > lane.epoch) {
          lane.epoch = of as number;
          bySlot.clear();
        }
        if (topicId === NO_TOPIC || of !== lane.epoch) continue;
        bySlot.set(slot as number, { seq, lastSeq, position, firstOffset, lastOffset } as Request);
      }
    }
    for (const [lane, bySlot] of requests) {
      const ordered = [...bySlot].sort(([, a], [, b]) => a.seq - b.seq);
      lane.recent = ordered.map(([, request]) => request);
      lane.slot = ordered.at(-1)?.[0] ?? -1;
    }
    this.#producers.clear();
    this.#lanes = 0;
    for (const producer of [...loaded.values()].sort(
      (a, b) => a.usedUs - b.usedUs || (a.id < b.id ? -1 : 1),
    )) {
      this.#producers.set(producer.id, producer);
      this.#lanes += producer.lanes.size;
    }
  }

  /** What is known of a producer in its present epoch. */
  info(id: string): ProducerInfo | null {
    const producer = this.#producers.get(id);
    if (producer === undefined) return null;
    const topics = [...producer.lanes].flatMap(([topicId, { epoch, recent }]) => {
      const [topic, last] = [this.#topicName(topicId), recent.at(-1)];
      if (topic === undefined || last === undefined || epoch !== producer.epoch) return [];
      return [{ topic, seq: last.lastSeq, position: String(last.position) }];
    });
    return { id, epoch: producer.epoch, topics };
  }

  /** For one request that appends to the topic. */
  sends(topic: TopicEntry, sequence: ProducerSequence): Rider {
    checkSequence(sequence);
    const { id, epoch, seq, count = 1 } = sequence;
    const lastSeq = seq + count - 1;
    let made: { readonly request: Request; readonly slot: number } | null = null;
    let forgotten: readonly Producer[] = [];
    return {
      known: () => this.#known(topic, sequence),
      stage: (position, parts) => {
        const firstOffset = this.#log.topicEnd(topic.id);
        const rows = parts
          .filter((part) => part.topic.id === topic.id)
          .reduce((sum, part) => sum + (part.op === "batch" ? part.batch.length : part.rows.length), 0);
        const request = { seq, lastSeq, position, firstOffset, lastOffset: firstOffset + rows - 1 };
        const lane = this.#producers.get(id)?.lanes.get(topic.id);
        const slot = ((lane?.slot ?? -1) + 1) % REMEMBERED;
        made = { request, slot };
        forgotten = lane === undefined ? this.#idle(id) : [];
        const row = rowOf(id, topic.id, slot, epoch, position, this.#log.nowUs());
        const told = {
          topic: topic.name,
          seq,
          last_seq: lastSeq,
          first_offset: firstOffset,
          last_offset: request.lastOffset,
        };
        return [...tombstones(forgotten), upsert([{ ...row, ...told }])];
      },
      staged: () => {
        assert(made !== null, "a request is staged before it has been");
        this.#forget(forgotten);
        const lane = this.#lane(this.#used(id, epoch), topic.id);
        if (lane.epoch !== epoch) lane.recent = [];
        lane.epoch = epoch;
        lane.recent.push(made.request);
        if (lane.recent.length > REMEMBERED) lane.recent.shift();
        lane.slot = made.slot;
        lane.slots.add(made.slot);
        this.#told(id);
      },
    };
  }

  /** Resolves when all before the number has been staged, or it is not to come in this epoch; or after a while. */
  reached(topicId: number, { id, epoch, seq }: ProducerSequence, timeoutMs: number): Promise<void> {
    const isDue = (): boolean => {
      const producer = this.#producers.get(id);
      if (producer === undefined) return false;
      return (
        epoch < producer.epoch ||
        (epoch === producer.epoch && seq <= expectedOf(producer.lanes.get(topicId), epoch))
      );
    };
    if (isDue()) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(look);
        if (waiting.size === 0) this.#waiting.delete(id);
        resolve();
      };
      const look = (): void => {
        if (isDue()) end();
      };
      const timer = setTimeout(end, timeoutMs);
      waiting.add(look);
    });
  }

  #told(id: string): void {
    for (const look of this.#waiting.get(id) ?? []) look();
  }

  /** For a commit that begins a new epoch of the producer; `began` is told which once it is staged. */
  registers(id: string, began: (epoch: number) => void): Rider {
    checkId(id);
    let epoch = 0;
    let forgotten: readonly Producer[] = [];
    return {
      known: () => {
        if (this.#producers.get(id)?.lanes.has(NO_TOPIC) !== true) this.#idle(id);
        return null;
      },
      stage: (position) => {
        const producer = this.#producers.get(id);
        epoch = Math.max(producer === undefined ? 0 : producer.epoch + 1, this.#leastEpoch());
        forgotten = producer?.lanes.has(NO_TOPIC) === true ? [] : this.#idle(id);
        return [
          ...tombstones(forgotten),
          upsert([rowOf(id, NO_TOPIC, 0, epoch, position, this.#log.nowUs())]),
        ];
      },
      staged: () => {
        this.#forget(forgotten);
        const lane = this.#lane(this.#used(id, epoch), NO_TOPIC);
        lane.epoch = epoch;
        lane.slots.add(0);
        began(epoch);
        this.#told(id);
      },
    };
  }

  /** For a commit that takes topics away: what was sent to them goes with them, but for the epoch that it was sent in. */
  dropping(topicIds: () => readonly number[]): Rider {
    let ids: readonly number[] = [];
    let untold: readonly Producer[] = [];
    return {
      known: () => null,
      stage: (position) => {
        ids = topicIds();
        const producers = [...this.#producers.values()];
        const keys = ids.flatMap((topicId) =>
          producers.flatMap(({ id, lanes }) => keysOf(id, topicId, lanes.get(topicId))),
        );
        // No row that is left says which epoch they are in: an earlier one would go on after a start.
        untold =
          keys.length === 0
            ? []
            : producers.filter(
                ({ epoch, lanes }) =>
                  epoch > 0 &&
                  ![...lanes].some(([topicId, lane]) => !ids.includes(topicId) && lane.epoch === epoch),
              );
        const told = untold.map(({ id, epoch, usedUs }) => rowOf(id, NO_TOPIC, 0, epoch, position, usedUs));
        return [...deletion(keys), ...(told.length === 0 ? [] : [upsert(told)])];
      },
      staged: () => {
        for (const { lanes } of this.#producers.values())
          for (const id of ids) if (lanes.delete(id)) this.#lanes--;
        for (const producer of untold) {
          const lane = this.#lane(producer, NO_TOPIC);
          lane.epoch = producer.epoch;
          lane.slots.add(0);
        }
      },
    };
  }

  #known(topic: TopicEntry, { id, epoch, seq, count = 1 }: ProducerSequence): Ridden | null {
    const producer = this.#producers.get(id);
    if (producer !== undefined && epoch < producer.epoch) throw fenced(id, epoch, producer.epoch);
    if (producer !== undefined && epoch > producer.epoch && seq !== 0) {
      throw new EvertError(
        "invalid_request",
        `a new epoch of producer ${quoted(id)} begins with seq 0, not ${seq}`,
        {
          detail: `Its epoch is ${producer.epoch}, the request's ${epoch}.`,
        },
      );
    }
    const lane = producer?.lanes.get(topic.id);
    const recent = lane?.epoch === epoch ? lane.recent : [];
    const expected = expectedOf(lane, epoch);
    if (seq === expected) {
      if (lane === undefined) this.#idle(id);
      return null;
    }
    const lastSeq = seq + count - 1;
    if (lastSeq >= expected) throw outOfSequence(id, topic, epoch, expected, seq);
    const first = recent.find((request) => request.seq === seq && request.lastSeq === lastSeq);
    const { position, firstOffset, lastOffset } = first ?? (recent.at(-1) as Request);
    // Of one that is not remembered it is known that it is stored, not where.
    const ranges = first === undefined ? [] : [{ topicId: topic.id, firstOffset, lastOffset }];
    return { position, ranges };
  }

  /** Whom to forget for one more list. @throws EvertError too_many_requests: all are in use */
  #idle(besides: string): readonly Producer[] {
    const nowUs = this.#log.nowUs();
    const idle: Producer[] = [];
    let lanes = this.#lanes;
    for (const producer of this.#producers.values()) {
      const longest = lanes >= LANES_MAX ? IDLE_US_FULL : IDLE_US_MAX;
      if (producer.usedUs >= nowUs - longest || idle.length === FORGOTTEN_MAX) break;
      if (producer.id === besides) continue;
      idle.push(producer);
      lanes -= producer.lanes.size;
    }
    if (lanes < LANES_MAX) return idle;
    throw new EvertError("too_many_requests", "too many producers are in use", {
      detail: `Of ${LANES_MAX} producers and topics it is remembered what was sent.`,
      hint: "Keep the ids of producers over their restarts; they are forgotten when they have sent nothing for an hour.",
    });
  }

  #forget(producers: readonly Producer[]): void {
    for (const { id, lanes } of producers) {
      this.#producers.delete(id);
      this.#lanes -= lanes.size;
    }
  }

  /** The producer, as one that is in use now. */
  #used(id: string, epoch: number): Producer {
    const producer = this.#producers.get(id) ?? { id, epoch, usedUs: 0, lanes: new Map() };
    producer.epoch = epoch;
    producer.usedUs = this.#log.nowUs();
    this.#producers.delete(id);
    this.#producers.set(id, producer);
    return producer;
  }

  #lane({ lanes }: Producer, topicId: number): Lane {
    let lane = lanes.get(topicId);
    if (lane === undefined) {
      lanes.set(topicId, (lane = { epoch: -1, recent: [], slot: -1, slots: new Set() }));
      this.#lanes++;
    }
    return lane;
  }
}

/** The number that is stored next. */
function expectedOf(lane: Lane | undefined, epoch: number): number {
  return lane?.epoch === epoch ? (lane.recent.at(-1)?.lastSeq ?? -1) + 1 : 0;
}

function rowOf(
  producer: string,
  topicId: number,
  slot: number,
  epoch: number,
  position: number,
  nowUs: number,
) {
  return { producer, topic_id: topicId, slot, epoch, position, used_at: new Date(nowUs / 1000) };
}

function upsert(rows: readonly object[]): Part {
  return { topic: PRODUCERS_ENTRY, op: "upsert", rows, path: PRODUCERS_ENTRY.name };
}

function tombstones(producers: readonly Producer[]): Part[] {
  return deletion(
    producers.flatMap(({ id, lanes }) => [...lanes].flatMap(([topicId, lane]) => keysOf(id, topicId, lane))),
  );
}

function keysOf(producer: string, topicId: number, lane: Lane | undefined): object[] {
  return [...(lane?.slots ?? [])].map((slot) => ({ producer, topic_id: topicId, slot }));
}

function deletion(rows: readonly object[]): Part[] {
  return rows.length === 0
    ? []
    : [{ topic: PRODUCERS_ENTRY, op: "delete", rows, path: PRODUCERS_ENTRY.name }];
}

/** @throws EvertError invalid_request */
function checkSequence({ id, epoch, seq, count = 1 }: ProducerSequence): void {
  checkId(id);
  for (const [name, value] of Object.entries({ epoch, seq, count })) {
    if (Number.isSafeInteger(value) && value >= (name === "count" ? 1 : 0)) continue;
    throw new EvertError("invalid_request", `a producer's ${name} must be a whole number from 0 to 2^53 - 1`);
  }
}

/** @throws EvertError invalid_request */
function checkId(id: string): void {
  if (/^[\x20-\x7e]{1,255}$/.test(id)) return;
  throw new EvertError("invalid_request", "a producer's id must be 1 to 255 printable ASCII characters");
}

/** A newer instance has taken its place. */
export function fenced(id: string, epoch: number, current: number): ProducerRefusal {
  const detail = `The request's epoch is ${epoch}, the producer's ${current}.`;
  const hint =
    "Let one instance at a time use the id; one that is to go on registers, and begins a new epoch.";
  return new ProducerRefusal(
    `producer ${quoted(id)} has started anew since`,
    { detail, hint },
    current,
    null,
  );
}

function outOfSequence(
  id: string,
  { name }: TopicEntry,
  epoch: number,
  expected: number,
  received: number,
): ProducerRefusal {
  const message = `producer ${quoted(id)} is expected to send ${expected} to "${name}", not ${received}`;
  const detail = `Nothing is stored before all that comes before it in epoch ${epoch} is.`;
  const hint = "Send the requests again, in order.";
  return new ProducerRefusal(message, { detail, hint }, epoch, { seq: expected, received });
}

function quoted(id: string): string {
  return JSON.stringify(id);
}
