/**
 * The jobs of loops.ts on typed arrays. Rows lie in numbered slots, their columns side by side; lists are linked through the slots (slot + 1, 0
 * ends them); text is copied as bytes. Everything doubles when it is full.
 */
import type { Utf8Column } from "../../src/batch/batch.ts";
import type { Round } from "./events.ts";
import { averageText, type BatchColumns, type HandLoop, lineOf, recordsOf, windowOf } from "./loops.ts";
import { KeyTable, PairTable, Rows, Texts } from "./typed-tables.ts";

const CALIFORNIA = codeOf("CA");
const IDAHO = codeOf("ID");
const OREGON = codeOf("OR");

function codeOf(state: string): number {
  return state.charCodeAt(0) * 256 + state.charCodeAt(1);
}

/** 0: not two letters. */
function stateAt({ offsets, data }: Utf8Column, row: number): number {
  const from = offsets[row]!;
  return offsets[row + 1]! - from === 2 ? data[from]! * 256 + data[from + 1]! : 0;
}

class Q3 implements HandLoop {
  /** Last slot of an id, of a seller. */
  readonly #people = new KeyTable();
  readonly #sellers = new KeyTable();
  /** Places of name, city, state; the one of the same id before it. */
  readonly #person = new Rows(4);
  /** Id; the one of the same seller before it. */
  readonly #auction = new Rows(2);
  readonly #texts = new Texts();
  /** Places of name, city, state; auction. What came in the round is behind `changes` of the round before: nothing leaves. */
  readonly #out = new Rows(4);

  get changes(): number {
    return this.#out.length;
  }

  take(round: Round): void {
    const people = recordsOf(round, "person");
    if (people !== null) this.#takePeople(people);
    const auctions = recordsOf(round, "auction");
    if (auctions !== null) this.#takeAuctions(auctions);
  }

  #takePeople(people: BatchColumns): void {
    const id = people.integers("id");
    const [name, city, state] = [people.texts("name"), people.texts("city"), people.texts("state")];
    this.#person.reserve(people.length);
    const person = this.#person.F;
    for (let r = 0; r < people.length; r++) {
      const code = stateAt(state, r);
      if (code !== OREGON && code !== IDAHO && code !== CALIFORNIA) continue;
      const who = id.at(r);
      const slot = this.#person.length++;
      const at = slot * 4;
      person[at] = this.#texts.put(name, r);
      person[at + 1] = this.#texts.put(city, r);
      person[at + 2] = this.#texts.put(state, r);
      person[at + 3] = this.#people.swap(who, slot) + 1;
      const auction = this.#auction.F;
      for (let a = this.#sellers.find(who) + 1; a > 0; a = auction[a * 2 - 1]!)
        this.#show(at, auction[a * 2 - 2]!);
    }
  }

  #takeAuctions(auctions: BatchColumns): void {
    const id = auctions.integers("id");
    const seller = auctions.integers("seller");
    const category = auctions.integers("category");
    this.#auction.reserve(auctions.length);
    const auction = this.#auction.F;
    const person = this.#person.F;
    for (let r = 0; r < auctions.length; r++) {
      if (category.at(r) !== 10) continue;
      const who = seller.at(r);
      const slot = this.#auction.length++;
      auction[slot * 2] = id.at(r);
      auction[slot * 2 + 1] = this.#sellers.swap(who, slot) + 1;
      for (let p = this.#people.find(who) + 1; p > 0; p = person[p * 4 - 1]!) this.#show(p * 4 - 4, id.at(r));
    }
  }

  #show(person: number, auction: number): void {
    this.#out.reserve(1);
    const at = this.#out.length++ * 4;
    const out = this.#out.F;
    const from = this.#person.F;
    out[at] = from[person]!;
    out[at + 1] = from[person + 1]!;
    out[at + 2] = from[person + 2]!;
    out[at + 3] = auction;
  }

  rows(): string[] {
    const { F, length } = this.#out;
    return Array.from({ length }, (_, row) => {
      const parts = [0, 1, 2].map((c) => this.#texts.text(F[row * 4 + c]!));
      return lineOf([...parts, F[row * 4 + 3]!]);
    });
  }
}

