/** The jobs of loops.ts on Map and Set, with an object per row. */
import type { Column } from "../../src/batch/batch.ts";
import { textAt } from "../../src/batch/column.ts";
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

function texts(column: Column): (row: number) => string {
  const utf8 = utf8Of(column);
  return (row) => textAt(utf8, row);
}

function listOf<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}

interface Seller {
  readonly name: string;
  readonly city: string;
  readonly state: string;
}

class Q3 implements HandLoop {
  readonly #sellers = new Map<number, Seller>();
  readonly #auctions = new Map<number, number[]>();
  readonly #out: { readonly seller: Seller; readonly auction: number }[] = [];

  get changes(): number {
    return this.#out.length;
  }

  take(round: Round): void {
    const people = batchOf(round, "person");
    if (people !== undefined) {
      const column = columnsOf(people);
      const [id, name, city, state] = [
        new Integers(column("id")),
        texts(column("name")),
        texts(column("city")),
        texts(column("state")),
      ];
      for (let r = 0; r < people.length; r++) {
        const where = state(r);
        if (where !== "OR" && where !== "ID" && where !== "CA") continue;
        const seller = { name: name(r), city: city(r), state: where };
        this.#sellers.set(id.at(r), seller);
        for (const auction of this.#auctions.get(id.at(r)) ?? []) this.#out.push({ seller, auction });
      }
    }
    const auctions = batchOf(round, "auction");
    if (auctions === undefined) return;
    const column = columnsOf(auctions);
    const [id, by, category] = [
      new Integers(column("id")),
      new Integers(column("seller")),
      new Integers(column("category")),
    ];
    for (let r = 0; r < auctions.length; r++) {
      if (category.at(r) !== 10) continue;
      listOf(this.#auctions, by.at(r)).push(id.at(r));
      const seller = this.#sellers.get(by.at(r));
      if (seller !== undefined) this.#out.push({ seller, auction: id.at(r) });
    }
  }

  rows(): string[] {
    return this.#out.map(({ seller, auction }) => lineOf([seller.name, seller.city, seller.state, auction]));
  }
}

interface Auction {
  readonly category: number;
  readonly opened: number;
  readonly expires: number;
  highest: number;
}

class Q4 implements HandLoop {
  readonly #auctions = new Map<number, Auction>();
  readonly #bids = new Map<number, { readonly price: number; readonly time: number }[]>();
  readonly #categories = new Map<number, { sum: number; count: number }>();
  readonly #changed = new Set<number>();
  changes = 0;

  take(round: Round): void {
    this.#changed.clear();
    const auctions = batchOf(round, "auction");
    if (auctions !== undefined) {
      const column = columnsOf(auctions);
      const [id, category, opened, expires] = [
        new Integers(column("id")),
        new Integers(column("category")),
        new Integers(column("date_time")),
        new Integers(column("expires")),
      ];
      for (let r = 0; r < auctions.length; r++) {
        const auction = {
          category: category.at(r),
          opened: opened.at(r),
          expires: expires.at(r),
          highest: -1,
        };
        this.#auctions.set(id.at(r), auction);
        for (const { price, time } of this.#bids.get(id.at(r)) ?? []) this.#bid(auction, price, time);
      }
    }
    const bids = batchOf(round, "bid");
    if (bids !== undefined) {
      const column = columnsOf(bids);
      const [on, price, time] = [
        new Integers(column("auction")),
        new Integers(column("price")),
        new Integers(column("date_time")),
      ];
      for (let r = 0; r < bids.length; r++) {
        const bid = { price: price.at(r), time: time.at(r) };
        listOf(this.#bids, on.at(r)).push(bid);
        const auction = this.#auctions.get(on.at(r));
        if (auction !== undefined) this.#bid(auction, bid.price, bid.time);
      }
    }
    this.changes += this.#changed.size;
  }

  #bid(auction: Auction, price: number, time: number): void {
    if (time < auction.opened || time > auction.expires || price <= auction.highest) return;
    let total = this.#categories.get(auction.category);
    if (total === undefined) this.#categories.set(auction.category, (total = { sum: 0, count: 0 }));
    total.sum += auction.highest < 0 ? price : price - auction.highest;
    if (auction.highest < 0) total.count++;
    auction.highest = price;
    this.#changed.add(auction.category);
  }

  rows(): string[] {
    return [...this.#categories].map(([category, { sum, count }]) =>
      lineOf([category, averageText(sum / count)]),
    );
  }
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
  readonly #out = new Set<Bid>();
  changes = 0;

  take(round: Round): void {
    const bids = batchOf(round, "bid");
    if (bids === undefined) return;
    const column = columnsOf(bids);
    const [auction, price, bidder, time, extra] = [
      new Integers(column("auction")),
      new Integers(column("price")),
      new Integers(column("bidder")),
      new Integers(column("date_time")),
      texts(column("extra")),
    ];
    const fresh: Bid[] = [];
    this.#touched.clear();
    for (let r = 0; r < bids.length; r++) {
      const bid = {
        auction: auction.at(r),
        price: price.at(r),
        bidder: bidder.at(r),
        time: time.at(r),
        extra: extra(r),
      };
      fresh.push(bid);
      listOf(this.#byPrice, bid.price).push(bid);
      const window = windowOf(bid.time);
      const most = this.#highest.get(window) ?? -1;
      if (bid.price <= most) continue;
      if (!this.#touched.has(window)) this.#touched.set(window, most);
      this.#highest.set(window, bid.price);
    }
    for (const [window, before] of this.#touched) {
      for (const bid of this.#byPrice.get(before) ?? []) {
        if (windowOf(bid.time) === window && this.#out.delete(bid)) this.changes++;
      }
      for (const bid of this.#byPrice.get(this.#highest.get(window)!)!)
        if (windowOf(bid.time) === window) this.#show(bid);
    }
    for (const bid of fresh) if (this.#highest.get(windowOf(bid.time)) === bid.price) this.#show(bid);
  }

  #show(bid: Bid): void {
    if (this.#out.has(bid)) return;
    this.#out.add(bid);
    this.changes++;
  }

  rows(): string[] {
    return [...this.#out].map((b) => lineOf([b.auction, b.price, b.bidder, b.time, b.extra]));
  }
}

function windowOf(us: number): number {
  return Math.floor((us - ORIGIN_US) / WINDOW_US);
}

class Q18 implements HandLoop {
  readonly #last = new Map<number, Map<number, Bid & { readonly channel: string; readonly url: string }>>();
  changes = 0;

  take(round: Round): void {
    const bids = batchOf(round, "bid");
    if (bids === undefined) return;
    const column = columnsOf(bids);
    const [auction, price, bidder, time] = [
      new Integers(column("auction")),
      new Integers(column("price")),
      new Integers(column("bidder")),
      new Integers(column("date_time")),
    ];
    const [channel, url, extra] = [texts(column("channel")), texts(column("url")), texts(column("extra"))];
    for (let r = 0; r < bids.length; r++) {
      const who = bidder.at(r);
      let own = this.#last.get(who);
      if (own === undefined) this.#last.set(who, (own = new Map()));
      const known = own.get(auction.at(r));
      if (known !== undefined && known.time >= time.at(r)) continue;
      this.changes += known === undefined ? 1 : 2;
      own.set(auction.at(r), {
        auction: auction.at(r),
        bidder: who,
        price: price.at(r),
        channel: channel(r),
        url: url(r),
        time: time.at(r),
        extra: extra(r),
      });
    }
  }

  rows(): string[] {
    return [...this.#last.values()].flatMap((own) =>
      [...own.values()].map((b) => lineOf([b.auction, b.bidder, b.price, b.channel, b.url, b.time, b.extra])),
    );
  }
}

export const mapLoops: Readonly<Record<string, () => HandLoop>> = {
  q3: () => new Q3(),
  q4: () => new Q4(),
  q7: () => new Q7(),
  q18: () => new Q18(),
};
