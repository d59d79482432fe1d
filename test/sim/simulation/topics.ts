/** What a run's database holds: three topics, views over them, and what each view is, computed naively. */

import {
  type Cells,
  cell,
  isKeyed,
  isShaped,
  SHAPED_SQL,
  SHAPED_TOPICS,
  type ShapedName,
} from "./columns.ts";
import type { Rule } from "./forgetting.ts";

export type TopicName = "ev" | "acct" | "item" | "old" | "made" | ShapedName;
/** Those of each run. */
export const TOPICS: readonly TopicName[] = ["ev", "acct", "item", "old", "made"];
/** Whose rows have no key. `old` forgets the first of them; `made` is what a consumer makes of events. */
export type StreamName = "ev" | "old";
export const STREAMS: ReadonlySet<TopicName> = new Set<TopicName>([
  "ev",
  "old",
  "made",
  ...SHAPED_TOPICS.filter((topic) => !isKeyed(topic)),
]);
/** What is kept, unless something else is said later. */
export const RULES: Readonly<Partial<Record<TopicName, Rule>>> = {
  acct: { tombstonesForUs: 3_600_000_000 },
  old: { retainBytes: 0 },
};

export interface Event {
  /** The attempt that wrote it, and which of its rows it is. */
  readonly op: number;
  readonly part: number;
  readonly w: number;
  readonly note: string | null;
}

export interface Account {
  readonly k: number;
  readonly v: number;
  readonly op: number;
  readonly note: string | null;
}

export interface Item {
  readonly k: string;
  readonly v: number;
  readonly op: number;
}

/** Of events [low, high). */
export interface Made {
  readonly op: number;
  readonly low: number;
  readonly high: number;
  readonly total: number;
}

export const TOPICS_SQL = `
  CREATE TABLE ev (op int4 NOT NULL, part int4 NOT NULL, w int4 NOT NULL, note text) WITH (append_only);
  CREATE TABLE acct (k int4 PRIMARY KEY, v int4 NOT NULL, op int4 NOT NULL, note text) WITH (tombstones_for = '1 hour');
  CREATE TABLE item (k text PRIMARY KEY, v int4 NOT NULL, op int4 NOT NULL);
  CREATE TABLE old (op int4 NOT NULL, part int4 NOT NULL, w int4 NOT NULL, note text) WITH (append_only, retain_bytes = '0');
  CREATE TABLE made (op int4 NOT NULL, low int4 NOT NULL, high int4 NOT NULL, total int4 NOT NULL) WITH (append_only);
`;

/** What the topics hold after some commit. */
export class State {
  readonly ev: Event[] = [];
  readonly acct = new Map<number, Account>();
  readonly item = new Map<string, Item>();
  /** By offset, also those that are forgotten. */
  readonly old: Event[] = [];
  readonly made: Made[] = [];
  readonly wide: Cells[] = [];
  readonly flat = new Map<number, Cells>();

  /** `value` null: the row with the key goes. */
  apply(topic: TopicName, key: unknown, value: unknown): void {
    if (topic === "ev") this.ev.push(value as Event);
    else if (topic === "old") this.old.push(value as Event);
    else if (topic === "made") this.made.push(value as Made);
    else if (topic === "wide") this.wide.push(value as Cells);
    else if (topic === "flat") put(this.flat, key as number, value as Cells | null);
    else if (isShaped(topic)) return;
    else if (topic === "acct") put(this.acct, key as number, value as Account | null);
    else put(this.item, key as string, value as Item | null);
  }
}

