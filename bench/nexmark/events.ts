/**
 * The events of Nexmark: an auction house, of which every 50 events are 1 person, 3 auctions and 46 bids.
 *
 * The shape is that of the generator which Apache Beam and Flink use, so that the queries select what they select there: half of the bids go to the
 * hottest auction (the first of each hundred), three of four to auctions of hot sellers and from hot bidders, prices spread evenly over six orders of
 * magnitude, texts padded to about 200, 500 and 100 bytes a record. Event time runs 100 microseconds an event, without disorder, so that no
 * two records have the same and "the last bid" is always one.
 *
 * Same seed, same events. They come as batches of one topic each, in rounds of GROUP_EVENTS records of the topics asked for: what a producer would have put into
 * a commit.
 */
import type { Batch, Column } from "../../src/batch/batch.ts";
import type { Schema } from "../../src/batch/schema.ts";
import { carrierOf, type SqlType } from "../../src/batch/types.ts";
import { type ColumnType, int8, text, timestamp } from "../../src/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

export const GROUP_EVENTS = 1_000;
const ROUND = 50;
const ROUND_AUCTIONS = 3;

const FIRST_ID = 1_000;
const FIRST_CATEGORY = 10;
const CATEGORIES = 5;
const EVENT_US = 100;
/** 2015-07-15, in microseconds since 1970. */
const STARTED_US = 1_436_918_400_000_000;
const IN_FLIGHT = 100;
const ACTIVE_PEOPLE = 1_000;
const HOT_EVERY = 100;
const CHANNELS = 10_000;
const HOT_CHANNELS = ["Google", "Facebook", "Baidu", "Apple"];

const STATES = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES = [
  "Phoenix",
  "Los Angeles",
  "San Francisco",
  "Boise",
  "Portland",
  "Bend",
  "Redmond",
  "Seattle",
  "Kent",
  "Cheyenne",
];
const FIRST_NAMES = [
  "Peter",
  "Paul",
  "Luke",
  "John",
  "Saul",
  "Vicky",
  "Kate",
  "Julie",
  "Sarah",
  "Deiter",
  "Walter",
];
const LAST_NAMES = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];

/** Columns of the topics. */
export const columnsOf = {
  person: {
    id: int8,
    name: text,
    email_address: text,
    credit_card: text,
    city: text,
    state: text,
    date_time: timestamp,
    extra: text,
  },
  auction: {
    id: int8,
    item_name: text,
    description: text,
    initial_bid: int8,
    reserve: int8,
    date_time: timestamp,
    expires: timestamp,
    seller: int8,
    category: int8,
    extra: text,
  },
  bid: {
    auction: int8,
    bidder: int8,
    price: int8,
    channel: text,
    url: text,
    date_time: timestamp,
    extra: text,
  },
} as const;

export const schemas = {
  person: schemaOf(columnsOf.person),
  auction: schemaOf(columnsOf.auction),
  bid: schemaOf(columnsOf.bid),
} as const;

export const sideInputColumns = { key: int8, value: text } as const;
export const sideInputSchema = schemaOf(sideInputColumns);

export const TOPICS = ["person", "auction", "bid"] as const;
export type TopicName = (typeof TOPICS)[number];

/** What one commit brings; a topic with nothing new has no batch. */
export interface Round {
  readonly events: number;
  readonly batches: ReadonlyMap<TopicName, Batch>;
}

function schemaOf(columns: Readonly<Record<string, ColumnType<unknown, never>>>): Schema {
  return { fields: Object.entries(columns).map(([name, { type, nullable }]) => ({ name, type, nullable })) };
}

/** The first `records` records of the topics: of all of them, events 0 .. `records` - 1. */
export function* nexmark(records: number, topics: readonly TopicName[] = TOPICS, seed = 1): Generator<Round> {
  const makers = {
    person: new Maker(schemas.person, seed, person),
    auction: new Maker(schemas.auction, seed + 1, auction),
    bid: new Maker(schemas.bid, seed + 2, bid),
  };
  let inRound = 0;
  for (let event = 0, made = 0; made < records; event++) {
    const place = event % ROUND;
    const topic = place === 0 ? "person" : place <= ROUND_AUCTIONS ? "auction" : "bid";
    if (!topics.includes(topic)) continue;
    makers[topic].add(event);
    inRound++;
    if (++made < records && inRound < GROUP_EVENTS) continue;
    const batches = topics
      .map((name) => [name, makers[name].take()] as const)
      .filter(([, b]) => b.length > 0);
    yield { events: inRound, batches: new Map(batches) };
    inRound = 0;
  }
}

/** Of all events up to this one: how many were people, and how many auctions. */
function peopleUpTo(event: number): number {
  return Math.floor(event / ROUND) + 1;
}

function auctionsUpTo(event: number): number {
  return Math.floor(event / ROUND) * ROUND_AUCTIONS + Math.min(event % ROUND, ROUND_AUCTIONS);
}

function timeUs(event: number): number {
  return STARTED_US + event * EVENT_US;
}

/** Someone who is around now, or about to come. */
function anyPerson(event: number, random: SeededRandom): number {
  const people = peopleUpTo(event);
  const active = Math.min(people, ACTIVE_PEOPLE);
  return FIRST_ID + people - active + random.below(active);
}

