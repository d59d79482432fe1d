/**
 * Checked by the compiler alone (types.test.ts runs it): the row types a program gets. A line marked ts-expect-error must
 * not compile.
 */
import { z } from "zod";
import {
  array,
  avg,
  bool,
  bytea,
  count,
  countDistinct,
  date,
  desc,
  enumeration,
  every,
  float4,
  float8,
  int2,
  int4,
  int8,
  interval,
  jsonb,
  lag,
  lead,
  list,
  max,
  min,
  mode,
  nullable,
  numeric,
  percentile,
  reduce,
  reducer,
  rowNumber,
  scalar,
  setReturning,
  sql,
  stddev,
  sum,
  table,
  text,
  time,
  timestamp,
  timestamptz,
  topic,
  uuid,
  varchar,
  view,
} from "../../src/face/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `expectRow<Expected>()(chain)` compiles only when the chain's row is exactly that. */
function expectRow<Expected>() {
  return <Actual>(
    _of: { readonly $row?: Actual },
    ..._exact: Equal<Actual, Expected> extends true ? [] : [{ expected: Expected; actual: Actual }]
  ) => undefined;
}

// ---- the example of the documentation ----------------------------------------------------------------------------

const songs = table("songs", {
  key: "id",
  schema: z.object({ id: z.int(), artist: z.string(), name: z.string(), genre: z.string() }),
});
const plays = topic("plays", { schema: z.object({ song_id: z.int(), duration: z.int() }) });
type Song = { id: number; artist: string; name: string; genre: string };
expectRow<Song>()(songs);
expectRow<{ song_id: number; duration: number }>()(plays);

const playCounts = view(
  "play_counts",
  plays
    .filter((p) => p.duration >= 30_000)
    .join(
      songs,
      (p) => p.song_id,
      (_, song) => song,
    )
    .groupBy((s) => s.id, { plays: count() }),
);
expectRow<{ id: number; plays: number }>()(playCounts);
const charts = view(
  "charts",
  sql<{ id: number; name: string; plays: number }>`SELECT 1 FROM ${playCounts} LIMIT ${5}`,
);
expectRow<{ id: number; name: string; plays: number }>()(charts);

// ---- declarations ------------------------------------------------------------------------------------------------

const everything = topic("everything", {
  schema: {
    a: int4,
    b: int8,
    c: float8,
    d: numeric(10, 2),
    e: bool,
    f: text,
    g: timestamptz,
    h: jsonb<{ x: number }>(),
    i: nullable(text),
    j: int2,
    k: float4,
    l: bytea,
    m: uuid,
    n: date,
    o: time,
    p: timestamp,
    q: interval,
    r: varchar(5),
    s: enumeration("mood", ["sad", "happy"]),
    t: array(numeric()),
  },
});
expectRow<{
  j: number;
  k: number;
  l: string;
  m: string;
  n: string;
  o: string;
  p: string;
  q: string;
  r: string;
  s: "sad" | "happy";
  t: (string | null)[];
  a: number;
  b: number;
  c: number;
  d: string;
  e: boolean;
  f: string;
  g: string;
  h: { x: number };
  i: string | null;
}>()(everything);
const others = {
  j: 1,
  k: 1.5,
  l: new Uint8Array(1),
  m: "",
  n: "",
  o: "",
  p: "",
  q: "",
  r: "",
  s: "sad",
  t: ["1.5", 2, null],
} as const;
const inputs: NonNullable<typeof everything.$input>[] = [
  { ...others, a: 1, b: 2n, c: 1.5, d: "1.50", e: true, f: "x", g: "2024-05-06T07:08:09Z", h: { x: 1 } },
  { ...others, a: 1, b: 2, c: 1.5, d: 1.5, e: true, f: "x", g: "2024-05-06T07:08:09Z", h: { x: 1 }, i: null },
];
// @ts-expect-error: f is missing
inputs.push({ ...others, a: 1, b: 2, c: 1.5, d: 1.5, e: true, g: "", h: { x: 1 } });
// @ts-expect-error: a is no string
inputs.push({ ...others, a: "1", b: 2, c: 1.5, d: 1.5, e: true, f: "x", g: "", h: { x: 1 } });
// @ts-expect-error: no such label
const label: NonNullable<typeof everything.$input>["s"] = "angry";
void label;
// @ts-expect-error: no such column
table("t", { key: "nope", schema: { id: int4 } });
table("t", { key: ["a", "b"], schema: { a: int4, b: text } });
table("t", { key: ["a", "b"], schema: z.object({ a: z.int(), b: z.string() }) });

