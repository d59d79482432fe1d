/**
 * The jobs of loops.ts on typed arrays. Rows lie in numbered slots, a column each; lists are linked through the slots; text is copied as bytes.
 * Everything doubles when it is full.
 */
import type { Round } from "./events.ts";
import {
  averageText,
  batchOf,
  columnsOf,
  type HandLoop,
  Integers,
  lineOf,
  ORIGIN_US,
  utf8Of,
  WINDOW_US,
} from "./loops.ts";
import { Columns, KeyTable, Texts } from "./typed-tables.ts";

const CALIFORNIA = codeOf("CA");
const IDAHO = codeOf("ID");
const OREGON = codeOf("OR");

function codeOf(state: string): number {
  return state.charCodeAt(0) * 256 + state.charCodeAt(1);
}

class Q3 implements HandLoop {
  /** Slot of the seller. */
  readonly #sellers = new KeyTable();
  /** Of a seller: place of name, city, state. */
  readonly #person = new Columns(3);
  readonly #texts = new Texts();
  /** Last slot of a seller's auctions. */
  readonly #lists = new KeyTable();
  /** Of an auction: id, the one before it in the list + 1. */
  readonly #auction = new Columns(2);
  /** Of a row: the seller's slot, the auction's id. */
  readonly #out = new Columns(2);

  get changes(): number {
    return this.#out.length;
  }

