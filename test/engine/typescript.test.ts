/**
 * Views in TypeScript against the plainest program that says the same: after every commit, in one large step, built late, and after a restart. The as-of
 * joins are the hard part: what the table said when the record was appended, this commit's changes included, must not depend on
 * how commits were put together into steps.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Db, open } from "../../src/engine/open.ts";
import {
  avg,
  count,
  countDistinct,
  every,
  float8,
  int4,
  int8,
  list,
  max,
  mode,
  nullable,
  percentile,
  reduce,
  some,
  sql,
  sum,
  table,
  text,
  topic,
  variance,
  view,
} from "../../src/face/index.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const runs = Number(process.env["EVERT_TYPESCRIPT_RUNS"] ?? 40);

interface Song {
  readonly id: number;
  readonly name: string;
  readonly label: string | null;
}

interface Play {
  readonly n: number;
  readonly song: number | null;
  readonly ms: number;
}

const songs = table("songs", { key: "id", schema: { id: int4, name: text, label: nullable(text) } });
const plays = topic("plays", { schema: { n: int4, song: nullable(int4), ms: float8 } });

const titled = view(
  "titled",
  plays.leftJoin(
    songs,
    (p) => p.song,
    (p, s) => ({ n: p.n, title: s === null ? "unknown" : `${s.name}!` }),
  ),
);
const asPlayed = view(
  "as_played",
  plays.asOfJoin(
    songs,
    (p) => p.song,
    (p, s) => ({ n: p.n, title: s.name }),
  ),
);
const asPlayedOrNot = view(
  "as_played_or_not",
  plays
    .filter((p) => p.ms >= 10)
    .leftAsOfJoin(
      songs,
      (p) => p.song,
      (p, s) => ({ n: p.n, label: s?.label ?? "none" }),
    ),
);
const playedAs = view("played_as", asPlayed.groupBy("title", { plays: count() }));
const perSong = view(
  "per_song",
  plays.groupBy("song", {
    plays: count(),
    long: count({ where: (p) => p.ms >= 20 }),
    total: sum("ms"),
    mean: avg("ms"),
    longest: max("ms"),
    bits: reduce({ initial: 0, add: (all, p) => all ^ p.n, remove: (all, p) => all ^ p.n, type: int8 }),
  }),
);
const letters = view(
  "letters",
  songs.flatMap((s) => [...s.name].map((letter) => ({ letter, id: s.id })), { letter: text, id: int4 }),
);
const letterCounts = view("letter_counts", letters.groupBy("letter", { n: count() }));
const letterIds = view(
  "letter_ids",
  letters.groupBy("letter", {
    ids: list("id"),
    down: list((l) => l.id * 2, { orderBy: "-id", where: (l) => l.id > 1 }),
    once: list("id", { distinct: true }),
    different: countDistinct("id"),
    late: some((l) => l.id > 2),
    early: every((l) => l.id <= 2),
    middle: percentile("id", 0.5),
    usual: mode("id"),
    spread: variance("id"),
  }),
);
const top = view("top", perSong.topK({ orderBy: ["-plays", "song"], limit: 2 }));
const names = view(
  "names",
  songs
    .map((s) => ({ name: s.name }))
    .union(songs.map((s) => ({ name: s.label ?? "none" })))
    .distinct(),
);
const charts = view(
  "charts",
  sql<{
    name: string;
    plays: number;
  }>`SELECT name, plays FROM ${perSong} JOIN ${songs} ON id = song ORDER BY plays DESC, id LIMIT ${3}`,
);

const topics = [songs, plays];
const views = [
  titled,
  asPlayed,
  asPlayedOrNot,
  playedAs,
  perSong,
  letters,
  letterCounts,
  letterIds,
  top,
  names,
  charts,
];

// ---- the plainest program ---------------------------------------------------------------------------------------

type Operation =
  | { readonly kind: "play"; readonly play: Play }
  | { readonly kind: "song"; readonly song: Song }
  | { readonly kind: "remove"; readonly id: number };

type Commit = readonly Operation[];

function answers(commits: readonly Commit[]): Record<string, unknown[]> {
  const now = new Map<number, Song>();
  const played: { readonly play: Play; readonly heard: Song | undefined }[] = [];
  for (const commit of commits) {
    for (const operation of commit) {
      if (operation.kind === "song") now.set(operation.song.id, operation.song);
      if (operation.kind === "remove") now.delete(operation.id);
    }
    for (const operation of commit) {
      if (operation.kind !== "play") continue;
      const { song } = operation.play;
      played.push({ play: operation.play, heard: song === null ? undefined : now.get(song) });
    }
  }
  const perSong = [...grouped(played, ({ play }) => play.song)].map(([song, group]) => {
    const ms = group.map(({ play }) => play.ms);
    const total = ms.reduce((a, b) => a + b);
    return {
      song,
      plays: group.length,
      long: ms.filter((m) => m >= 20).length,
      total,
      mean: total / ms.length,
      longest: Math.max(...ms),
      bits: group.reduce((bits, { play }) => bits ^ play.n, 0),
    };
  });
  const current = [...now.values()];
  const asPlayed = played.flatMap(({ play, heard }) =>
    heard === undefined ? [] : [{ n: play.n, title: heard.name }],
  );
  const letters = current.flatMap((s) => [...s.name].map((letter) => ({ letter, id: s.id })));
  const last = Number.POSITIVE_INFINITY;
  const ranked = perSong.toSorted((a, b) => b.plays - a.plays || (a.song ?? last) - (b.song ?? last));
  return {
    titled: played.map(({ play }) => {
      const song = play.song === null ? undefined : now.get(play.song);
      return { n: play.n, title: song === undefined ? "unknown" : `${song.name}!` };
    }),
    as_played: asPlayed,
    as_played_or_not: played
      .filter(({ play }) => play.ms >= 10)
      .map(({ play, heard }) => ({ n: play.n, label: heard?.label ?? "none" })),
    played_as: counted(asPlayed.map((a) => a.title)).map(([title, plays]) => ({ title, plays })),
    per_song: perSong,
    letters,
    letter_counts: counted(letters.map((l) => l.letter)).map(([letter, n]) => ({ letter, n })),
    letter_ids: [...grouped(letters, (l) => l.letter)].map(([letter, all]) => lettersOf(letter, all)),
    top: ranked.slice(0, 2),
    names: [...new Set(current.flatMap((s) => [s.name, s.label ?? "none"]))].map((name) => ({ name })),
    charts: ranked
      .filter((r) => r.song !== null && now.has(r.song))
      .slice(0, 3)
      .map((r) => ({ name: now.get(r.song as number)?.name, plays: r.plays })),
  };
}

function lettersOf(letter: string, all: readonly { readonly id: number }[]) {
  const ids = all.map((l) => l.id).sort((a, b) => a - b);
  const n = ids.length;
  const most = counted(ids.map(String)).sort(([a, x], [b, y]) => y - x || Number(a) - Number(b))[0]!;
  const sum = ids.reduce((a, b) => a + b);
  const squares = ids.reduce((a, b) => a + b * b, 0);
  const late = ids.filter((i) => i > 1).map((i) => i * 2);
  return {
    letter,
    ids,
    down: late.length === 0 ? null : late.reverse(),
    once: [...new Set(ids)],
    different: new Set(ids).size,
    late: ids.some((i) => i > 2),
    early: ids.every((i) => i <= 2),
    middle: (ids[Math.floor((n - 1) / 2)]! + ids[Math.ceil((n - 1) / 2)]!) / 2,
    usual: Number(most[0]),
    spread: n < 2 ? null : (n * squares - sum * sum) / n / (n - 1),
  };
}

function counted(values: readonly string[]): [string, number][] {
  return [...grouped(values, (v) => v)].map(([value, all]) => [value, all.length]);
}

function grouped<T, K>(values: readonly T[], keyOf: (value: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}

// ---- histories --------------------------------------------------------------------------------------------------

const id = fc.integer({ min: 1, max: 4 });
const operation: fc.Arbitrary<Operation> = fc
  .oneof(
    { weight: 3, arbitrary: fc.record({ song: fc.option(id), ms: fc.constantFrom(5, 10, 20, 0.5) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        id,
        name: fc.constantFrom("a", "ab", "", "née"),
        label: fc.option(fc.constantFrom("x", "ab")),
      }),
    },
    { weight: 1, arbitrary: id },
  )
  .map((made): Operation => {
    if (typeof made === "number") return { kind: "remove", id: made };
    if ("ms" in made) return { kind: "play", play: { n: 0, ...made } };
    return { kind: "song", song: made };
  });
const histories: fc.Arbitrary<Commit[]> = fc
  .array(fc.array(operation, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 12 })
  .map((commits) => {
    let n = 0;
    return commits.map((commit) =>
      commit.map((o) => (o.kind === "play" ? { ...o, play: { ...o.play, n: ++n } } : o)),
    );
  });

function openOn(disk: SimulatedDisk, declared: typeof views): Promise<Db> {
  return open({
    dir: "/data",
    topics,
    views: declared,
    disk,
    clock: new SimulatedClock(),
    checkpointIntervalMs: 0,
  });
}

function append(db: Db, commit: Commit): Promise<unknown> {
  return db.transact(
    commit.map((o) => {
      if (o.kind === "play") return { topic: plays, append: [o.play] };
      return o.kind === "song" ? { topic: songs, append: [o.song] } : { topic: songs, delete: [o.id] };
    }),
  );
}

function lines(rows: readonly unknown[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}

async function check(db: Db, commits: readonly Commit[]): Promise<void> {
  await db.settled();
  const wanted = answers(commits);
  for (const { name } of views)
    expect(lines(await db.view(name).rows()), name).toEqual(lines(wanted[name] as unknown[]));
}

it("every view is what the plain program answers, after every commit and every restart", async () => {
  const events = fc.array(fc.constantFrom("go on", "checkpoint", "close", "kill"));
  await fc.assert(
    fc.asyncProperty(histories, events, async (commits, events) => {
      let disk = new SimulatedDisk();
      let db = await openOn(disk, views);
      for (const [i, commit] of commits.entries()) {
        await append(db, commit);
        await check(db, commits.slice(0, i + 1));
        const event = events[i] ?? "go on";
        if (event === "checkpoint") await db.engine.checkpoint();
        if (event === "close") await db.close();
        if (event === "go on" || event === "checkpoint") continue;
        disk = disk.reboot("process");
        db = await openOn(disk, views);
        await check(db, commits.slice(0, i + 1));
      }
      await db.close();
    }),
    { numRuns: runs },
  );
}, 600_000);

it("views that come late, and commits that come all at once, make no difference", async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.nat(), async (commits, at) => {
      let disk = new SimulatedDisk();
      let db = await openOn(disk, []);
      const before = at % (commits.length + 1);
      await Promise.all(commits.slice(0, before).map((commit) => append(db, commit)));
      await db.close();
      disk = disk.reboot("process");
      db = await openOn(disk, views);
      await check(db, commits.slice(0, before));
      await Promise.all(commits.slice(before).map((commit) => append(db, commit)));
      await check(db, commits);
      await db.close();
    }),
    { numRuns: runs },
  );
}, 600_000);
