/**
 * The jobs of loops.ts as one writes them in TypeScript: each record becomes an object of the columns that the query names, rows are found
 * through a Map by key, a key of two columns is a string, and a round hands on the objects that left and came.
 */
import { textAt } from "../../src/batch/column.ts";
import type { Round } from "./events.ts";
import { averageText, type HandLoop, lineOf, recordsOf, windowOf } from "./loops.ts";

function listOf<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}

interface Person {
  readonly id: number;
  readonly name: string;
  readonly city: string;
  readonly state: string;
}

interface Offer {
  readonly id: number;
  readonly seller: number;
  readonly category: number;
}

interface Found {
  readonly name: string;
  readonly city: string;
  readonly state: string;
  readonly auction: number;
}

const STATES = new Set(["OR", "ID", "CA"]);

class Q3 implements HandLoop {
  readonly #people = new Map<number, Person[]>();
  readonly #offers = new Map<number, Offer[]>();
  readonly #rows: Found[] = [];
  #came: Found[] = [];
  changes = 0;

  take(round: Round): void {
    this.#came = [];
    for (const person of peopleOf(round)) {
      if (!STATES.has(person.state)) continue;
      listOf(this.#people, person.id).push(person);
      for (const offer of this.#offers.get(person.id) ?? []) this.#show(person, offer);
    }
    for (const offer of offersOf(round)) {
      if (offer.category !== 10) continue;
      listOf(this.#offers, offer.seller).push(offer);
      for (const person of this.#people.get(offer.seller) ?? []) this.#show(person, offer);
    }
    this.changes += this.#came.length;
  }

  #show({ name, city, state }: Person, { id }: Offer): void {
    const row = { name, city, state, auction: id };
    this.#rows.push(row);
    this.#came.push(row);
  }

  rows(): string[] {
    return this.#rows.map((row) => lineOf([row.name, row.city, row.state, row.auction]));
  }
}

function peopleOf(round: Round): Person[] {
  const people: Person[] = [];
  const records = recordsOf(round, "person");
  if (records === null) return people;
  const id = records.integers("id");
  const [name, city, state] = [records.texts("name"), records.texts("city"), records.texts("state")];
  for (let r = 0; r < records.length; r++)
    people.push({ id: id.at(r), name: textAt(name, r), city: textAt(city, r), state: textAt(state, r) });
  return people;
}

function offersOf(round: Round): Offer[] {
  const offers: Offer[] = [];
  const records = recordsOf(round, "auction");
  if (records === null) return offers;
  const id = records.integers("id");
  const [seller, category] = [records.integers("seller"), records.integers("category")];
  for (let r = 0; r < records.length; r++)
    offers.push({ id: id.at(r), seller: seller.at(r), category: category.at(r) });
  return offers;
}

interface Sale {
  readonly id: number;
  readonly category: number;
  readonly opened: number;
  readonly expires: number;
  readonly group: Highest;
}

/** Of an auction and category. */
interface Highest {
  readonly category: number;
  price: number | null;
}

interface Price {
  readonly auction: number;
  readonly price: number;
  readonly time: number;
}

interface Average {
  readonly category: number;
  readonly average: number;
}

class Q4 implements HandLoop {
  readonly #sales = new Map<number, Sale[]>();
  readonly #prices = new Map<number, Price[]>();
  readonly #groups = new Map<string, Highest>();
  readonly #totals = new Map<number, { sum: number; count: number }>();
  readonly #rows = new Map<number, Average>();
  readonly #touched = new Set<number>();
  #left: Average[] = [];
  #came: Average[] = [];
  changes = 0;

  take(round: Round): void {
    this.#touched.clear();
    this.#takeAuctions(round);
    for (const price of pricesOf(round)) {
      listOf(this.#prices, price.auction).push(price);
      for (const sale of this.#sales.get(price.auction) ?? []) this.#meet(sale, price);
    }
    this.#left = [];
    this.#came = [];
    for (const category of this.#touched) this.#tell(category);
    this.changes += this.#left.length + this.#came.length;
  }

  #takeAuctions(round: Round): void {
    const records = recordsOf(round, "auction");
    if (records === null) return;
    const id = records.integers("id");
    const category = records.integers("category");
    const [opened, expires] = [records.integers("date_time"), records.integers("expires")];
    for (let r = 0; r < records.length; r++) {
      const sale = {
        id: id.at(r),
        category: category.at(r),
        opened: opened.at(r),
        expires: expires.at(r),
        group: this.#groupOf(id.at(r), category.at(r)),
      };
      listOf(this.#sales, sale.id).push(sale);
      for (const price of this.#prices.get(sale.id) ?? []) this.#meet(sale, price);
    }
  }

  #groupOf(id: number, category: number): Highest {
    const key = `${id}/${category}`;
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, (group = { category, price: null }));
    return group;
  }

  #meet({ opened, expires, group }: Sale, { price, time }: Price): void {
    if (time < opened || time > expires || (group.price !== null && price <= group.price)) return;
    let total = this.#totals.get(group.category);
    if (total === undefined) this.#totals.set(group.category, (total = { sum: 0, count: 0 }));
    total.sum += price - (group.price ?? 0);
    if (group.price === null) total.count++;
    group.price = price;
    this.#touched.add(group.category);
  }

  #tell(category: number): void {
    const { sum, count } = this.#totals.get(category)!;
    const row = { category, average: sum / count };
    const before = this.#rows.get(category);
    if (before?.average === row.average) return;
    if (before !== undefined) this.#left.push(before);
    this.#came.push(row);
    this.#rows.set(category, row);
  }

  rows(): string[] {
    return [...this.#rows.values()].map(({ category, average }) => lineOf([category, averageText(average)]));
  }
}

function pricesOf(round: Round): Price[] {
  const prices: Price[] = [];
  const records = recordsOf(round, "bid");
  if (records === null) return prices;
  const auction = records.integers("auction");
  const [price, time] = [records.integers("price"), records.integers("date_time")];
  for (let r = 0; r < records.length; r++)
    prices.push({ auction: auction.at(r), price: price.at(r), time: time.at(r) });
  return prices;
}

interface Bid {
  readonly auction: number;
  readonly price: number;
  readonly bidder: number;
  readonly time: number;
  readonly extra: string;
}

class Q7 implements HandLoop {
  readonly #byPrice = new Map<number, Bid[]>();
  readonly #highest = new Map<number, number>();
  readonly #touched = new Map<number, number>();
  readonly #rows = new Set<Bid>();
  #left: Bid[] = [];
  #came: Bid[] = [];
  changes = 0;

  take(round: Round): void {
    this.#touched.clear();
    this.#left = [];
    this.#came = [];
    const bids = bidsOf(round);
    for (const bid of bids) {
      listOf(this.#byPrice, bid.price).push(bid);
      const window = windowOf(bid.time);
      const most = this.#highest.get(window) ?? Number.NEGATIVE_INFINITY;
      if (bid.price <= most) continue;
      if (!this.#touched.has(window)) this.#touched.set(window, most);
      this.#highest.set(window, bid.price);
    }
    for (const [window, before] of this.#touched) {
      for (const bid of this.#byPrice.get(before) ?? [])
        if (windowOf(bid.time) === window && this.#rows.delete(bid)) this.#left.push(bid);
      for (const bid of this.#byPrice.get(this.#highest.get(window)!)!)
        if (windowOf(bid.time) === window) this.#show(bid);
    }
    for (const bid of bids) if (this.#highest.get(windowOf(bid.time)) === bid.price) this.#show(bid);
    this.changes += this.#left.length + this.#came.length;
  }

  #show(bid: Bid): void {
    if (this.#rows.has(bid)) return;
    this.#rows.add(bid);
    this.#came.push(bid);
  }

  rows(): string[] {
    return [...this.#rows].map((b) => lineOf([b.auction, b.price, b.bidder, b.time, b.extra]));
  }
}

function bidsOf(round: Round): Bid[] {
  const bids: Bid[] = [];
  const records = recordsOf(round, "bid");
  if (records === null) return bids;
  const [auction, price] = [records.integers("auction"), records.integers("price")];
  const [bidder, time] = [records.integers("bidder"), records.integers("date_time")];
  const extra = records.texts("extra");
  for (let r = 0; r < records.length; r++)
    bids.push({
      auction: auction.at(r),
      price: price.at(r),
      bidder: bidder.at(r),
      time: time.at(r),
      extra: textAt(extra, r),
    });
  return bids;
}

interface WholeBid extends Bid {
  readonly channel: string;
  readonly url: string;
}

class Q18 implements HandLoop {
  readonly #last = new Map<string, WholeBid>();
  /** By pair: its row before the round. */
  readonly #touched = new Map<string, WholeBid | null>();
  #left: WholeBid[] = [];
  #came: WholeBid[] = [];
  changes = 0;

  take(round: Round): void {
    this.#touched.clear();
    for (const bid of wholeBidsOf(round)) {
      const pair = `${bid.bidder}/${bid.auction}`;
      const known = this.#last.get(pair);
      if (known !== undefined && known.time >= bid.time) continue;
      if (!this.#touched.has(pair)) this.#touched.set(pair, known ?? null);
      this.#last.set(pair, bid);
    }
    this.#left = [];
    this.#came = [];
    for (const [pair, before] of this.#touched) {
      if (before !== null) this.#left.push(before);
      this.#came.push(this.#last.get(pair)!);
    }
    this.changes += this.#left.length + this.#came.length;
  }

  rows(): string[] {
    return Array.from(this.#last.values(), (b) =>
      lineOf([b.auction, b.bidder, b.price, b.channel, b.url, b.time, b.extra]),
    );
  }
}

function wholeBidsOf(round: Round): WholeBid[] {
  const bids: WholeBid[] = [];
  const records = recordsOf(round, "bid");
  if (records === null) return bids;
  const [auction, bidder] = [records.integers("auction"), records.integers("bidder")];
  const [price, time] = [records.integers("price"), records.integers("date_time")];
  const [channel, url, extra] = [records.texts("channel"), records.texts("url"), records.texts("extra")];
  for (let r = 0; r < records.length; r++)
    bids.push({
      auction: auction.at(r),
      bidder: bidder.at(r),
      price: price.at(r),
      channel: textAt(channel, r),
      url: textAt(url, r),
      time: time.at(r),
      extra: textAt(extra, r),
    });
  return bids;
}

export const mapLoops: Readonly<Record<string, () => HandLoop>> = {
  q3: () => new Q3(),
  q4: () => new Q4(),
  q7: () => new Q7(),
  q18: () => new Q18(),
};
