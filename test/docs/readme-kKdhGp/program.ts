import { count, int4, open, table, text, topic, view } from "evert";

const songs = table("songs", { key: "id", schema: { id: int4, name: text } });
const plays = topic("plays", { schema: { song_id: int4, duration: int4 } });
const charts = view("charts", plays
  .filter((play) => play.duration >= 30_000)
  .join(songs, (play) => play.song_id, (_, song) => song)
  .groupBy((song) => song.name, { plays: count() })
  .orderBy("-plays"));

const db = await open({ dir: "data", topics: [songs, plays], views: [charts] });
await db.append(songs, [{ id: 1, name: "Typical Girls" }, { id: 2, name: "Oh Bondage" }]);
const { position } = await db.append(plays, [1, 2, 2].map((song_id) => ({ song_id, duration: 60_000 })));
console.log(await db.view(charts).rows({ atLeast: position }));
await db.append(songs, { id: 2, name: "Oh Bondage Up Yours!" }); // a correction: the chart follows
await db.close();
