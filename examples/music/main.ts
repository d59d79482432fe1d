/** Plays some music and prints the charts: `node examples/music/main.ts`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "../../src/index.ts";
import { playCounts, plays, songPlays, songs, topFive, topFiveByGenre } from "./app.ts";
import { readSongs } from "./songs.ts";

const dir = await mkdtemp(join(tmpdir(), "evert-music-"));
const db = await open({
  dir,
  topics: [songs, plays],
  views: [playCounts, songPlays, topFive, topFiveByGenre],
});

await db.append(songs, readSongs());
const played = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].flatMap((song_id) =>
  Array.from({ length: 6 - ((song_id - 1) % 6) }, () => ({ song_id, duration: 60_000 })),
);
const { position } = await db.append(plays, played);

console.log("Top five");
console.table(await db.view(topFive).rows({ atLeast: position }));
console.log("Top five by genre");
console.table(await db.view(topFiveByGenre).rows({ atLeast: position }));

await db.close();
await rm(dir, { recursive: true });
