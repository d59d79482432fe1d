/** A table whose rows are told by their number, in columns: what is measured is the state, not the reading of JSON. */
import type { Batch, Column } from "../../src/batch/batch.ts";
import { count, type Db, int4, int8, open, sum, table, text, view } from "../../src/index.ts";

/** The values alone: int8, two int4, a text of 20 bytes. */
export const RAW_BYTES: number = 8 + 4 + 4 + 20;
export const BRANCHES = 977;
const CITIES = 1000;
const CITY_BYTES = 20;

const accounts = table("accounts", {
  key: "id",
  schema: { id: int8, branch: int4, level: int4, city: text },
});

const perBranch = view(
  "per_branch",
  accounts.groupBy((a) => a.branch, { accounts: count() }),
);

/** A group for each row, and a row for each group. */
const perAccount = view(
  "per_account",
  accounts.groupBy((a) => a.id, { changes: count(), level: sum((a) => a.level) }),
);

/** Of which the texts are as many as the rows. */
const letters = table("letters", { key: "id", schema: { id: int8, branch: int4, level: int4, city: text } });

/** Two for each account, scattered over all. */
const payments = table("payments", { key: "id", schema: { id: int8, account: int8, amount: int4 } });
export const PAYMENTS_PER_ACCOUNT = 2;

/** Met by the payment's account, and the account's payments. */
const PAID = `CREATE MATERIALIZED VIEW IF NOT EXISTS paid AS SELECT a.branch, count(*) AS payments, sum(p.amount) AS amount
  FROM payments p JOIN accounts a ON a.id = p.account GROUP BY a.branch`;

/** What is made of the table: a row for each branch, or for each of its rows, or what it gives joined with another. */
export type Made = "table" | "views" | "joined";

export async function openAccounts(
  dir: string,
  checkpointIntervalMs: number,
  report?: (m: string) => void,
  memoryLimit?: number,
  made: Made = "table",
): Promise<Db> {
  const db = await open({
    dir,
    topics: [accounts, made === "joined" ? payments : letters],
    views: [made === "views" ? perAccount : perBranch],
    checkpointIntervalMs,
    answerWhileCatchingUp: true,
    ...(report === undefined ? {} : { report }),
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
  });
  if (made === "joined") {
    const { error } = await db.engine.sql(PAID);
    if (error !== undefined) throw new Error(error.message);
  }
  return db;
}

/** Payments with these ids, of so many accounts. */
export function paymentsOf(db: Db, ids: Float64Array, accounts: number): Batch {
  const { schema } = db.engine.topic("payments");
  const { length } = ids;
  const values = [
    BigInt64Array.from(ids, (id) => BigInt(id)),
    BigInt64Array.from(ids, (id) => BigInt((id * 7919) % accounts)),
    Int32Array.from(ids, (id) => id % 1000),
  ];
  const columns = values.map((own, i): Column => {
    return { kind: "fixed", type: schema.fields[i]!.type, length, validity: null, values: own };
  });
  return { schema, length, weights: null, columns };
}

/** The columns of rows, which another thread may make. */
export interface RawAccounts {
  readonly id: BigInt64Array<ArrayBuffer>;
  readonly branch: Int32Array<ArrayBuffer>;
  readonly level: Int32Array<ArrayBuffer>;
  readonly offsets: Int32Array<ArrayBuffer>;
  readonly city: Uint8Array<ArrayBuffer>;
}

/** Rows with these ids and levels; texts of `distinct` kinds. */
export function batchOf(
  db: Db,
  topic: string,
  ids: Float64Array,
  level: number,
  distinct: number = CITIES,
): Batch {
  return batchFrom(db, topic, accountsOf(ids, level, distinct));
}

export function accountsOf(ids: Float64Array, level: number, distinct: number = CITIES): RawAccounts {
  const { length } = ids;
  const city = new Uint8Array(length * CITY_BYTES).fill(97);
  ids.forEach((id, i) => {
    for (let n = id % distinct, at = (i + 1) * CITY_BYTES; n > 0; n = Math.floor(n / 10))
      city[--at] = 48 + (n % 10);
  });
  return {
    id: BigInt64Array.from(ids, (id) => BigInt(id)),
    branch: Int32Array.from(ids, (id) => id % BRANCHES),
    level: new Int32Array(length).fill(level),
    offsets: Int32Array.from({ length: length + 1 }, (_, i) => i * CITY_BYTES),
    city,
  };
}

export function batchFrom(db: Db, topic: string, raw: RawAccounts): Batch {
  const { schema } = db.engine.topic(topic);
  const { length } = raw.id;
  const fixed = (k: number, values: Int32Array | BigInt64Array): Column => {
    return { kind: "fixed", type: schema.fields[k]!.type, length, validity: null, values };
  };
  const { type } = schema.fields[3]!;
  const text: Column = { kind: "utf8", type, length, validity: null, offsets: raw.offsets, data: raw.city };
  return {
    schema,
    length,
    weights: null,
    columns: [fixed(0, raw.id), fixed(1, raw.branch), fixed(2, raw.level), text],
  };
}