  take(round: Round): void {
    const people = batchOf(round, "person");
    if (people !== undefined) {
      const column = columnsOf(people);
      const id = new Integers(column("id"));
      const [name, city, state] = [utf8Of(column("name")), utf8Of(column("city")), utf8Of(column("state"))];
      for (let r = 0; r < people.length; r++) {
        const from = state.offsets[r]!;
        if (state.offsets[r + 1]! - from !== 2) continue;
        const code = state.data[from]! * 256 + state.data[from + 1]!;
        if (code !== OREGON && code !== IDAHO && code !== CALIFORNIA) continue;
        const seller = this.#person.add();
        this.#person.of(0)[seller] = this.#texts.put(name, r);
        this.#person.of(1)[seller] = this.#texts.put(city, r);
        this.#person.of(2)[seller] = this.#texts.put(state, r);
        this.#sellers.set(id.at(r), seller);
        const [auctions, before] = [this.#auction.of(0), this.#auction.of(1)];
        for (let at = this.#lists.find(id.at(r)) + 1; at > 0; at = before[at - 1]!)
          this.#show(seller, auctions[at - 1]!);
      }
    }
    const auctions = batchOf(round, "auction");
    if (auctions === undefined) return;
    const column = columnsOf(auctions);
    const id = new Integers(column("id"));
    const by = new Integers(column("seller"));
    const category = new Integers(column("category"));
    for (let r = 0; r < auctions.length; r++) {
      if (category.at(r) !== 10) continue;
      const who = by.at(r);
      const slot = this.#auction.add();
      this.#auction.of(0)[slot] = id.at(r);
      this.#auction.of(1)[slot] = this.#lists.find(who) + 1;
      this.#lists.set(who, slot);
      const seller = this.#sellers.find(who);
      if (seller >= 0) this.#show(seller, id.at(r));
    }
  }

  #show(seller: number, auction: number): void {
    const row = this.#out.add();
    this.#out.of(0)[row] = seller;
    this.#out.of(1)[row] = auction;
  }

  rows(): string[] {
    return Array.from({ length: this.#out.length }, (_, row) => {
      const seller = this.#out.of(0)[row]!;
      const parts = [0, 1, 2].map((c) => this.#texts.text(this.#person.of(c)[seller]!));
      return lineOf([...parts, this.#out.of(1)[row]!]);
    });
  }
}

class Q4 implements HandLoop {
  readonly #auctions = new KeyTable();
  /** Of an auction: category, opened, expires, highest bid. */
  readonly #auction = new Columns(4);
  readonly #lists = new KeyTable();
  /** Of a bid: price, time, the one before it in the list + 1. */
  readonly #bid = new Columns(3);
  readonly #categories = new KeyTable();
  /** Of a category: itself, sum, count, the round that changed it last. */
  readonly #total = new Columns(4);
  #round = 0;
  changes = 0;

  take(round: Round): void {
    this.#round++;
    const auctions = batchOf(round, "auction");
    if (auctions !== undefined) {
      const column = columnsOf(auctions);
      const id = new Integers(column("id"));
      const category = new Integers(column("category"));
      const opened = new Integers(column("date_time"));
      const expires = new Integers(column("expires"));
      for (let r = 0; r < auctions.length; r++) {
        const slot = this.#auction.add();
        this.#auction.of(0)[slot] = category.at(r);
        this.#auction.of(1)[slot] = opened.at(r);
        this.#auction.of(2)[slot] = expires.at(r);
        this.#auction.of(3)[slot] = -1;
        this.#auctions.set(id.at(r), slot);
        const [price, time, before] = [this.#bid.of(0), this.#bid.of(1), this.#bid.of(2)];
        for (let at = this.#lists.find(id.at(r)) + 1; at > 0; at = before[at - 1]!)
          this.#take(slot, price[at - 1]!, time[at - 1]!);
      }
    }
    const bids = batchOf(round, "bid");
    if (bids === undefined) return;
    const column = columnsOf(bids);
    const on = new Integers(column("auction"));
    const price = new Integers(column("price"));
    const time = new Integers(column("date_time"));
    this.#bid.reserve(bids.length);
    const [prices, times, before] = [this.#bid.of(0), this.#bid.of(1), this.#bid.of(2)];
    for (let r = 0; r < bids.length; r++) {
      const auction = on.at(r);
      const slot = this.#bid.add();
      prices[slot] = price.at(r);
      times[slot] = time.at(r);
      before[slot] = this.#lists.swap(auction, slot) + 1;
      const known = this.#auctions.find(auction);
      if (known >= 0) this.#take(known, price.at(r), time.at(r));
    }
  }

  #take(auction: number, price: number, time: number): void {
    const highest = this.#auction.of(3)[auction]!;
    if (price <= highest || time < this.#auction.of(1)[auction]! || time > this.#auction.of(2)[auction]!)
      return;
    this.#auction.of(3)[auction] = price;
    const category = this.#auction.of(0)[auction]!;
    let total = this.#categories.find(category);
    if (total < 0) {
      total = this.#total.add();
      this.#total.of(0)[total] = category;
      this.#categories.set(category, total);
    }
    this.#total.of(1)[total]! += highest < 0 ? price : price - highest;
    if (highest < 0) this.#total.of(2)[total]!++;
    if (this.#total.of(3)[total] === this.#round) return;
    this.#total.of(3)[total] = this.#round;
    this.changes++;
  }

  rows(): string[] {
    return Array.from({ length: this.#total.length }, (_, t) =>
      lineOf([this.#total.of(0)[t]!, averageText(this.#total.of(1)[t]! / this.#total.of(2)[t]!)]),
    );
  }
}

class Q7 implements HandLoop {
  /** Of a bid: auction, price, bidder, time, place of extra, the one of the same price before it + 1, whether it is shown. */
  readonly #bid = new Columns(7);
  readonly #texts = new Texts();
  readonly #byPrice = new KeyTable();
  readonly #windows = new KeyTable();
  /** Of a window: itself, its highest price, that before this round, the round that raised it. */
  readonly #window = new Columns(4);
  readonly #touched = new Columns(1);
  /** The window met last, and its slot. */
  #recent = Number.NaN;
  #recentSlot = 0;
  #round = 0;
  changes = 0;

  take(round: Round): void {
    const bids = batchOf(round, "bid");
    if (bids === undefined) return;
    this.#round++;
    this.#touched.length = 0;
    const column = columnsOf(bids);
    const auction = new Integers(column("auction"));
    const price = new Integers(column("price"));
    const bidder = new Integers(column("bidder"));
    const time = new Integers(column("date_time"));
    const extra = utf8Of(column("extra"));
    const first = this.#bid.length;
    this.#bid.reserve(bids.length);
    const [auctions, prices, bidders] = [this.#bid.of(0), this.#bid.of(1), this.#bid.of(2)];
    const [times, extras, before] = [this.#bid.of(3), this.#bid.of(4), this.#bid.of(5)];
    for (let r = 0; r < bids.length; r++) {
      const slot = this.#bid.add();
      const offered = price.at(r);
      auctions[slot] = auction.at(r);
      prices[slot] = offered;
      bidders[slot] = bidder.at(r);
      times[slot] = time.at(r);
      extras[slot] = this.#texts.put(extra, r);
      before[slot] = this.#byPrice.swap(offered, slot) + 1;
      const w = this.#windowOf(time.at(r));
      if (offered <= this.#window.of(1)[w]!) continue;
      if (this.#window.of(3)[w] !== this.#round) {
        this.#window.of(3)[w] = this.#round;
        this.#window.of(2)[w] = this.#window.of(1)[w]!;
        this.#touched.of(0)[this.#touched.add()] = w;
      }
      this.#window.of(1)[w] = offered;
    }
    for (let i = 0; i < this.#touched.length; i++) {
      const w = this.#touched.of(0)[i]!;
      this.#setShown(w, this.#window.of(2)[w]!, 0);
      this.#setShown(w, this.#window.of(1)[w]!, 1);
    }
    for (let slot = first; slot < this.#bid.length; slot++) {
      const w = this.#windowOf(times[slot]!);
      if (this.#window.of(1)[w] === prices[slot]) this.#show(slot, 1);
    }
  }

  #setShown(w: number, price: number, shown: number): void {
    const [time, before] = [this.#bid.of(3), this.#bid.of(5)];
    for (let at = this.#byPrice.find(price) + 1; at > 0; at = before[at - 1]!)
      if (this.#windowOf(time[at - 1]!) === w) this.#show(at - 1, shown);
  }

  #show(slot: number, shown: number): void {
    if (this.#bid.of(6)[slot] === shown) return;
    this.#bid.of(6)[slot] = shown;
    this.changes++;
  }

  #windowOf(us: number): number {
    const window = Math.floor((us - ORIGIN_US) / WINDOW_US);
    if (window === this.#recent) return this.#recentSlot;
    let w = this.#windows.find(window);
    if (w < 0) {
      w = this.#window.add();
      this.#window.of(0)[w] = window;
      this.#window.of(1)[w] = -1;
      this.#windows.set(window, w);
    }
    this.#recent = window;
    this.#recentSlot = w;
    return w;
  }

  rows(): string[] {
    const rows: string[] = [];
    for (let slot = 0; slot < this.#bid.length; slot++) {
      if (this.#bid.of(6)[slot] !== 1) continue;
      const numbers = [0, 1, 2, 3].map((c) => this.#bid.of(c)[slot]!);
      rows.push(lineOf([...numbers, this.#texts.text(this.#bid.of(4)[slot]!)]));
    }
    return rows;
  }
}

type FourColumns = [Float64Array, Float64Array, Float64Array, Float64Array];

class Q18 implements HandLoop {
  /** By auction and bidder, which fit into 26 bits each. */
  readonly #pairs = new KeyTable();
  /** Of a pair: auction, bidder, price, time, places of channel, url, extra. */
  readonly #last = new Columns(7);
  readonly #texts = new Texts();
  changes = 0;

  take(round: Round): void {
    const bids = batchOf(round, "bid");
    if (bids === undefined) return;
    const column = columnsOf(bids);
    const auction = new Integers(column("auction"));
    const price = new Integers(column("price"));
    const bidder = new Integers(column("bidder"));
    const time = new Integers(column("date_time"));
    const [channel, url, extra] = [utf8Of(column("channel")), utf8Of(column("url")), utf8Of(column("extra"))];
    this.#last.reserve(bids.length);
    const [auctions, bidders, prices, times] = [0, 1, 2, 3].map((c) => this.#last.of(c)) as FourColumns;
    const [channels, urls, extras] = [4, 5, 6].map((c) => this.#last.of(c)) as FourColumns;
    for (let r = 0; r < bids.length; r++) {
      const pair = auction.at(r) * 2 ** 26 + bidder.at(r);
      let slot = this.#pairs.find(pair);
      if (slot < 0) {
        slot = this.#last.add();
        auctions[slot] = auction.at(r);
        bidders[slot] = bidder.at(r);
        this.#pairs.set(pair, slot);
        this.changes++;
      } else {
        if (time.at(r) <= times[slot]!) continue;
        this.#texts.drop(channels[slot]!);
        this.#texts.drop(urls[slot]!);
        this.#texts.drop(extras[slot]!);
        this.changes += 2;
      }
      prices[slot] = price.at(r);
      times[slot] = time.at(r);
      channels[slot] = this.#texts.put(channel, r);
      urls[slot] = this.#texts.put(url, r);
      extras[slot] = this.#texts.put(extra, r);
    }
  }

  rows(): string[] {
    return Array.from({ length: this.#last.length }, (_, slot) => {
      const of = (c: number) => this.#last.of(c)[slot]!;
      const text = (c: number) => this.#texts.text(of(c));
      return lineOf([of(0), of(1), of(2), text(4), text(5), of(3), text(6)]);
    });
  }
}

export const typedLoops: Readonly<Record<string, () => HandLoop>> = {
  q3: () => new Q3(),
  q4: () => new Q4(),
  q7: () => new Q7(),
  q18: () => new Q18(),
};
