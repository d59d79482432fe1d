/** Rounds as row objects, for peers that take those: made before their clock starts, with the fields that q3 and q4 ask for. */
import { textAt } from "../../src/batch/column.ts";
import type { Round, TopicName } from "./events.ts";
import { recordsOf } from "./loops.ts";

export interface Person {
  readonly id: number;
  readonly name: string;
  readonly city: string;
  readonly state: string;
}

export interface Auction {
  readonly id: number;
  readonly opened: number;
  readonly expires: number;
  readonly seller: number;
  readonly category: number;
}

export interface Bid {
  readonly auction: number;
  readonly price: number;
  readonly at: number;
}

export interface RowRound {
  readonly people: readonly Person[];
  readonly auctions: readonly Auction[];
  readonly bids: readonly Bid[];
}

export function rowRound(round: Round): RowRound {
  return {
    people: rowsOf(round, "person", (number, text) => {
      const [id, name, city, state] = [number("id"), text("name"), text("city"), text("state")];
      return (r) => ({ id: id(r), name: name(r), city: city(r), state: state(r) });
    }),
    auctions: rowsOf(round, "auction", (number) => {
      const [id, opened, expires] = [number("id"), number("date_time"), number("expires")];
      const [seller, category] = [number("seller"), number("category")];
      return (r) => ({
        id: id(r),
        opened: opened(r),
        expires: expires(r),
        seller: seller(r),
        category: category(r),
      });
    }),
    bids: rowsOf(round, "bid", (number) => {
      const [auction, price, at] = [number("auction"), number("price"), number("date_time")];
      return (r) => ({ auction: auction(r), price: price(r), at: at(r) });
    }),
  };
}

type Reader<T> = (name: string) => (row: number) => T;

function rowsOf<T>(
  round: Round,
  topic: TopicName,
  reader: (number: Reader<number>, text: Reader<string>) => (row: number) => T,
): T[] {
  const records = recordsOf(round, topic);
  if (records === null) return [];
  const read = reader(
    (name) => {
      const integers = records.integers(name);
      return (r) => integers.at(r);
    },
    (name) => {
      const texts = records.texts(name);
      return (r) => textAt(texts, r);
    },
  );
  return Array.from({ length: records.length }, (_, r) => read(r));
}