const optional = topic("optional", {
  schema: z.object({ a: z.string().optional(), b: z.number().nullable() }),
});
expectRow<{ a: string | null; b: number | null }>()(optional);
const optionalInput: NonNullable<typeof optional.$input> = { b: null };

// ---- groupBy: the key's name, and no tag left on any type -----------------------------------------------------------

const orders = topic("orders", {
  schema: {
    id: int8,
    region: text,
    note: nullable(text),
    paid: bool,
    amount: float8,
    price: numeric(10, 2),
    tags: jsonb<string[]>(),
  },
});
expectRow<{ region: string; n: number }>()(orders.groupBy((o) => o.region, { n: count() }));
expectRow<{ note: string | null; n: number }>()(orders.groupBy((o) => o.note, { n: count() }));
expectRow<{ paid: boolean; n: number }>()(orders.groupBy((o) => o.paid, { n: count() }));
expectRow<{ tags: string[]; n: number }>()(orders.groupBy((o) => o.tags, { n: count() }));
expectRow<{ region: string; n: number }>()(orders.groupBy("region", { n: count() }));
expectRow<{ region: string; paid: boolean; n: number }>()(orders.groupBy(["region", "paid"], { n: count() }));
expectRow<{ r: string; paid: boolean; n: number }>()(
  orders.groupBy((o) => ({ r: o.region, paid: o.paid }), { n: count() }),
);
expectRow<{ id: number; region: string }>()(orders.select("id", "region").groupBy((o) => o, {}));
expectRow<{ key: string; n: number }>()(orders.groupBy((o) => o.region.toLowerCase(), { n: count() }));
expectRow<{ key: string; n: number }>()(orders.groupBy((o) => o.note ?? "none", { n: count() }));
expectRow<{ key: string; n: number }>()(orders.groupBy((o) => o.note ?? o.region, { n: count() }));
expectRow<{ key: boolean; n: number }>()(orders.groupBy((o) => o.amount >= 30_000, { n: count() }));
expectRow<{ key: number; n: number }>()(orders.groupBy((o) => Math.floor(o.amount / 100), { n: count() }));
expectRow<{ key: 1 | 2; n: number }>()(orders.groupBy((o) => (o.region === "north" ? 1 : 2), { n: count() }));
expectRow<{ key: number[]; n: number }>()(orders.groupBy((o) => [o.amount + 1], { n: count() }));
expectRow<{ lower: string; n: number }>()(
  orders.groupBy((o) => ({ lower: o.region.toLowerCase() }), { n: count() }),
);

// ---- aggregates ----------------------------------------------------------------------------------------------------

expectRow<{
  region: string;
  n: number;
  notes: number;
  paid: number;
  total: number;
  total2: number;
  mean: number;
  price: string;
  first: string;
  last: string | null;
  list: string[];
}>()(
  orders.groupBy((o) => o.region, {
    n: count(),
    notes: count("note"),
    paid: count({ where: (o) => o.paid }),
    total: sum((o) => o.amount * 2),
    total2: sum("amount"),
    mean: avg("amount", { where: (o) => o.paid }),
    price: sum("price"),
    first: min("region"),
    last: max((o) => o.note),
    list: reduce({
      initial: [] as string[],
      add: (list, o) => [...list, o.region],
      remove: (list, o) => list.filter((r) => r !== o.region),
    }),
  }),
);
expectRow<{
  region: string;
  different: number;
  paid: boolean;
  spread: number | null;
  median: number | null;
  usual: string | null;
  notes: readonly (string | null)[] | null;
}>()(
  orders.groupBy("region", {
    different: countDistinct("note"),
    paid: every("paid"),
    spread: stddev("amount"),
    median: percentile((o) => o.amount, 0.5),
    usual: mode("note"),
    notes: list("note", { orderBy: "-amount" }),
  }),
);
// @ts-expect-error: no such column
orders.groupBy("region", { notes: list("note", { orderBy: "-nope" }) });
expectRow<{ n: number; total: number | null }>()(orders.reduce({ n: count(), total: sum("amount") }));
// @ts-expect-error: no such column
orders.groupBy((o) => o.region, { total: sum("nope") });
// @ts-expect-error: a boolean cannot be added up
orders.groupBy((o) => o.region, { total: sum((o) => o.paid) });
// @ts-expect-error: no such property
orders.groupBy((o) => o.nope, { n: count() });

