/** A small session on the news feed: `node examples/newsfeed/main.ts`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "../../src/index.ts";
import { follows, likes, newsfeed, reads, topics, tweets, users } from "./app.ts";

const dir = await mkdtemp(join(tmpdir(), "evert-newsfeed-"));
const feed = newsfeed({ timelineMax: 800, renamedMax: 1 });
const db = await open({ dir, topics, views: Object.values(feed) });

const [ada, grace, linus] = [1, 2, 3];
let tweetId = 0;
const tweet = (author: number, text: string, retweet_of: number | null = null) =>
  db.append(tweets, { id: ++tweetId, author, text, written_at: new Date().toISOString(), retweet_of });

async function show(title: string): Promise<void> {
  await db.settled();
  const where = { user_id: linus };
  const [now, partly, then] = await Promise.all(
    [feed.homeTimelines, feed.homeTimelinesPartly, feed.homeTimelinesAsWritten].map((v) =>
      db.view(v).rows({ where }),
    ),
  );
  const unread = (await db.view(feed.unread).get(linus))?.unread;
  console.log(`\n${title} Linus has ${unread} unread.`);
  console.table(
    now!.map((entry, i) => ({
      author: entry.author_name,
      "…in the last tweet only": partly![i]!.author_name,
      "…in later tweets only": then![i]!.author_name,
      text: entry.text,
      likes: entry.likes,
      retweets: entry.retweets,
    })),
  );
}

await db.append(users, [
  { id: ada, name: "Ada", private: false },
  { id: grace, name: "Grace", private: true },
  { id: linus, name: "Linus", private: false },
]);
await tweet(ada, "The engine weaves algebraic patterns.");
await tweet(grace, "Found a moth in the relay.");
await db.append(follows, [
  { follower: linus, followee: ada, approved: false },
  { follower: linus, followee: grace, approved: false },
]);
await show("Linus follows both. Grace is private and has not approved.");

await db.append(follows, { follower: linus, followee: grace, approved: true });
await db.append(likes, { user_id: linus, tweet_id: 2 });
await tweet(ada, "What a moth!", 2);
await show("Grace approves; Linus likes her tweet, Ada repeats it.");

await db.append(reads, { user_id: linus, last_read: 3 });
await db.append(users, { id: ada, name: "Countess Lovelace", private: false });
await tweet(ada, "I have married.");
await show("Linus reads. Ada takes a new name, and writes.");

await db.delete(follows, [linus, ada]);
await show("Linus unfollows her.");

await db.close();
await rm(dir, { recursive: true });