class Q4 implements HandLoop {
  /** Last slot of an id, of an auction. */
  readonly #auctions = new KeyTable();
  readonly #bids = new KeyTable();
  /** Slot of its group, opened, expires, the one of the same id before it. */
  readonly #auction = new Rows(4);
  /** Price, time, the one of the same auction before it. */
  readonly #bid = new Rows(3);
  /** Id, category, slot of the category, highest bid. */
  readonly #group = new Rows(4);
  readonly #groups = new PairTable(this.#group, 0, 1);
  /** Itself, sum, count, the round that changed it last, sum and count before that round. */
  readonly #category = new Rows(6);
  readonly #categories = new KeyTable();
  /** Categories that the round touched, each once. */
  #touched = new Int32Array(16);
  #touchedCount = 0;
  #round = 0;
  changes = 0;

  take(round: Round): void {
    this.#round++;
    this.#touchedCount = 0;
    const auctions = recordsOf(round, "auction");
    if (auctions !== null) this.#takeAuctions(auctions);
    const bids = recordsOf(round, "bid");
    if (bids !== null) this.#takeBids(bids);
    const { F } = this.#category;
    for (let i = 0; i < this.#touchedCount; i++) {
      const at = this.#touched[i]! * 6;
      if (F[at + 5] === 0) this.changes++;
      else if (F[at + 1]! / F[at + 2]! !== F[at + 4]! / F[at + 5]!) this.changes += 2;
    }
  }

  #takeAuctions(auctions: BatchColumns): void {
    const id = auctions.integers("id");
    const category = auctions.integers("category");
    const opened = auctions.integers("date_time");
    const expires = auctions.integers("expires");
    this.#auction.reserve(auctions.length);
    const auction = this.#auction.F;
    const bid = this.#bid.F;
    for (let r = 0; r < auctions.length; r++) {
      const key = id.at(r);
      const slot = this.#auction.length++;
      const at = slot * 4;
      auction[at] = this.#groupOf(key, category.at(r));
      auction[at + 1] = opened.at(r);
      auction[at + 2] = expires.at(r);
      auction[at + 3] = this.#auctions.swap(key, slot) + 1;
      for (let b = this.#bids.find(key) + 1; b > 0; b = bid[b * 3 - 1]!)
        this.#meet(at, bid[b * 3 - 3]!, bid[b * 3 - 2]!);
    }
  }

  #takeBids(bids: BatchColumns): void {
    const on = bids.integers("auction");
    const price = bids.integers("price");
    const time = bids.integers("date_time");
    this.#bid.reserve(bids.length);
    const bid = this.#bid.F;
    const auction = this.#auction.F;
    for (let r = 0; r < bids.length; r++) {
      const key = on.at(r);
      const slot = this.#bid.length++;
      const at = slot * 3;
      bid[at] = price.at(r);
      bid[at + 1] = time.at(r);
      bid[at + 2] = this.#bids.swap(key, slot) + 1;
      for (let a = this.#auctions.find(key) + 1; a > 0; a = auction[a * 4 - 1]!)
        this.#meet(a * 4 - 4, bid[at]!, bid[at + 1]!);
    }
  }

