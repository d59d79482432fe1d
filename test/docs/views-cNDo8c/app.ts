import { avg, bool, count, countDistinct, desc, float8, int4, int8, list, max, nullable, percentile, reduce, sql, sum, table, text, timestamptz, topic, view } from "evert";
import { z } from "zod";

// A topic is a stream of facts: every record is kept.
export const plays = topic("plays", { schema: z.object({ song_id: z.int(), listener: z.string(), duration: z.int() }) });

// A table is a keyed topic: the latest record of each key is its row. Columns may be declared plainly, too.
export const songs = table("songs", { key: "id", schema: { id: int8, artist: text, name: text, genre: text, label: nullable(text) } });
export const prices = table("prices", { key: ["genre", "year"], schema: { genre: text, year: int4, royalty: float8 } });

export const playCounts = view(
  "play_counts",
  plays
    .filter((p) => p.duration >= 30_000)
    .join(songs, (p) => p.song_id, (_, song) => song)
    .groupBy((s) => s.id, { plays: count() }),
);
// its rows: { id: number; plays: number }

const counted = plays.filter((p) => p.duration >= 30_000);
const perSong = counted.groupBy("song_id", { plays: count(), listened: sum("duration") });
export const totals = view("totals", perSong);

const picked = songs.map((s) => ({ id: s.id, title: s.name })); // two columns, copied
const same = songs.map(({ label, ...rest }) => rest); //           all but one

const parsed = songs.map((s) => ({ id: s.id, first: s.artist.split(" ")[0], words: s.name.split(" ").length }), {
  first: nullable(text),
  words: int4,
});

function describe(s: { name: string; artist: string }) {
  return { label: `${s.name} by ${s.artist}`, loud: s.name === s.name.toUpperCase() };
}
// Here the text shows no names: they have to be declared, in columns or by a schema.
const described = songs.map((s) => describe(s), z.object({ label: z.string(), loud: z.boolean() }));

export const labels = view("labels", described, { version: "2" });
export const words = view("words", parsed.union(parsed.filter((p) => p.words > 3)).distinct());
export const titles = view("titles", picked.join(same, "id").orderBy("title"));

export const sameArtist = view(
  "same_artist",
  songs.join(songs, (a) => a.artist, (b) => b.artist, (a, b) => ({ id: a.id, other: b.id })),
);

export const royalties = view(
  "royalties",
  songs
    .map((s) => ({ id: s.id, genre: s.genre, year: 2024 }))
    .join(prices, (s) => [s.genre, s.year], (s, price) => ({ id: s.id, royalty: price.royalty }))
    .orderBy("-royalty", "id"),
);

export const titled = view(
  "titled",
  plays.leftJoin(songs, (p) => p.song_id, (p, song) => ({ listener: p.listener, title: song?.name ?? "unknown" })),
);

export const asPlayed = view(
  "as_played",
  plays.asOfJoin(songs, (p) => p.song_id, (p, song) => ({ listener: p.listener, title: song.name })),
);

export const byGenre = view("by_genre", songs.groupBy((s) => s.genre, { songs: count() })); //               genre, songs
export const byLower = view("by_lower", songs.groupBy((s) => s.genre.toLowerCase(), { songs: count() })); // key, songs
export const byBoth = view(
  "by_both",
  songs.groupBy((s) => ({ genre: s.genre.toLowerCase(), artist: s.artist }), { songs: count() }), //          genre, artist, songs
);

export const listeners = view(
  "listeners",
  plays.groupBy("listener", {
    plays: count(),
    long: count({ where: (p) => p.duration >= 300_000 }),
    minutes: sum((p) => p.duration / 60_000),
    mean: avg("duration"),
    longest: max("duration"),
    songs: countDistinct("song_id"),
    median: percentile("duration", 0.5),
    history: list("song_id", { orderBy: "-duration" }),
    // A fold of one's own says how a row is added and how it is taken away again.
    bits: reduce({ initial: 0, add: (all, p) => all ^ p.duration, remove: (all, p) => all ^ p.duration, type: int8 }),
  }),
);

export const top = view("top", playCounts.topK({ orderBy: ["-plays", "id"], limit: 5 }));
export const longTitles = view(
  "long_titles",
  songs.topK({ partitionBy: (s) => s.genre, orderBy: desc((s) => s.name.length), limit: 3 }),
);

export const charts = view(
  "charts",
  sql<{ name: string; plays: number }>`
    SELECT name, plays FROM ${playCounts} JOIN ${songs} USING (id) ORDER BY plays DESC, id LIMIT ${5}`,
);
export const hits = view("hits", charts.filter((c) => c.plays > 1000));

export const visits = topic("visits", { schema: { page: text, at: timestamptz } });
export const lastHour = view(
  "last_hour",
  sql<{ page: string; visits: number }>`
    SELECT page, count(*) AS visits FROM ${visits} WHERE at > now() - interval '1 hour' GROUP BY page`,
);

const events = topic("events", { schema: { at: timestamptz, ok: bool, value: nullable(float8) } });
export const health = view("health", events.reduce({ events: count(), failed: count({ where: (e) => !e.ok }) }));
