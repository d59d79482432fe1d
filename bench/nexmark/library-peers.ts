/**
 * q3 and q4 in libraries of this process: @tanstack/db-ivm, @electric-sql/d2ts, and SQLite in memory under triggers. All follow both sides of
 * their joins and keep the answer after every round.
 */
import { DatabaseSync } from "node:sqlite";
import * as d2ts from "@electric-sql/d2ts";
import * as ivm from "@tanstack/db-ivm";
import { averageText, lineOf } from "./loops.ts";
import type { Auction, Bid, Person, RowRound } from "./row-rounds.ts";

export interface LibraryPeer {
  take(round: RowRound): void;
  /** The answer, a line per row. */
  rows(): string[];
}

export type LibraryJob = "q3" | "q4";

type Changes<T> = [T, number][];
type Pair<L, R> = [number, [L, R]];

const STATES = new Set(["OR", "ID", "CA"]);
const sellerLine = (p: Person, a: Auction) => lineOf([p.name, p.city, p.state, a.id]);
const during = (a: Auction, b: Bid) => b.at >= a.opened && b.at <= a.expires;
const insertions = <T>(rows: readonly T[], key: (row: T) => number): Changes<[number, T]> =>
  rows.map((row) => [[key(row), row], 1]);

/** Lines of an answer by weight. */
class Lines {
  readonly #weights = new Map<string, number>();

  add(line: string, weight: number): void {
    const sum = (this.#weights.get(line) ?? 0) + weight;
    if (sum === 0) this.#weights.delete(line);
    else this.#weights.set(line, sum);
  }

  rows(): string[] {
    return [...this.#weights].flatMap(([line, weight]) => Array<string>(weight).fill(line));
  }
}

interface Average {
  readonly category: number;
  readonly average: number;
}

const averageLine = ({ category, average }: Average) => lineOf([category, averageText(average)]);

export class DbIvm implements LibraryPeer {
  readonly #lines = new Lines();
  readonly #graph = new ivm.D2();
  readonly #people = this.#graph.newInput<[number, Person]>();
  readonly #auctions = this.#graph.newInput<[number, Auction]>();
  readonly #bids = this.#graph.newInput<[number, Bid]>();
  readonly #job: LibraryJob;

  constructor(job: LibraryJob) {
    this.#job = job;
    if (job === "q3") this.#q3();
    else this.#q4();
    this.#graph.finalize();
  }

  #q3(): void {
    const people = this.#people.pipe(ivm.filter(([, p]) => STATES.has(p.state)));
    this.#auctions.pipe(
      ivm.filter(([, a]) => a.category === 10),
      ivm.join(people, "inner"),
      ivm.output((set) => {
        for (const [pair, weight] of set.getInner()) {
          const [, [a, p]] = pair as Pair<Auction, Person>;
          this.#lines.add(sellerLine(p, a), weight);
        }
      }),
    );
  }

  #q4(): void {
    this.#auctions.pipe(
      ivm.join(this.#bids, "inner"),
      ivm.filter((pair) => during(...(pair as Pair<Auction, Bid>)[1])),
      ivm.map((pair) => {
        const [, [a, b]] = pair as Pair<Auction, Bid>;
        return { auction: a.id, category: a.category, price: b.price };
      }),
      ivm.groupBy((row) => ({ auction: row.auction, category: row.category }), {
        final: ivm.groupByOperators.max((row: { price: number }) => row.price),
      }),
      ivm.groupBy(([, row]) => ({ category: row.category }), {
        average: ivm.groupByOperators.avg(([, row]: [string, { final: number | undefined }]) => row.final!),
      }),
      ivm.output((set) => {
        for (const [[, row], weight] of set.getInner() as Changes<[unknown, Average]>)
          this.#lines.add(averageLine(row), weight);
      }),
    );
  }

  take({ people, auctions, bids }: RowRound): void {
    const q3 = this.#job === "q3";
    if (q3 && people.length > 0) this.#people.sendData(new ivm.MultiSet(insertions(people, (p) => p.id)));
    this.#auctions.sendData(new ivm.MultiSet(insertions(auctions, (a) => (q3 ? a.seller : a.id))));
    if (!q3) this.#bids.sendData(new ivm.MultiSet(insertions(bids, (b) => b.auction)));
    this.#graph.run();
  }

  rows(): string[] {
    return this.#lines.rows();
  }
}

export class D2ts implements LibraryPeer {
  readonly #lines = new Lines();
  readonly #graph = new d2ts.D2({ initialFrontier: d2ts.v(0) });
  readonly #people = this.#graph.newInput<[number, Person]>();
  readonly #auctions = this.#graph.newInput<[number, Auction]>();
  readonly #bids = this.#graph.newInput<[number, Bid]>();
  readonly #job: LibraryJob;
  #version = 0;

  constructor(job: LibraryJob) {
    this.#job = job;
    if (job === "q3") this.#q3();
    else this.#q4();
    this.#graph.finalize();
  }