// ---- filter, map, flatMap, select ------------------------------------------------------------------------------------

expectRow<{ id: number; twice: number; maybe: string | null }>()(
  orders.map((o) => ({ id: o.id, twice: o.amount * 2, maybe: o.note?.trim() })),
);
expectRow<{ id: number; label: string }>()(
  orders.map((o) => ({ id: o.id, label: String(o.id) }), { label: text }),
);
expectRow<{ tag: string }>()(orders.flatMap((o) => o.tags.map((tag) => ({ tag }))));
// @ts-expect-error: label is a string
orders.map((o) => ({ id: o.id, label: String(o.id) }), { label: int4 });
// @ts-expect-error: the function makes no such column
orders.map((o) => ({ id: o.id }), { label: text });
// @ts-expect-error: rows are frozen
orders.map((o) => ({ id: (o.id = 3) }));
// @ts-expect-error: not a boolean
orders.filter((o) => o.note);
// @ts-expect-error: no such column
orders.select("nope");

// ---- joins --------------------------------------------------------------------------------------------------------

expectRow<{ song_id: number; duration: number; id: number; artist: string; name: string; genre: string }>()(
  plays.join(songs, "song_id"),
);
expectRow<{
  song_id: number;
  duration: number;
  id: number | null;
  artist: string | null;
  name: string | null;
  genre: string | null;
}>()(plays.leftJoin(songs, (p) => p.song_id));
expectRow<{ d: number; name: string | null }>()(
  plays.leftJoin(
    songs,
    (p) => p.song_id,
    (p, song) => ({ d: p.duration, name: song?.name }),
  ),
);
plays.leftJoin(
  songs,
  (p) => p.song_id,
  // @ts-expect-error: the song may be null
  (p, song) => ({ d: p.duration, name: song.name }),
);
expectRow<{ a: number; b: number }>()(
  plays.join(
    plays,
    (p) => p.song_id,
    (p) => p.song_id,
    (a, b) => ({ a: a.duration, b: b.duration }),
  ),
);
expectRow<{ d: number; name: string }>()(
  plays.asOfJoin(
    songs,
    (p) => p.song_id,
    (p, song) => ({ d: p.duration, name: song.name }),
  ),
);

// ---- top-k, union, order -------------------------------------------------------------------------------------------

expectRow<{ id: number; plays: number }>()(playCounts.topK({ orderBy: ["-plays", "id"], limit: 5 }));
expectRow<Song>()(songs.topK({ partitionBy: (s) => s.genre, orderBy: desc((s) => s.id), limit: 5 }));
// @ts-expect-error: no such column
playCounts.topK({ orderBy: "-nope", limit: 5 });
expectRow<Song>()(songs.union(songs.filter((s) => s.id > 3)).distinct());
// @ts-expect-error: other columns
songs.union(plays);
expectRow<Song>()(
  view(
    "sorted",
    songs.orderBy("-name", (s) => s.genre),
  ),
);

export const all = [charts, inputs, optionalInput];

// ---- the reach of SQL --------------------------------------------------------------------------------------------

const visits = topic("visits", { schema: { id: int4, user: text, at: timestamptz, ms: nullable(int4) } });
type Visit = { id: number; user: string; at: string; ms: number | null };
type VisitWith<More> = { [K in keyof (Visit & More)]: (Visit & More)[K] };

