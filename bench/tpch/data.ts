/**
 * TPC-H's eight tables by a generator of our own: the schema, the sizes, the distributions that its queries select by (types, containers, brands,
 * segments, dates that follow each other, comments of which some complain), not the byte-exact rows of the official one.
 *
 * Rows come as arrays of texts and numbers, table by table, in the order in which their keys are referred to. Refresh streams: new orders with their line
 * items, and the keys of old orders to delete, a thousandth of all orders at a time.
 */
import { SeededRandom } from "../../src/testing/seeded-random.ts";

export type Row = readonly (string | number)[];

/** Column names of a table, in order. */
export function columnsOf(table: string): string[] {
  const names = ddl[table]!.split(",").map((column) => column.trim().split(" ", 1)[0]!);
  return names.filter((name) => /^[a-z]+_[a-z]+$/.test(name));
}

export const ddl: Readonly<Record<string, string>> = {
  region: "r_regionkey int PRIMARY KEY, r_name text NOT NULL, r_comment text NOT NULL",
  nation:
    "n_nationkey int PRIMARY KEY, n_name text NOT NULL, n_regionkey int NOT NULL, n_comment text NOT NULL",
  supplier: `s_suppkey int PRIMARY KEY, s_name text NOT NULL, s_address text NOT NULL, s_nationkey int NOT NULL, s_phone text NOT NULL,
    s_acctbal numeric(15, 2) NOT NULL, s_comment text NOT NULL`,
  customer: `c_custkey int PRIMARY KEY, c_name text NOT NULL, c_address text NOT NULL, c_nationkey int NOT NULL, c_phone text NOT NULL,
    c_acctbal numeric(15, 2) NOT NULL, c_mktsegment text NOT NULL, c_comment text NOT NULL`,
  part: `p_partkey int PRIMARY KEY, p_name text NOT NULL, p_mfgr text NOT NULL, p_brand text NOT NULL, p_type text NOT NULL, p_size int NOT NULL,
    p_container text NOT NULL, p_retailprice numeric(15, 2) NOT NULL, p_comment text NOT NULL`,
  partsupp: `ps_partkey int NOT NULL, ps_suppkey int NOT NULL, ps_availqty int NOT NULL, ps_supplycost numeric(15, 2) NOT NULL,
    ps_comment text NOT NULL, PRIMARY KEY (ps_partkey, ps_suppkey)`,
  orders: `o_orderkey int PRIMARY KEY, o_custkey int NOT NULL, o_orderstatus text NOT NULL, o_totalprice numeric(15, 2) NOT NULL,
    o_orderdate date NOT NULL, o_orderpriority text NOT NULL, o_clerk text NOT NULL, o_shippriority int NOT NULL, o_comment text NOT NULL`,
  lineitem: `l_orderkey int NOT NULL, l_partkey int NOT NULL, l_suppkey int NOT NULL, l_linenumber int NOT NULL, l_quantity numeric(15, 2) NOT NULL,
    l_extendedprice numeric(15, 2) NOT NULL, l_discount numeric(15, 2) NOT NULL, l_tax numeric(15, 2) NOT NULL, l_returnflag text NOT NULL,
    l_linestatus text NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct text NOT NULL,
    l_shipmode text NOT NULL, l_comment text NOT NULL, PRIMARY KEY (l_orderkey, l_linenumber)`,
};

/** Columns that refer to another table and that no primary key begins with: a database that looks rows up has an index on each. */
export const foreignKeys: Readonly<Record<string, readonly string[]>> = {
  nation: ["n_regionkey"],
  supplier: ["s_nationkey"],
  customer: ["c_nationkey"],
  partsupp: ["ps_suppkey"],
  orders: ["o_custkey"],
  lineitem: ["l_partkey, l_suppkey", "l_suppkey"],
};

