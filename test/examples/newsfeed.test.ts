/** The news feed against its meaning: everything recomputed, in plain TypeScript, from the list of what happened. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Bounds,
  follows,
  likes,
  newsfeed,
  reads,
  type TimelineEntry,
  topics,
  tweets,
  users,
} from "../../examples/newsfeed/app.ts";
import { type Db, open } from "../../src/index.ts";
import { SimulatedClock, SimulatedDisk } from "../../src/testing/index.ts";

const bounds: Bounds = { timelineMax: 5, renamedMax: 3 };
const feed = newsfeed(bounds);

function start(disk: SimulatedDisk): Promise<Db> {
  return open({ dir: "/data", disk, clock: new SimulatedClock(), topics, views: Object.values(feed) });
}

// ---- what can happen

type Event =
  | { readonly kind: "profile"; readonly user: number; readonly name: string; readonly private: boolean }
  | { readonly kind: "leave"; readonly user: number }
  /** `of`: how many tweets back it repeats; null: nothing. */
  | { readonly kind: "tweet"; readonly author: number; readonly of: number | null }
  | {
      readonly kind: "follow";
      readonly follower: number;
      readonly followee: number;
      readonly approved: boolean;
    }
  | { readonly kind: "unfollow"; readonly follower: number; readonly followee: number }
  | { readonly kind: "like"; readonly user: number; readonly back: number }
  | { readonly kind: "unlike"; readonly user: number; readonly back: number }
  | { readonly kind: "read"; readonly user: number; readonly back: number };

const user = fc.integer({ min: 1, max: 4 });
const back = fc.integer({ min: 0, max: 6 });

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("profile" as const),
      user,
      name: fc.constantFrom("Ada", "Grace", "Edsger"),
      private: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), user }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("tweet" as const),
      author: user,
      of: fc.option(back, { freq: 3 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("follow" as const),
      follower: user,
      followee: user,
      approved: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("unfollow" as const), follower: user, followee: user }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("like" as const), user, back }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("unlike" as const), user, back }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("read" as const), user, back }) },
);

/** Histories begin with some life in them; what is drawn changes it. */
const histories = fc
  .array(event, { minLength: 5, maxLength: 40 })
  .map((drawn): readonly Event[] => [
    { kind: "profile", user: 1, name: "Ada", private: false },
    { kind: "profile", user: 2, name: "Grace", private: true },
    { kind: "follow", follower: 3, followee: 1, approved: false },
    { kind: "follow", follower: 3, followee: 2, approved: true },
    ...drawn,
  ]);

interface Tweet {
  readonly id: number;
  readonly author: number;
  readonly text: string;
  readonly written_at: string;
  readonly retweet_of: number | null;
}

/** The tweet that an event writes when `written` were written before. */
function tweetOf(author: number, of: number | null, written: number): Tweet {
  const id = written + 1;
  const retweet_of = of === null || of >= written ? null : written - of;
  const written_at = `2026-03-14T09:26:${String(id % 60).padStart(2, "0")}Z`;
  return { id, author, text: `tweet ${id}`, written_at, retweet_of };
}

/** Tells the database. `written`: tweets before. */
function happen(db: Db, event: Event, written: number): Promise<{ position: string }> {
  switch (event.kind) {
    case "profile":
      return db.append(users, { id: event.user, name: event.name, private: event.private });
    case "leave":
      return db.delete(users, event.user);
    case "tweet":
      return db.append(tweets, tweetOf(event.author, event.of, written));
    case "follow":
      return db.append(follows, {
        follower: event.follower,
        followee: event.followee,
        approved: event.approved,
      });
    case "unfollow":
      return db.delete(follows, [event.follower, event.followee]);
    case "like":
      return db.append(likes, { user_id: event.user, tweet_id: written - event.back });
    case "unlike":
      return db.delete(likes, [event.user, written - event.back]);
    case "read":
      return db.append(reads, { user_id: event.user, last_read: written - event.back });
  }
}

// ---- what it means

type Answers = Readonly<Record<string, readonly object[]>>;