/** The one whom most have to do with, at each time. */
function hotPerson(event: number): number {
  return FIRST_ID + Math.floor((peopleUpTo(event) - 1) / HOT_EVERY) * HOT_EVERY;
}

/** A record's values, in the order of its columns. */
export type Values = readonly (number | string)[];

function person(event: number, random: SeededRandom): Values {
  const name = `${pick(FIRST_NAMES, random)} ${pick(LAST_NAMES, random)}`;
  const email = `${letters(7, random)}@${letters(5, random)}.com`;
  const card = Array.from({ length: 4 }, () => String(random.below(10_000)).padStart(4, "0")).join(" ");
  const city = pick(CITIES, random);
  const said = 8 + name.length + email.length + card.length + city.length + 2 + 8;
  return [
    FIRST_ID + peopleUpTo(event) - 1,
    name,
    email,
    card,
    city,
    pick(STATES, random),
    timeUs(event),
    extra(200 - said, random),
  ];
}

function auction(event: number, random: SeededRandom): Values {
  const seller = random.below(4) > 0 ? hotPerson(event) : anyPerson(event, random);
  const item = letters(20, random);
  const description = letters(100, random);
  const initial = price(random);
  // As long as the next hundred or so auctions take to come: 1 to 2 * IN_FLIGHT * 50 / 3 events.
  const openUs = (1 + random.below(Math.floor((2 * IN_FLIGHT * ROUND) / ROUND_AUCTIONS))) * EVENT_US;
  return [
    FIRST_ID + auctionsUpTo(event) - 1,
    item,
    description,
    initial,
    initial + price(random),
    timeUs(event),
    timeUs(event) + openUs,
    seller,
    FIRST_CATEGORY + random.below(CATEGORIES),
    extra(500 - 168, random),
  ];
}

function bid(event: number, random: SeededRandom): Values {
  const auctions = auctionsUpTo(event);
  const inFlight = Math.min(auctions, IN_FLIGHT);
  const hot = Math.floor((auctions - 1) / HOT_EVERY) * HOT_EVERY;
  const number = random.below(2) > 0 ? hot : auctions - inFlight + random.below(inFlight);
  const bidder = random.below(4) > 0 ? hotPerson(event) + 1 : anyPerson(event, random);
  const channelNumber = random.below(CHANNELS);
  const hotChannel = random.below(2) > 0 ? channelNumber % HOT_CHANNELS.length : -1;
  const channel = hotChannel < 0 ? `channel-${channelNumber}` : HOT_CHANNELS[hotChannel]!;
  const path = letters(5, random);
  const url = `https://www.nexmark.com/${path}/${letters(4, random)}/${letters(4, random)}/item.htm?query=1`;
  return [
    FIRST_ID + number,
    bidder,
    price(random),
    channel,
    hotChannel < 0 && channelNumber % 10 > 0 ? `${url}&channel_id=${channelNumber}` : url,
    timeUs(event),
    extra(36, random),
  ];
}

/** Even over the logarithm: 100 to 100 million. */
function price(random: SeededRandom): number {
  return Math.round(10 ** (random.below(6_000_000) / 1_000_000 + 2));
}

function pick(list: readonly string[], random: SeededRandom): string {
  return list[random.below(list.length)]!;
}

const A = 97;
const written = Buffer.alloc(1024);

/** Written as bytes: a string put together letter by letter is a chain of as many pieces. */
function letters(length: number, random: SeededRandom): string {
  for (let i = 0; i < length; i++) written[i] = A + random.below(26);
  return written.toString("latin1", 0, length);
}

/** Padding, of which no two are alike; its length differs by a fifth either way. */
function extra(about: number, random: SeededRandom): string {
  const length = Math.max(0, Math.round(about * 0.8) + random.below(Math.max(1, Math.round(about * 0.4))));
  return letters(length, random);
}

/** Collects a topic's rows by column. */
class Maker {
  readonly #schema: Schema;
  readonly #random: SeededRandom;
  readonly #make: (event: number, random: SeededRandom) => Values;
  #rows: Values[] = [];

  constructor(schema: Schema, seed: number, make: (event: number, random: SeededRandom) => Values) {
    this.#schema = schema;
    this.#random = new SeededRandom(seed * 7919);
    this.#make = make;
  }

  add(event: number): void {
    this.#rows.push(this.#make(event, this.#random));
  }

  take(): Batch {
    const rows = this.#rows;
    this.#rows = [];
    return batchOf(this.#schema, rows);
  }
}

export function batchOf(schema: Schema, rows: readonly Values[]): Batch {
  const columns = schema.fields.map(({ type }, c) => columnOf(type, rows, c));
  return { schema, length: rows.length, columns, weights: null };
}

function columnOf(type: SqlType, rows: readonly Values[], c: number): Column {
  const length = rows.length;
  if (carrierOf(type) !== "string") {
    const values = BigInt64Array.from(rows, (row) => BigInt(row[c]!));
    return { kind: "fixed", type, length, validity: null, values };
  }
  const offsets = new Int32Array(length + 1);
  // All letters are ASCII.
  for (let i = 0; i < length; i++) offsets[i + 1] = offsets[i]! + (rows[i]![c] as string).length;
  const data = new Uint8Array(Buffer.from(rows.map((row) => row[c]).join(""), "latin1"));
  return { kind: "utf8", type, length, validity: null, offsets, data };
}