expectRow<{ id: number; who: string | null }>()(
  visits.rightJoin(songs, "id", (v, song) => ({ id: song.id, who: v?.user ?? null })),
);
expectRow<{ id: number | null; name: string | null }>()(
  visits.fullJoin(songs, "id", (v, song) => ({
    id: v === null ? null : v.id,
    name: song === null ? null : song.name,
  })),
);
// @ts-expect-error: the left side may be missing
visits.rightJoin(songs, "id", (v, song) => ({ id: song.id, who: v.user }));
// @ts-expect-error: the right side may be missing
visits.fullJoin(songs, "id", (_, song) => ({ name: song.name }));

expectRow<
  VisitWith<{ n: number; before: string | null; later: number | null; total: number | null; seen: number }>
>()(
  visits.window(
    { partitionBy: "user", orderBy: "-at" },
    { n: rowNumber(), before: lag("user"), later: lead((v) => v.id + 1), total: sum("ms"), seen: count() },
  ),
);
expectRow<VisitWith<{ sum: number | null; seen: number }>>()(
  visits.window({ orderBy: "at", frame: { rows: [-6, -1] } }, { sum: sum("id"), seen: count() }),
);
// @ts-expect-error: there is no such column
visits.window({ orderBy: "when" }, { n: rowNumber() });
// @ts-expect-error: there is no such column
visits.window({ orderBy: "at" }, { before: lag("when") });

expectRow<{ window_start: string; user: string; visits: number }>()(
  visits.tumble({ at: "at", size: "1 hour" }).groupBy(["window_start", "user"], { visits: count() }),
);
expectRow<VisitWith<{ window_start: string; window_end: string }>>()(
  visits.session({ at: "at", gap: "30 minutes", partitionBy: "user" }),
);
// @ts-expect-error: there is no such column
visits.hop({ at: "when", size: "1 hour", every: "1 minute" });

expectRow<{ id: number; depth: number }>()(
  visits
    .map((v) => ({ id: v.id, depth: 0 }))
    .iterate((found) => found.join(songs, "id", (f, song) => ({ id: song.id, depth: f.depth + 1 }))),
);
// @ts-expect-error: the step makes other rows
visits.select("id").iterate((found) => found.map((v) => ({ other: v.id })));

// ---- functions for SQL -------------------------------------------------------------------------------------------

scalar("a", { args: [text, nullable(int4)], returns: text, fn: (s: string, n: number | null) => `${s}${n}` });
scalar("b", { args: [z.string(), z.boolean()], returns: z.int(), fn: (s, yes) => (yes ? s.length : 0) });
scalar("c", { args: [], returns: nullable(text), fn: () => null });
// @ts-expect-error: null is not declared
scalar("d", { args: [], returns: text, fn: () => null });
// @ts-expect-error: the argument is a text
scalar("e", { args: [text], returns: text, fn: (n: number) => String(n) });
// @ts-expect-error: it is called with one argument
scalar("f", { args: [text], returns: text, fn: (a: string, b: string) => a + b });
// @ts-expect-error: it cannot wait
scalar("g", { args: [text], returns: text, fn: async (a) => a });

setReturning("h", { args: [text], returns: { word: text, at: int4 }, fn: (s) => [{ word: s, at: 0 }] });
setReturning("i", { args: [int4], returns: int4, fn: (n) => [n, n + 1] });
// @ts-expect-error: a column is missing
setReturning("j", { args: [text], returns: { word: text, at: int4 }, fn: (s) => [{ word: s }] });

reducer("k", { args: [int4], returns: int4, initial: 0, add: (s, n) => s + n, remove: (s, n) => s - n });
reducer("l", {
  args: [int4],
  returns: text,
  initial: { n: 0 },
  add: (s, n) => ({ n: s.n + n }),
  remove: (s, n) => ({ n: s.n - n }),
  result: (s) => String(s.n),
});
// @ts-expect-error: the state is no text
reducer("m", { args: [int4], returns: text, initial: 0, add: (s, n) => s + n, remove: (s, n) => s - n });
