/**
 * Music charts, after the description of Confluent's KafkaMusic: songs are rows of a table, plays are facts of a stream, and the charts are
 * views. What the original leaves out comes by itself here: a song that arrives after its plays enters the charts with all of
 * them, a corrected title shows everywhere, and a deleted song gives its place to the sixth.
 */
import { count, int4, int8, sql, table, text, topic, view } from "../../src/index.ts";

export const songs = table("songs", {
  key: "id",
  schema: { id: int4, album: text, artist: text, name: text, genre: text },
});

/** One play of a song; duration in milliseconds. */
export const plays = topic("plays", { schema: { song_id: int4, duration: int8 } });

/** Only who listens for half a minute counts. */
export const playCounts = view(
  "play_counts",
  plays.filter((p) => p.duration >= 30_000).groupBy((p) => p.song_id, { plays: count() }),
);

/** Songs with their plays. The join keeps following both sides. */
export const songPlays = view(
  "song_plays",
  playCounts.join(
    songs,
    (c) => c.song_id,
    (c, song) => ({ ...song, plays: c.plays }),
  ),
);

interface ChartRow {
  id: number;
  name: string;
  artist: string;
  plays: number;
}

export const topFive = view(
  "top_five",
  sql<ChartRow>`SELECT id, name, artist, plays FROM ${songPlays} ORDER BY plays DESC, id LIMIT 5`,
);

/** The top five of each genre, however it is spelled. */
export const topFiveByGenre = view(
  "top_five_by_genre",
  sql<ChartRow & { genre: string }>`
    SELECT genre, id, name, artist, plays
    FROM (SELECT lower(genre) AS genre, id, name, artist, plays,
                 row_number() OVER (PARTITION BY lower(genre) ORDER BY plays DESC, id) AS place
          FROM ${songPlays}) ranked
    WHERE place <= 5
    ORDER BY genre, plays DESC, id`,
);