/** From nothing but the list of what happened. */
function meaning(history: readonly Event[]): Answers {
  const profiles = new Map<number, { name: string; private: boolean }>();
  const follow = new Map<string, { follower: number; followee: number; approved: boolean }>();
  const liked = new Map<string, number>();
  const lastRead = new Map<number, number>();
  const written: (Tweet & { readonly nameThen: string })[] = [];
  for (const event of history) {
    if (event.kind === "profile") profiles.set(event.user, { name: event.name, private: event.private });
    else if (event.kind === "leave") profiles.delete(event.user);
    else if (event.kind === "tweet")
      written.push({
        ...tweetOf(event.author, event.of, written.length),
        nameThen: profiles.get(event.author)?.name ?? "somebody",
      });
    else if (event.kind === "follow") follow.set(`${event.follower},${event.followee}`, event);
    else if (event.kind === "unfollow") follow.delete(`${event.follower},${event.followee}`);
    else if (event.kind === "read") lastRead.set(event.user, written.length - event.back);
    else {
      const tweet = written.length - event.back;
      if (event.kind === "like") liked.set(`${event.user},${tweet}`, tweet);
      else liked.delete(`${event.user},${tweet}`);
    }
  }

  const newestFirst = [...written].reverse();
  const readers = [1, 2, 3, 4];
  const timeline = (reader: number) =>
    newestFirst
      .filter((tweet) => {
        const author = profiles.get(tweet.author);
        const following = follow.get(`${reader},${tweet.author}`);
        return author && following && (!author.private || following.approved);
      })
      .slice(0, bounds.timelineMax);
  const nameNow = (tweet: (typeof written)[number]) => profiles.get(tweet.author)!.name;
  const isRecent = (tweet: Tweet) =>
    written.filter((other) => other.author === tweet.author && other.id > tweet.id).length <
    bounds.renamedMax;
  const timelines = (name: (tweet: (typeof written)[number]) => string): TimelineEntry[] =>
    readers.flatMap((reader) =>
      timeline(reader).map((tweet) => ({
        user_id: reader,
        tweet_id: tweet.id,
        author_name: name(tweet),
        text: tweet.text,
        written_at: tweet.written_at,
        retweet_of: tweet.retweet_of,
        likes: [...liked.values()].filter((id) => id === tweet.id).length,
        retweets: written.filter((other) => other.retweet_of === tweet.id).length,
      })),
    );
  return {
    homeTimelines: timelines(nameNow),
    homeTimelinesPartly: timelines((tweet) => (isRecent(tweet) ? nameNow(tweet) : tweet.nameThen)),
    homeTimelinesAsWritten: timelines((tweet) => tweet.nameThen),
    unread: readers
      .filter((reader) => profiles.has(reader))
      .map((reader) => ({
        user_id: reader,
        unread: timeline(reader).filter((tweet) => tweet.id > (lastRead.get(reader) ?? 0)).length,
      })),
  };
}

async function answers(db: Db, atLeast: string): Promise<Answers> {
  const of = async (view: keyof typeof feed) => {
    const rows = (await db.view<object>(feed[view].name).rows({ atLeast })) as Record<string, unknown>[];
    // The same moment may be written in several ways.
    return rows.map((row) =>
      "written_at" in row
        ? { ...row, written_at: new Date(row["written_at"] as string).toISOString().replace(".000", "") }
        : row,
    );
  };
  const unread = (await of("unread")) as { user_id: number }[];
  return {
    homeTimelines: await of("homeTimelines"),
    homeTimelinesPartly: await of("homeTimelinesPartly"),
    homeTimelinesAsWritten: await of("homeTimelinesAsWritten"),
    unread: unread.sort((a, b) => a.user_id - b.user_id),
  };
}

// ---- that it does mean this

describe("any history", () => {
  test("is told right at every prefix of it", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const db = await start(new SimulatedDisk());
        let written = 0;
        for (const [i, event] of history.entries()) {
          const { position } = await happen(db, event, written);
          if (event.kind === "tweet") written++;
          expect(await answers(db, position)).toEqual(meaning(history.slice(0, i + 1)));
        }
        await db.close();
      }),
      { numRuns: 30 },
    );
  });

  test("is told right when much happens at once, and after a restart in between", async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(), async (history, random) => {
        const disk = new SimulatedDisk();
        let db = await start(disk);
        let written = 0;
        const restartAt = random % history.length;
        let last: Promise<{ position: string }>[] = [];
        for (const [i, event] of history.entries()) {
          last.push(happen(db, event, written));
          if (event.kind === "tweet") written++;
          if (i !== restartAt) continue;
          await Promise.all(last);
          await db.close();
          db = await start(disk);
          last = [];
        }
        await Promise.all(last);
        expect(await answers(db, db.position)).toEqual(meaning(history));
        await db.close();
      }),
      { numRuns: 30 },
    );
  });
});

