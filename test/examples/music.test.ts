import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { playCounts, plays, songPlays, songs, topFive, topFiveByGenre } from "../../examples/music/app.ts";
import { readSongs } from "../../examples/music/songs.ts";
import { type Db, open } from "../../src/index.ts";
import { removeChecked } from "../support/left-behind.ts";

let dir: string;
let db: Db;

async function start(): Promise<Db> {
  return open({ dir, topics: [songs, plays], views: [playCounts, songPlays, topFive, topFiveByGenre] });
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "evert-music-"));
  db = await start();
});

afterEach(async () => {
  await db.close();
  await removeChecked(dir);
});

async function play(counts: Record<number, number>, duration = 30_000): Promise<string> {
  const rows = Object.entries(counts).flatMap(([id, n]) =>
    Array.from({ length: n }, () => ({ song_id: Number(id), duration })),
  );
  return (await db.append(plays, rows)).position;
}

async function overall(atLeast: string): Promise<number[]> {
  return (await db.view(topFive).rows({ atLeast })).map((r) => r.id);
}

async function genre(name: string, atLeast: string): Promise<number[]> {
  return (await db.view(topFiveByGenre).rows({ atLeast, where: { genre: name } })).map((r) => r.id);
}

const standard = { 1: 6, 2: 5, 3: 4, 4: 3, 5: 2, 6: 1, 7: 6, 8: 5, 9: 4, 10: 3, 11: 2, 12: 1 };

describe("music charts", () => {
  test("six, five, four, three, two, one plays for songs 1 to 6 and the same for 7 to 12", async () => {
    await db.append(songs, readSongs());
    const at = await play(standard);
    expect(await genre("punk", at)).toEqual([1, 2, 3, 4, 5]);
    expect(await genre("hip hop", at)).toEqual([7, 8, 9, 10, 11]);
    expect(await overall(at)).toEqual([1, 7, 2, 8, 3]);
  });

  test("plays under 30 seconds do not count", async () => {
    await db.append(songs, readSongs());
    await play({ 12: 50 }, 29_999);
    const at = await play(standard, 30_000);
    expect(await overall(at)).toEqual([1, 7, 2, 8, 3]);
  });

  test("a song that arrives after its plays enters with all of them", async () => {
    const all = readSongs();
    await db.append(
      songs,
      all.filter((s) => s.id !== 7),
    );
    expect(await overall(await play(standard))).toEqual([1, 2, 8, 3, 9]);
    const { position } = await db.append(
      songs,
      all.filter((s) => s.id === 7),
    );
    expect(await overall(position)).toEqual([1, 7, 2, 8, 3]);
    expect(await genre("hip hop", position)).toEqual([7, 8, 9, 10, 11]);
  });

  test("a corrected title shows in every chart, and a corrected genre moves the song", async () => {
    await db.append(songs, readSongs());
    await play(standard);
    const song = readSongs().find((s) => s.id === 1)!;
    const { position } = await db.append(songs, {
      ...song,
      name: "Chemical Warfare (live)",
      genre: "HIP HOP",
    });
    const row = await db.view(topFive).rows({ atLeast: position, limit: 1 });
    expect(row[0]?.name).toBe("Chemical Warfare (live)");
    expect(await genre("punk", position)).toEqual([2, 3, 4, 5, 6]);
    expect(await genre("hip hop", position)).toEqual([1, 7, 8, 9, 10]);
  });

  test("a deleted song gives its place to the sixth, also after a restart", async () => {
    await db.append(songs, readSongs());
    await play(standard);
    const { position } = await db.delete(songs, 3);
    expect(await genre("punk", position)).toEqual([1, 2, 4, 5, 6]);
    expect(await overall(position)).toEqual([1, 7, 2, 8, 9]);
    await db.close();
    db = await start();
    expect(await genre("punk", position)).toEqual([1, 2, 4, 5, 6]);
    const again = await db.append(
      songs,
      readSongs().filter((s) => s.id === 3),
    );
    expect(await genre("punk", again.position)).toEqual([1, 2, 3, 4, 5]);
  });
});