const REGIONS = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"];
const NATIONS: readonly (readonly [string, number])[] = [
  ["ALGERIA", 0],
  ["ARGENTINA", 1],
  ["BRAZIL", 1],
  ["CANADA", 1],
  ["EGYPT", 4],
  ["ETHIOPIA", 0],
  ["FRANCE", 3],
  ["GERMANY", 3],
  ["INDIA", 2],
  ["INDONESIA", 2],
  ["IRAN", 4],
  ["IRAQ", 4],
  ["JAPAN", 2],
  ["JORDAN", 4],
  ["KENYA", 0],
  ["MOROCCO", 0],
  ["MOZAMBIQUE", 0],
  ["PERU", 1],
  ["CHINA", 2],
  ["ROMANIA", 3],
  ["SAUDI ARABIA", 4],
  ["VIETNAM", 2],
  ["RUSSIA", 3],
  ["UNITED KINGDOM", 3],
  ["UNITED STATES", 1],
];
const COLORS = [
  "almond",
  "azure",
  "beige",
  "blue",
  "brown",
  "coral",
  "cream",
  "cyan",
  "forest",
  "gold",
  "green",
  "indigo",
  "ivory",
  "khaki",
  "lace",
  "lemon",
  "linen",
  "maroon",
  "navy",
  "olive",
  "orchid",
  "peru",
  "pink",
  "plum",
  "puff",
  "red",
  "rose",
  "sandy",
  "sienna",
  "sky",
  "snow",
  "steel",
  "tan",
  "tomato",
  "violet",
  "wheat",
  "white",
  "yellow",
];
const TYPES = [
  ["STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"],
  ["ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"],
  ["TIN", "NICKEL", "BRASS", "STEEL", "COPPER"],
];
const CONTAINERS = [
  ["SM", "LG", "MED", "JUMBO", "WRAP"],
  ["CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"],
];
const SEGMENTS = ["AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"];
const PRIORITIES = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"];
const INSTRUCTIONS = ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"];
const MODES = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"];
const WORDS = [
  "accounts",
  "deposits",
  "packages",
  "pending",
  "express",
  "ironic",
  "final",
  "regular",
  "bold",
  "silent",
  "quick",
  "careful",
  "theodolites",
  "platelets",
  "foxes",
  "ideas",
  "sleep",
  "haggle",
  "nag",
  "wake",
];

/** Days since 1970. */
const FIRST_ORDER = day("1992-01-01");
const LAST_ORDER = day("1998-08-02");
const CURRENT = day("1995-06-17");

export interface Orders {
  readonly orders: readonly Row[];
  readonly lineitem: readonly Row[];
}

export class TpchData {
  readonly suppliers: number;
  readonly customers: number;
  readonly parts: number;
  readonly #orderCount: number;
  readonly #random: SeededRandom;
  #nextOrder = 1;
  #nextDeleted = 1;

  constructor(scale: number, seed = 1) {
    this.suppliers = Math.max(10, Math.round(10_000 * scale));
    this.customers = Math.max(15, Math.round(150_000 * scale));
    this.parts = Math.max(20, Math.round(200_000 * scale));
    this.#orderCount = this.customers * 10;
    this.#random = new SeededRandom(seed);
  }