describe("the news feed", () => {
  let db: Db;
  let written = 0;
  let history: Event[];

  beforeEach(async () => {
    db = await start(new SimulatedDisk());
    written = 0;
    history = [];
    await all(
      { kind: "profile", user: 1, name: "Ada", private: false },
      { kind: "profile", user: 2, name: "Grace", private: true },
      { kind: "profile", user: 3, name: "Linus", private: false },
    );
  });

  afterEach(async () => {
    // Whatever a case is about, nothing else may have gone wrong beside it.
    await db.settled();
    expect(await answers(db, db.position)).toEqual(meaning(history));
    await db.close();
  });

  async function all(...events: Event[]): Promise<void> {
    for (const event of events) {
      await happen(db, event, written);
      history.push(event);
      if (event.kind === "tweet") written++;
    }
    await db.settled();
  }

  const tweet = (author: number, of: number | null = null): Event => ({ kind: "tweet", author, of });
  const follow = (followee: number, approved = false): Event => ({
    kind: "follow",
    follower: 3,
    followee,
    approved,
  });

  async function timeline(view: "homeTimelines" | "homeTimelinesPartly" | "homeTimelinesAsWritten") {
    return db.view(feed[view]).rows({ where: { user_id: 3 } });
  }

  const ids = async () => (await timeline("homeTimelines")).map((entry) => entry.tweet_id);
  const unread = async () => (await db.view(feed.unread).get(3))?.unread;

  test("a follow brings the past, an unfollow empties the timeline", async () => {
    await all(tweet(1), tweet(1), follow(1));
    expect(await ids()).toEqual([2, 1]);
    await all({ kind: "unfollow", follower: 3, followee: 1 });
    expect(await ids()).toEqual([]);
  });

  test("a timeline is bounded, and what was pushed out comes back when there is room", async () => {
    await all(
      follow(1),
      follow(2, true),
      tweet(1),
      tweet(1),
      tweet(2),
      tweet(1),
      tweet(2),
      tweet(2),
      tweet(1),
    );
    expect(await ids()).toEqual([7, 6, 5, 4, 3]);
    await all({ kind: "unfollow", follower: 3, followee: 2 });
    expect(await ids()).toEqual([7, 4, 2, 1]);
  });

  test("a new name shows in all tweets, in the last three, or in later ones only", async () => {
    await all(follow(1), tweet(1), tweet(1), tweet(1), tweet(1));
    await all({ kind: "profile", user: 1, name: "Countess Lovelace", private: false }, tweet(1));
    const [now, then] = ["Countess Lovelace", "Ada"];
    const names = async (view: Parameters<typeof timeline>[0]) =>
      (await timeline(view)).map((entry) => entry.author_name);
    expect(await names("homeTimelines")).toEqual([now, now, now, now, now]);
    expect(await names("homeTimelinesPartly")).toEqual([now, now, now, then, then]);
    expect(await names("homeTimelinesAsWritten")).toEqual([now, then, then, then, then]);
  });

  test("a private author reaches approved followers only, whenever that changes", async () => {
    await all(tweet(2), follow(2));
    expect(await ids()).toEqual([]);
    await all(follow(2, true));
    expect(await ids()).toEqual([1]);
    await all(follow(1), tweet(1));
    await all({ kind: "profile", user: 1, name: "Ada", private: true });
    expect(await ids()).toEqual([1]);
    await all({ kind: "profile", user: 1, name: "Ada", private: false });
    expect(await ids()).toEqual([2, 1]);
  });

  test("likes and retweets are counted, and a like can be taken back", async () => {
    await all(follow(1), tweet(1), tweet(2, 0), tweet(1, 1));
    await all({ kind: "like", user: 2, back: 2 }, { kind: "like", user: 3, back: 2 });
    const first = async () => (await timeline("homeTimelines")).find((entry) => entry.tweet_id === 1);
    expect(await first()).toMatchObject({ likes: 2, retweets: 2 });
    await all({ kind: "unlike", user: 2, back: 2 });
    expect(await first()).toMatchObject({ likes: 1, retweets: 2 });
  });

  test("unread is what came after the last tweet seen, and what an unfollow leaves of it", async () => {
    expect(await unread()).toBe(0);
    await all(follow(1), follow(2, true), tweet(1), tweet(2), tweet(1));
    expect(await unread()).toBe(3);
    await all({ kind: "read", user: 3, back: 2 });
    expect(await unread()).toBe(2);
    await all({ kind: "unfollow", follower: 3, followee: 1 });
    expect(await unread()).toBe(1);
    await all({ kind: "read", user: 3, back: 0 });
    expect(await unread()).toBe(0);
  });
});