  #groupOf(id: number, category: number): number {
    const known = this.#groups.find(id, category);
    if (known >= 0) return known;
    this.#group.reserve(1);
    const slot = this.#group.length++;
    this.#groups.add(id, category, slot);
    const { F } = this.#group;
    F[slot * 4] = id;
    F[slot * 4 + 1] = category;
    F[slot * 4 + 2] = this.#categoryOf(category);
    F[slot * 4 + 3] = Number.NEGATIVE_INFINITY;
    return slot;
  }

  #categoryOf(category: number): number {
    const known = this.#categories.find(category);
    if (known >= 0) return known;
    this.#category.reserve(1);
    const slot = this.#category.length++;
    this.#categories.swap(category, slot);
    this.#category.F[slot * 6] = category;
    if (slot === this.#touched.length) {
      const larger = new Int32Array(slot * 2);
      larger.set(this.#touched);
      this.#touched = larger;
    }
    return slot;
  }

  /** `auction`: place of its row. */
  #meet(auction: number, price: number, time: number): void {
    const a = this.#auction.F;
    if (time < a[auction + 1]! || time > a[auction + 2]!) return;
    const g = this.#group.F;
    const group = a[auction]! * 4;
    const highest = g[group + 3]!;
    if (price <= highest) return;
    g[group + 3] = price;
    const c = this.#category.F;
    const category = g[group + 2]!;
    const at = category * 6;
    if (c[at + 3] !== this.#round) {
      c[at + 3] = this.#round;
      c[at + 4] = c[at + 1]!;
      c[at + 5] = c[at + 2]!;
      this.#touched[this.#touchedCount++] = category;
    }
    if (highest === Number.NEGATIVE_INFINITY) {
      c[at + 1]! += price;
      c[at + 2]!++;
    } else c[at + 1]! += price - highest;
  }

  rows(): string[] {
    const { F, length } = this.#category;
    const lines = Array.from({ length }, (_, t) =>
      F[t * 6 + 2] === 0 ? null : lineOf([F[t * 6]!, averageText(F[t * 6 + 1]! / F[t * 6 + 2]!)]),
    );
    return lines.filter((line) => line !== null);
  }
}

class Q7 implements HandLoop {
  /** Auction, price, bidder, time, place of extra, the one of the same price before it, whether it is shown. */
  readonly #bid = new Rows(7);
  readonly #texts = new Texts();
  readonly #byPrice = new KeyTable();
  readonly #windows = new KeyTable();
  /** Its highest price, that before this round, the round that raised it. */
  readonly #window = new Rows(3);
  /** Windows raised in the round. */
  readonly #touched = new Rows(1);
  /** Bids that left and that came in the round. */
  readonly #left = new Rows(1);
  readonly #came = new Rows(1);
  /** The window met last, and its slot. */
  #recent = Number.NaN;
  #recentSlot = 0;
  #round = 0;
  changes = 0;

  take(round: Round): void {
    this.#round++;
    this.#touched.length = 0;
    this.#left.length = 0;
    this.#came.length = 0;
    const bids = recordsOf(round, "bid");
    if (bids === null) return;
    const first = this.#bid.length;
    this.#takeBids(bids);
    for (let i = 0; i < this.#touched.length; i++) {
      const w = this.#touched.F[i]!;
      const { F } = this.#window;
      this.#setShown(w, F[w * 3 + 1]!, 0);
      this.#setShown(w, F[w * 3]!, 1);
    }
    const { F } = this.#bid;
    for (let slot = first; slot < this.#bid.length; slot++) {
      const w = this.#windowAt(F[slot * 7 + 3]!);
      if (this.#window.F[w * 3] === F[slot * 7 + 1]) this.#show(slot, 1);
    }
    this.changes += this.#left.length + this.#came.length;
  }

  #takeBids(bids: BatchColumns): void {
    const auction = bids.integers("auction");
    const price = bids.integers("price");
    const bidder = bids.integers("bidder");
    const time = bids.integers("date_time");
    const extra = bids.texts("extra");
    this.#bid.reserve(bids.length);
    const { F } = this.#bid;
    for (let r = 0; r < bids.length; r++) {
      const slot = this.#bid.length++;
      const at = slot * 7;
      const offered = price.at(r);
      const us = time.at(r);
      F[at] = auction.at(r);
      F[at + 1] = offered;
      F[at + 2] = bidder.at(r);
      F[at + 3] = us;
      F[at + 4] = this.#texts.put(extra, r);
      F[at + 5] = this.#byPrice.swap(offered, slot) + 1;
      const w = this.#windowAt(us);
      const W = this.#window.F;
      const highest = W[w * 3]!;
      if (offered <= highest) continue;
      if (W[w * 3 + 2] !== this.#round) {
        W[w * 3 + 2] = this.#round;
        W[w * 3 + 1] = highest;
        this.#touched.reserve(1);
        this.#touched.F[this.#touched.length++] = w;
      }
      W[w * 3] = offered;
    }
  }