function put<K, V>(map: Map<K, V>, key: K, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

interface Kind {
  readonly sql: string;
  /** The view it reads, besides topics. */
  readonly of?: string;
  /** Its rows: of a view that was made when `old` began there, and whose name says that number or means that version. */
  readonly rows: (state: State, start: number, from: number) => object[];
}

function byWriter({ ev }: State): { w: number; c: number; s: number; last: number }[] {
  const groups = new Map<number, { w: number; c: number; s: number; last: number }>();
  for (const { w, part, op } of ev) {
    const group = groups.get(w) ?? { w, c: 0, s: 0, last: op };
    groups.set(w, { w, c: group.c + 1, s: group.s + part, last: Math.max(group.last, op) });
  }
  return [...groups.values()];
}

function counted<T>(values: Iterable<T>): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** The view that has versions. */
export const BASE = "turn";

export function versionSql(version: number): string {
  const queries = [
    `SELECT k, v, ${version} AS n FROM item`,
    `SELECT w, count(*) AS c, ${version} AS n FROM ev GROUP BY w`,
    `SELECT v, count(*) AS c, ${version} AS n FROM acct GROUP BY v`,
  ];
  return queries[version % queries.length] as string;
}

function turned(state: State, n: number): object[] {
  if (n % 3 === 0) return [...state.item.values()].map(({ k, v }) => ({ k, v, n }));
  if (n % 3 === 1) return byWriter(state).map(({ w, c }) => ({ w, c, n }));
  return [...counted([...state.acct.values()].map(({ v }) => v))].map(([v, c]) => ({ v, c, n }));
}

export const KINDS = {
  per_w: {
    sql: "SELECT w, count(*) AS c, sum(part) AS s, max(op) AS last FROM ev GROUP BY w",
    rows: byWriter,
  },
  joined: {
    sql: "SELECT e.op, e.part, a.k, a.v, a.note FROM ev e JOIN acct a ON a.k = e.w",
    rows: ({ ev, acct }) =>
      ev.flatMap(({ op, part, w }) => {
        const a = acct.get(w);
        return a === undefined ? [] : [{ op, part, k: a.k, v: a.v, note: a.note }];
      }),
  },
  top: {
    sql: "SELECT k, v, op FROM acct ORDER BY v DESC, k LIMIT 4",
    rows: ({ acct }) =>
      [...acct.values()]
        .sort((a, b) => b.v - a.v || a.k - b.k)
        .slice(0, 4)
        .map(({ k, v, op }) => ({ k, v, op })),
  },
  items: {
    sql: "SELECT v % 3 AS r, count(*) AS c, min(k) AS low FROM item GROUP BY v % 3 HAVING count(*) > 1",
    rows: ({ item }) =>
      [...counted([...item.values()].map(({ v }) => v % 3))]
        .filter(([, c]) => c > 1)
        .map(([r, c]) => ({
          r,
          c,
          low: [...item.values()].flatMap(({ k, v }) => (v % 3 === r ? [k] : [])).sort()[0],
        })),
  },
  total: {
    sql: "SELECT count(*) AS c, sum(v) AS s FROM acct",
    rows: ({ acct }) => [
      { c: acct.size, s: acct.size === 0 ? null : [...acct.values()].reduce((s, { v }) => s + v, 0) },
    ],
  },
  lonely: {
    sql: "SELECT k, v FROM acct a WHERE NOT EXISTS (SELECT FROM item i WHERE i.v = a.v)",
    rows: ({ acct, item }) => {
      const values = new Set([...item.values()].map(({ v }) => v));
      return [...acct.values()].filter(({ v }) => !values.has(v)).map(({ k, v }) => ({ k, v }));
    },
  },
  matched: {
    sql: "SELECT a.k, i.k AS item FROM acct a LEFT JOIN item i ON i.v = a.v",
    rows: ({ acct, item }) =>
      [...acct.values()].flatMap(({ k, v }): object[] => {
        const met = [...item.values()].filter((i) => i.v === v).map((i) => ({ k, item: i.k }));
        return met.length === 0 ? [{ k, item: null }] : met;
      }),
  },
  chain: {
    sql: "SELECT c, count(*) AS n FROM per_w GROUP BY c",
    of: "per_w",
    rows: (state) => [...counted(byWriter(state).map(({ c }) => c))].map(([c, n]) => ({ c, n })),
  },
  counts: {
    sql: "SELECT count(*) AS c, max(high) AS high, sum(total) AS s FROM made",
    rows: ({ made }) => [
      {
        c: made.length,
        high: made.at(-1)?.high ?? null,
        s: made.length === 0 ? null : made.reduce((s, { total }) => s + total, 0),
      },
    ],
  },
  /** It needs all that there is of `old`. */
  whole: {
    sql: "SELECT count(*) AS c, sum(part) AS s FROM old",
    rows: ({ old }, start) => [countAndSum(old.slice(start))],
  },
  /** It needs what there is from some attempt on, `FROM_OP`. */
  late: {
    sql: "SELECT count(*) AS c, sum(part) AS s FROM old WHERE op >= FROM_OP",
    rows: ({ old }, start, from) => [countAndSum(old.slice(start).filter(({ op }) => op >= from))],
  },
  /** Of which there are several versions: each number has its query. */
  turn: {
    sql: versionSql(1),
    rows: (state, _start, version) => turned(state, version),
  },
  /** It goes on with the version that it has read first. */
  over: {
    sql: "SELECT count(*) AS c, max(n) AS n FROM turn",
    of: "turn",
    rows: (state, _start, version) => {
      const { length } = turned(state, version);
      return [{ c: length, n: length === 0 ? null : version }];
    },
  },
  /** It reads a column that is renamed, of a topic that gets others and loses them. */
  wides: {
    sql: "SELECT count(*) AS c, sum(COLUMN::int4)::int4 AS s FROM wide",
    rows: ({ wide }) => [{ c: wide.length, s: sumOf(wide) }],
  },
  flats: {
    sql: "SELECT k % 3 AS r, count(*) AS c, sum(COLUMN::int4)::int4 AS s FROM flat GROUP BY k % 3",
    rows: ({ flat }) =>
      [...counted([...flat.keys()].map((k) => k % 3))].map(([r, c]) => ({
        r,
        c,
        s: sumOf([...flat].flatMap(([k, row]) => (k % 3 === r ? [row] : []))),
      })),
  },
} satisfies Record<string, Kind>;

function sumOf(rows: readonly Cells[]): number | null {
  const values = rows.map((row) => cell(row, "c0")).filter((value) => value !== null) as number[];
  return values.length === 0 ? null : values.reduce((s, value) => s + value, 0);
}

function countAndSum(rows: readonly Event[]): { c: number; s: number | null } {
  return { c: rows.length, s: rows.length === 0 ? null : rows.reduce((s, { part }) => s + part, 0) };
}

export type KindName = keyof typeof KINDS;

export interface Named {
  readonly kind: Kind;
  /** Of a view of `old`: the attempt from which on it has its rows; null: it has none of them. */
  readonly from: number | null;
}

/** Of a view's name: what comes behind the underscores says which one of its kind it is, and from which attempt on it looks. */
export function named(view: string): Named {
  const [name, , from] = (view.split("@")[0] as string).split("__");
  const kind = (KINDS as Record<string, Kind>)[name as string];
  if (kind === undefined) throw new Error(`no view is called ${view}`);
  return { kind, from: name === "whole" ? 0 : name === "late" ? Number(from) : null };
}

/** As `named` reads it. `from`: an attempt. */
export function viewName(kind: KindName, which: number, from: number): string {
  return `${kind}__${which}${kind === "late" ? `__${from}` : ""}`;
}

/** `column`: what the column is called now that views of changing topics read. */
export function viewSql(view: string, column = "c0_0"): string {
  const { kind, from } = named(view);
  return kind.sql.replace("FROM_OP", String(from)).replace("COLUMN", column);
}

/** Of those, which topic a view reads. */
export function shapedOf(kind: KindName): ShapedName | null {
  return kind === "wides" ? "wide" : kind === "flats" ? "flat" : null;
}

/** Its rows as JSON, sorted: as what is read from the view is to be. `start`: where `old` began when it was made; `version`: which one its name means. */
export function naive(view: string, state: State, start: number, version: number): string[] {
  const { kind, from } = named(view);
  return kind
    .rows(state, start, from ?? version)
    .map((row) => JSON.stringify(row))
    .sort();
}

/** What a run begins with. */
export const VIEW_SETS: readonly (readonly KindName[])[] = [
  ["per_w", "joined"],
  ["per_w", "chain", "top"],
  ["items", "total", "joined"],
  ["lonely", "per_w", "matched"],
  ["total", "top", "lonely"],
  ["per_w", "whole"],
  ["counts", "joined", "matched"],
  ["turn", "over"],
];

/** In these runs there are topics whose columns change. */
export const SHAPED_SETS: readonly (readonly KindName[])[] = [
  ["wides", "flats"],
  ["per_w", "flats", "chain"],
  ["total", "wides"],
];

export function viewsSql(views: readonly KindName[]): string {
  return views.map((name) => `CREATE MATERIALIZED VIEW ${name} AS ${viewSql(name)};`).join("\n");
}

/** The topics, and those whose columns change where a view reads them. */
export function topicsSql(views: readonly KindName[]): string {
  return views.some((name) => shapedOf(name) !== null) ? TOPICS_SQL + SHAPED_SQL : TOPICS_SQL;
}
