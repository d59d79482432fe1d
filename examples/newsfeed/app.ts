/**
 * The news feed of Martin Kleppmann's "Turning the database inside out": tweets, profiles, follows, likes; and from them, home
 * timelines that are written when something happens and only read when somebody looks.
 *
 * What a social network needs a fan-out service, caches and nightly repairs for is here a query that stays true: a follow brings in
 * the followed's past, an unfollow takes it out, a new name shows where it should, a private account disappears at once.
 */
import {
  bool,
  count,
  int4,
  int8,
  nullable,
  sql,
  table,
  text,
  timestamptz,
  topic,
  view,
} from "../../src/index.ts";

export const users = table("users", { key: "id", schema: { id: int4, name: text, private: bool } });

/** Ids grow with time, as snowflakes do. A retweet names what it repeats, and nothing of what that says. */
export const tweets = topic("tweets", {
  schema: { id: int8, author: int4, text, written_at: timestamptz, retweet_of: nullable(int8) },
});

/** To follow is to append a row, to unfollow is to delete it. Only who is asked can approve. */
export const follows = table("follows", {
  key: ["follower", "followee"],
  schema: { follower: int4, followee: int4, approved: bool },
});

export const likes = table("likes", {
  key: ["user_id", "tweet_id"],
  schema: { user_id: int4, tweet_id: int8 },
});

/** The newest tweet that a user has seen. */
export const reads = table("reads", { key: "user_id", schema: { user_id: int4, last_read: int8 } });

/** The privacy rule, as one would write it anywhere else. */
export function mayRead(delivery: { private: boolean; approved: boolean }): boolean {
  return !delivery.private || delivery.approved;
}

export interface Bounds {
  /** Tweets in a home timeline. */
  readonly timelineMax: number;
  /** Tweets of an author that a new name still reaches, in the variant of that name. */
  readonly renamedMax: number;
}

export const topics = [users, tweets, follows, likes, reads];

export function newsfeed({ timelineMax, renamedMax }: Bounds = { timelineMax: 800, renamedMax: 100 }) {
  /** The fan-out: each tweet to each follower who may read it, and of these the newest. */
  const home = view(
    "home",
    tweets
      .join(
        follows,
        (t) => t.author,
        (f) => f.followee,
        (t, f) => ({
          user_id: f.follower,
          tweet_id: t.id,
          author: t.author,
          text: t.text,
          written_at: t.written_at,
          retweet_of: t.retweet_of,
          approved: f.approved,
        }),
      )
      .join(
        users,
        (d) => d.author,
        (d, author) => ({ ...d, private: author.private }),
      )
      .filter(mayRead)
      .map(({ approved, private: _, ...entry }) => entry)
      .topK({ partitionBy: "user_id", orderBy: "-tweet_id", limit: timelineMax }),
  );

  const likeCounts = view(
    "like_counts",
    sql<{ tweet_id: number; likes: number }>`
      SELECT tweet_id, count(*) AS likes FROM ${likes} GROUP BY tweet_id`,
  );

  const retweetCounts = view(
    "retweet_counts",
    tweets
      .filter((t) => t.retweet_of !== null)
      .groupBy((t) => ({ tweet_id: t.retweet_of }), { retweets: count() }),
  );

  /** First variant: a new name shows in all tweets. In SQL; the two below say the same of other names. */
  const homeTimelines = view(
    "home_timelines",
    sql<TimelineEntry>`
      SELECT h.user_id, h.tweet_id, u.name AS author_name, h.text, h.written_at, h.retweet_of,
             coalesce(l.likes, 0) AS likes, coalesce(r.retweets, 0) AS retweets
      FROM ${home} h
      JOIN ${users} u ON u.id = h.author
      LEFT JOIN ${likeCounts} l ON l.tweet_id = h.tweet_id
      LEFT JOIN ${retweetCounts} r ON r.tweet_id = h.tweet_id
      ORDER BY h.user_id, h.tweet_id DESC`,
  );

  /** The author's name as it was when the tweet was written. */
  const asWritten = tweets.leftAsOfJoin(
    users,
    (t) => t.author,
    (t, author) => ({ tweet_id: t.id, author: t.author, author_name: author?.name ?? "somebody" }),
  );

  /** Of each author the last tweets under the name of today, those before as written. */
  const partlyRenamed = asWritten
    .topK({ partitionBy: "author", orderBy: "-tweet_id", limit: renamedMax })
    .join(
      users,
      (t) => t.author,
      (t, author) => ({ tweet_id: t.tweet_id, author: t.author, author_name: author.name }),
    )
    .union(asWritten.topK({ partitionBy: "author", orderBy: "-tweet_id", offset: renamedMax }));

  const timelinesUnder = (names: typeof asWritten) =>
    home
      .join(names, "tweet_id", "tweet_id", (h, name) => ({
        user_id: h.user_id,
        tweet_id: h.tweet_id,
        author_name: name.author_name,
        text: h.text,
        written_at: h.written_at,
        retweet_of: h.retweet_of,
      }))
      .leftJoin(likeCounts, "tweet_id", (e, counted) => ({ ...e, likes: counted?.likes ?? 0 }))
      .leftJoin(retweetCounts, "tweet_id", (e, counted) => ({ ...e, retweets: counted?.retweets ?? 0 }))
      .orderBy("user_id", "-tweet_id");

  /** Second variant: a new name shows in the author's last tweets. */
  const homeTimelinesPartly = view("home_timelines_partly_renamed", timelinesUnder(partlyRenamed));

  /** Third variant: a new name shows in later tweets only. */
  const homeTimelinesAsWritten = view("home_timelines_as_written", timelinesUnder(asWritten));

  /** Of what is in a user's timeline, how much is newer than what the user has seen. */
  const unread = view(
    "unread",
    sql<{ user_id: number; unread: number }>`
      SELECT u.id AS user_id, count(*) FILTER (WHERE h.tweet_id > coalesce(r.last_read, 0)) AS unread
      FROM ${users} u
      LEFT JOIN ${reads} r ON r.user_id = u.id
      LEFT JOIN ${home} h ON h.user_id = u.id
      GROUP BY u.id`,
  );

  return {
    home,
    likeCounts,
    retweetCounts,
    homeTimelines,
    homeTimelinesPartly,
    homeTimelinesAsWritten,
    unread,
  };
}

/** What `evert start examples/newsfeed/app.ts` serves. */
export const views = Object.values(newsfeed());

export interface TimelineEntry {
  user_id: number;
  tweet_id: number;
  author_name: string;
  text: string;
  written_at: string;
  retweet_of: number | null;
  likes: number;
  retweets: number;
}