  #setShown(w: number, price: number, shown: number): void {
    const { F } = this.#bid;
    for (let b = this.#byPrice.find(price) + 1; b > 0; b = F[b * 7 - 2]!)
      if (this.#windowAt(F[b * 7 - 4]!) === w) this.#show(b - 1, shown);
  }

  #show(slot: number, shown: number): void {
    const { F } = this.#bid;
    if (F[slot * 7 + 6] === shown) return;
    F[slot * 7 + 6] = shown;
    const list = shown === 1 ? this.#came : this.#left;
    list.reserve(1);
    list.F[list.length++] = slot;
  }

  #windowAt(us: number): number {
    const window = windowOf(us);
    if (window === this.#recent) return this.#recentSlot;
    let w = this.#windows.find(window);
    if (w < 0) {
      this.#window.reserve(1);
      w = this.#window.length++;
      this.#window.F[w * 3] = Number.NEGATIVE_INFINITY;
      this.#windows.swap(window, w);
    }
    this.#recent = window;
    this.#recentSlot = w;
    return w;
  }

  rows(): string[] {
    const { F, length } = this.#bid;
    const rows: string[] = [];
    for (let at = 0; at < length * 7; at += 7) {
      if (F[at + 6] !== 1) continue;
      const numbers = [0, 1, 2, 3].map((c) => F[at + c]!);
      rows.push(lineOf([...numbers, this.#texts.text(F[at + 4]!)]));
    }
    return rows;
  }
}

class Q18 implements HandLoop {
  /** Auction, bidder, price, time, places of channel, url, extra, the round that changed it last. */
  readonly #last = new Rows(8);
  readonly #pairs = new PairTable(this.#last, 0, 1);
  readonly #texts = new Texts();
  /** Rows as they were before the round, and slots of those that came in it. */
  readonly #left = new Rows(7);
  readonly #came = new Rows(1);
  #round = 0;
  changes = 0;

  take(round: Round): void {
    this.#round++;
    this.#dropLeft();
    const bids = recordsOf(round, "bid");
    if (bids !== null) this.#takeBids(bids);
    this.changes += this.#left.length + this.#came.length;
  }

  #takeBids(bids: BatchColumns): void {
    const auction = bids.integers("auction");
    const price = bids.integers("price");
    const bidder = bids.integers("bidder");
    const time = bids.integers("date_time");
    const [channel, url, extra] = [bids.texts("channel"), bids.texts("url"), bids.texts("extra")];
    this.#last.reserve(bids.length);
    this.#came.reserve(bids.length);
    const { F } = this.#last;
    for (let r = 0; r < bids.length; r++) {
      const on = auction.at(r);
      const who = bidder.at(r);
      let slot = this.#pairs.find(on, who);
      let at = slot * 8;
      if (slot < 0) {
        slot = this.#last.length++;
        at = slot * 8;
        F[at] = on;
        F[at + 1] = who;
        this.#pairs.add(on, who, slot);
      } else {
        if (time.at(r) <= F[at + 3]!) continue;
        if (F[at + 7] !== this.#round) this.#left.copy(this.#last, slot);
      }
      if (F[at + 7] !== this.#round) {
        F[at + 7] = this.#round;
        this.#came.F[this.#came.length++] = slot;
      }
      F[at + 2] = price.at(r);
      F[at + 3] = time.at(r);
      F[at + 4] = r;
    }
    // Most bids are overtaken within their round: the texts of these are not copied.
    for (let i = 0; i < this.#came.length; i++) {
      const at = this.#came.F[i]! * 8;
      const r = F[at + 4]!;
      F[at + 4] = this.#texts.put(channel, r);
      F[at + 5] = this.#texts.put(url, r);
      F[at + 6] = this.#texts.put(extra, r);
    }
  }

  /** Nobody looks at the round before any more. */
  #dropLeft(): void {
    const { F, length } = this.#left;
    for (let row = 0; row < length; row++) this.#dropTexts(F, row * 7);
    this.#left.length = 0;
    this.#came.length = 0;
  }

  #dropTexts(F: Float64Array, at: number): void {
    this.#texts.drop(F[at + 4]!);
    this.#texts.drop(F[at + 5]!);
    this.#texts.drop(F[at + 6]!);
  }

  rows(): string[] {
    const { F, length } = this.#last;
    return Array.from({ length }, (_, slot) => {
      const of = (c: number) => F[slot * 8 + c]!;
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