  /** All tables but orders and line items. */
  tables(): ReadonlyMap<string, readonly Row[]> {
    return new Map([
      ["region", REGIONS.map((name, i) => [i, name, this.#comment(5)])],
      ["nation", NATIONS.map(([name, region], i) => [i, name, region, this.#comment(5)])],
      ["supplier", rows(this.suppliers, (key) => this.#supplier(key))],
      ["customer", rows(this.customers, (key) => this.#customer(key))],
      ["part", rows(this.parts, (key) => this.#part(key))],
      ["partsupp", rows(this.parts, (key) => [0, 1, 2, 3].map((nth) => this.#partsupp(key, nth))).flat()],
    ]);
  }

  /** The next orders, with their line items; null when all have come. */
  initialOrders(most: number): Orders | null {
    const left = this.#orderCount - (this.#nextOrder - 1);
    return left <= 0 ? null : this.newOrders(Math.min(left, most));
  }

  newOrders(count: number): Orders {
    const orders: Row[] = [];
    const lineitem: Row[] = [];
    for (let i = 0; i < count; i++) this.#order(this.#nextOrder++, orders, lineitem);
    return { orders, lineitem };
  }

  /** Keys of the next old orders to delete: from key to key, both in. */
  oldOrders(count: number): { readonly from: number; readonly to: number } {
    const from = this.#nextDeleted;
    this.#nextDeleted += count;
    return { from, to: this.#nextDeleted - 1 };
  }

  /** A thousandth of all orders. */
  get refreshOrders(): number {
    return Math.max(1, Math.round(this.#orderCount / 1000));
  }

  #supplier(key: number): Row {
    const nation = this.#random.below(NATIONS.length);
    const complains = this.#random.below(200) === 0;
    const comment = complains
      ? `${this.#comment(3)} Customer ${this.#comment(1)} Complaints`
      : this.#comment(8);
    return [
      key,
      `Supplier#${pad(key)}`,
      this.#address(),
      nation,
      this.#phone(nation),
      this.#money(-99_999, 999_999),
      comment,
    ];
  }

  #customer(key: number): Row {
    const nation = this.#random.below(NATIONS.length);
    const balance = this.#money(-99_999, 999_999);
    return [
      key,
      `Customer#${pad(key)}`,
      this.#address(),
      nation,
      this.#phone(nation),
      balance,
      this.#pick(SEGMENTS),
      this.#comment(10),
    ];
  }

  #part(key: number): Row {
    const name = Array.from({ length: 5 }, () => this.#pick(COLORS)).join(" ");
    const maker = 1 + this.#random.below(5);
    const brand = `Brand#${maker}${1 + this.#random.below(5)}`;
    const type = TYPES.map((syllables) => this.#pick(syllables)).join(" ");
    const container = CONTAINERS.map((syllables) => this.#pick(syllables)).join(" ");
    return [
      key,
      name,
      `Manufacturer#${maker}`,
      brand,
      type,
      1 + this.#random.below(50),
      container,
      cents(retailCents(key)),
      this.#comment(3),
    ];
  }

  #partsupp(part: number, nth: number): Row {
    const quantity = 1 + this.#random.below(9999);
    return [part, this.#supplierOf(part, nth), quantity, this.#money(100, 100_000), this.#comment(12)];
  }

  /** The part's nth supplier of four. */
  #supplierOf(part: number, nth: number): number {
    const s = this.suppliers;
    return ((part * 17 + nth * Math.floor(s / 4)) % s) + 1;
  }

  #order(key: number, orders: Row[], lineitem: Row[]): void {
    const random = this.#random;
    // A third of the customers never orders.
    let customer = 1 + random.below(this.customers);
    while (customer % 3 === 0) customer = 1 + random.below(this.customers);
    const ordered = FIRST_ORDER + random.below(LAST_ORDER - FIRST_ORDER + 1);
    const lines = 1 + random.below(7);
    let total = 0;
    let finished = 0;
    for (let line = 1; line <= lines; line++) {
      const part = 1 + random.below(this.parts);
      const quantity = 1 + random.below(50);
      const price = quantity * retailCents(part);
      const discount = random.below(11);
      const tax = random.below(9);
      const shipped = ordered + 1 + random.below(121);
      const committed = ordered + 30 + random.below(61);
      const received = shipped + 1 + random.below(30);
      const flag = received <= CURRENT ? (random.below(2) === 0 ? "R" : "A") : "N";
      const status = shipped > CURRENT ? "O" : "F";
      if (status === "F") finished++;
      total += Math.round((price * (100 + tax) * (100 - discount)) / 10_000);
      lineitem.push([
        key,
        part,
        this.#supplierOf(part, random.below(4)),
        line,
        cents(quantity * 100),
        cents(price),
        cents(discount),
        cents(tax),
        flag,
        status,
        dateText(shipped),
        dateText(committed),
        dateText(received),
        this.#pick(INSTRUCTIONS),
        this.#pick(MODES),
        this.#comment(4),
      ]);
    }
    const status = finished === lines ? "F" : finished === 0 ? "O" : "P";
    const special = random.below(100) === 0;
    const comment = special ? `${this.#comment(2)} special ${this.#comment(1)} requests` : this.#comment(7);
    orders.push([
      key,
      customer,
      status,
      cents(total),
      dateText(ordered),
      this.#pick(PRIORITIES),
      `Clerk#${pad(1 + random.below(1000))}`,
      0,
      comment,
    ]);
  }

  #pick(list: readonly string[]): string {
    return list[this.#random.below(list.length)]!;
  }

  #comment(words: number): string {
    return Array.from({ length: words }, () => this.#pick(WORDS)).join(" ");
  }

  #address(): string {
    return `${this.#random.below(10_000)} ${this.#pick(WORDS)} ${this.#pick(COLORS)}`;
  }

  #phone(nation: number): string {
    const part = (least: number, count: number) => least + this.#random.below(count);
    return `${nation + 10}-${part(100, 900)}-${part(100, 900)}-${part(1000, 9000)}`;
  }

  #money(from: number, to: number): string {
    return cents(from + this.#random.below(to - from + 1));
  }
}

function rows<T>(count: number, make: (key: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i + 1));
}

function retailCents(part: number): number {
  return 90_000 + (Math.floor(part / 10) % 20_001) + 100 * (part % 1_000);
}

function cents(amount: number): string {
  return (amount / 100).toFixed(2);
}

function pad(key: number): string {
  return String(key).padStart(9, "0");
}

function day(text: string): number {
  return Date.parse(text) / 86_400_000;
}

function dateText(days: number): string {
  return new Date(days * 86_400_000).toISOString().slice(0, 10);
}
