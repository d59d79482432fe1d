/** Twenty-one real songs. */
import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";

export interface Song {
  id: number;
  album: string;
  artist: string;
  name: string;
  genre: string;
}

export function readSongs(): Song[] {
  const rows = parse(readFileSync(new URL("./songs.csv", import.meta.url)), {
    columns: ["id", "album", "artist", "name", "genre"],
  }) as Record<keyof Song, string>[];
  return rows.map((row) => ({ ...row, id: Number(row.id) }));
}
