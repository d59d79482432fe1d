/** The app of the interface page, as it stands there. */
import { count, sql, table, topic, view } from "evert";
import { z } from "zod";

export const songs = table("songs", {
  key: "id",
  schema: z.object({ id: z.int(), artist: z.string(), name: z.string(), genre: z.string() }),
});
export const plays = topic("plays", { schema: z.object({ song_id: z.int(), duration: z.int() }) });

export const playCounts = view(
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
export const charts = view(
  "charts",
  sql<{
    id: number;
    name: string;
    plays: number;
  }>`SELECT id, name, plays FROM play_counts JOIN songs USING (id) ORDER BY plays DESC, id LIMIT 5`,
);