  #q3(): void {
    const people = this.#people.pipe(d2ts.filter(([, p]) => STATES.has(p.state)));
    this.#auctions.pipe(
      d2ts.filter(([, a]) => a.category === 10),
      d2ts.join(people, "inner"),
      d2ts.output((message) => {
        if (message.type !== d2ts.MessageType.DATA) return;
        for (const [pair, weight] of message.data.collection.getInner()) {
          const [, [a, p]] = pair as Pair<Auction, Person>;
          this.#lines.add(sellerLine(p, a), weight);
        }
      }),
    );
  }

  #q4(): void {
    this.#auctions.pipe(
      d2ts.join(this.#bids, "inner"),
      d2ts.filter((pair) => during(...(pair as Pair<Auction, Bid>)[1])),
      d2ts.map((pair) => {
        const [, [a, b]] = pair as Pair<Auction, Bid>;
        return { auction: a.id, category: a.category, price: b.price };
      }),
      d2ts.groupBy((row) => ({ auction: row.auction, category: row.category }), {
        final: d2ts.groupByOperators.max((row: { price: number }) => row.price),
      }),
      d2ts.groupBy(([, row]: [string, { category: number; final: number }]) => ({ category: row.category }), {
        average: d2ts.groupByOperators.avg(([, row]: [string, { final: number }]) => row.final),
      }),
      d2ts.output((message) => {
        if (message.type !== d2ts.MessageType.DATA) return;
        for (const [[, row], weight] of message.data.collection.getInner() as Changes<[unknown, Average]>)
          this.#lines.add(averageLine(row), weight);
      }),
    );
  }

  take({ people, auctions, bids }: RowRound): void {
    const version = this.#version++;
    const q3 = this.#job === "q3";
    if (q3) this.#people.sendData(d2ts.v(version), new d2ts.MultiSet(insertions(people, (p) => p.id)));
    const keyed = insertions(auctions, (a) => (q3 ? a.seller : a.id));
    this.#auctions.sendData(d2ts.v(version), new d2ts.MultiSet(keyed));
    if (!q3) this.#bids.sendData(d2ts.v(version), new d2ts.MultiSet(insertions(bids, (b) => b.auction)));
    for (const input of [this.#people, this.#auctions, this.#bids]) input.sendFrontier(d2ts.v(version + 1));
    this.#graph.run();
  }

  rows(): string[] {
    return this.#lines.rows();
  }
}

const SQLITE_Q3 = `
  CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, city TEXT, state TEXT);
  CREATE TABLE auction (id INTEGER PRIMARY KEY, opened INTEGER, expires INTEGER, seller INTEGER, category INTEGER);
  CREATE INDEX auction_seller ON auction (seller) WHERE category = 10;
  CREATE TABLE answer (name TEXT, city TEXT, state TEXT, auction INTEGER);
  CREATE TRIGGER person_in AFTER INSERT ON person WHEN new.state IN ('OR', 'ID', 'CA') BEGIN
    INSERT INTO answer SELECT new.name, new.city, new.state, id FROM auction WHERE seller = new.id AND category = 10;
  END;
  CREATE TRIGGER auction_in AFTER INSERT ON auction WHEN new.category = 10 BEGIN
    INSERT INTO answer SELECT name, city, state, new.id FROM person WHERE id = new.seller AND state IN ('OR', 'ID', 'CA');
  END;`;

const SQLITE_Q4 = `
  CREATE TABLE auction (id INTEGER PRIMARY KEY, opened INTEGER, expires INTEGER, seller INTEGER, category INTEGER);
  CREATE TABLE bid (auction INTEGER, price INTEGER, at INTEGER);
  CREATE INDEX bid_auction ON bid (auction);
  CREATE TABLE highest (auction INTEGER PRIMARY KEY, category INTEGER, price INTEGER);
  CREATE TABLE totals (category INTEGER PRIMARY KEY, total INTEGER, auctions INTEGER);
  CREATE TRIGGER bid_in AFTER INSERT ON bid BEGIN
    INSERT INTO highest SELECT id, category, new.price FROM auction
      WHERE id = new.auction AND new.at BETWEEN opened AND expires
      ON CONFLICT (auction) DO UPDATE SET price = excluded.price WHERE excluded.price > price;
  END;
  CREATE TRIGGER auction_in AFTER INSERT ON auction BEGIN
    INSERT INTO highest SELECT new.id, new.category, max(price) FROM bid
      WHERE auction = new.id AND at BETWEEN new.opened AND new.expires HAVING count(*) > 0;
  END;
  CREATE TRIGGER highest_in AFTER INSERT ON highest BEGIN
    INSERT INTO totals VALUES (new.category, new.price, 1)
      ON CONFLICT (category) DO UPDATE SET total = total + excluded.total, auctions = auctions + 1;
  END;
  CREATE TRIGGER highest_up AFTER UPDATE ON highest BEGIN
    UPDATE totals SET total = total - old.price + new.price WHERE category = new.category;
  END;`;

export class SqliteTriggers implements LibraryPeer {
  readonly #db = new DatabaseSync(":memory:");
  readonly #job: LibraryJob;
  readonly #person;
  readonly #auction;
  readonly #bid;

  constructor(job: LibraryJob) {
    this.#job = job;
    this.#db.exec(job === "q3" ? SQLITE_Q3 : SQLITE_Q4);
    this.#person = job === "q3" ? this.#db.prepare("INSERT INTO person VALUES (?, ?, ?, ?)") : null;
    this.#auction = this.#db.prepare("INSERT INTO auction VALUES (?, ?, ?, ?, ?)");
    this.#bid = job === "q4" ? this.#db.prepare("INSERT INTO bid VALUES (?, ?, ?)") : null;
  }

  take({ people, auctions, bids }: RowRound): void {
    this.#db.exec("BEGIN");
    if (this.#person !== null) for (const p of people) this.#person.run(p.id, p.name, p.city, p.state);
    for (const a of auctions) this.#auction.run(a.id, a.opened, a.expires, a.seller, a.category);
    if (this.#bid !== null) for (const b of bids) this.#bid.run(b.auction, b.price, b.at);
    this.#db.exec("COMMIT");
  }

  rows(): string[] {
    if (this.#job === "q3") {
      const rows = this.#db.prepare("SELECT name, city, state, auction FROM answer").all();
      return rows.map((row) => lineOf(Object.values(row) as (string | number)[]));
    }
    const rows = this.#db.prepare("SELECT category, total * 1.0 / auctions AS average FROM totals").all();
    return rows.map((row) => averageLine(row as unknown as Average));
  }
}
